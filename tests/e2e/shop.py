"""The application of most end-to-end tests: a shop with one service, on the local runtime with short intervals."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.e2e.machine import Machine

SERVICE = """
kind: Service
application: shop
name: web
process:
  command: [python3, web.py, --version, "${version}", --sick, SICK]
  directory: app
  replicas: 2
  health: {http: /healthz, interval: 200ms}
progressDeadline: 8s
"""
FAST = "---\nkind: Runtime\nname: local\nlocal: {}\npoll: {moving: 300ms, settled: 2s}\ngrace: 2s\n"


def gate(name: str, **options: str) -> str:
    """A check that passes while a file of its name is there."""
    more = "".join(f"{key}: {value}\n" for key, value in options.items())
    times = "interval: 300ms\ntimeout: 5s\n"
    return f"---\nkind: Protection\nname: {name}\nprogram: {{command: [test, -e, FLAGS/{name}]}}\n{times}{more}"


def configure(machine: Machine, application: str, *more: str) -> Path:
    """Write and apply; the directory of flags."""
    flags, sick = machine.root / "flags", machine.root / "sick"
    flags.mkdir(exist_ok=True)
    sick.mkdir(exist_ok=True)
    text = "---\n".join([textwrap.dedent(application), SERVICE]) + FAST + "".join(more)
    machine.write(text.replace("FLAGS", str(flags)).replace("SICK", str(sick)))
    machine.apply()
    return flags
