"""The built-in checks of what is about to ship, each in its own channel: they hold what must not, and let go by themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.components.prometheus import monitoring
from tests.components.registry import registry
from tests.e2e.machine import Machine
from tests.e2e.shop import configure

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus", "registry")]

AT = "interval: 500ms, timeout: 5s"
CHANNELS = """
kind: Application
name: shop
channels:
  - {name: policed, protections: [{use: version-policy, AT, with: {range: ^1}}]}
  - {name: honest, protections: [{use: commit-denied, AT, with: {commits: [BAD], directory: source}}]}
  - {name: pulled, protections: [{use: image-exists, AT, with: {image: "REGISTRY/shop/web:${version}", plainHttp: true}}]}
  - {name: counted, protections: [{use: prometheus-query, AT, with: {url: PROMETHEUS, query: latency, max: 0.5}}]}
  - {name: budgeted, protections: [{use: slo-burn, AT, with: {url: PROMETHEUS, objective: 99%, errors: failed, total: asked}}]}
"""


def commit(directory: Path, message: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    git = ["git", "-C", str(directory), *identity]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_each_holds_what_must_not_ship_and_says_why(machine: Machine, tmp_path: Path) -> None:
    source = machine.config / "source"
    subprocess.run(["git", "init", "-q", str(source)], check=True)
    clean, bad, after = (commit(source, message) for message in ("clean", "bad", "after"))
    (tmp_path / "monitoring").mkdir()
    (tmp_path / "registry").mkdir()
    with monitoring(tmp_path / "monitoring") as world, registry(tmp_path / "registry") as images:
        world.gauges["latency"] = 0.9
        world.counters |= {"asked": 100, "failed": 20}
        machine.up()
        text = CHANNELS.replace("REGISTRY", images.address).replace("PROMETHEUS", world.prometheus)
        configure(machine, text.replace("BAD", bad).replace("AT", AT))
        for version in ("1.5.0", "2.0.0", "2.0.1"):
            images.push("shop/web", version)
        machine.release("web=2.0.0", commit=after)
        _held(
            machine,
            policed="check `version-policy` failed: 2.0.0 is not within ^1",
            honest=f"check `commit-denied` failed: commit {after[:12]} contains {bad[:12]}, which is denied",
            counted="check `prometheus-query` failed: query yields 0.9 for latency",
            budgeted="check `slo-burn` failed: error budget of 99% burns at 20× over 1h and 20× over 5m, more than 14.4×",
        )
        world.gauges["latency"] = 0.1
        machine.release("web=1.5.0", commit=clean, to="policed")
        machine.release("web=2.0.1", commit=clean, to="honest")
        for channel, version in {"pulled": "2.0.0", "counted": "2.0.0", "policed": "1.5.0", "honest": "2.0.1"}.items():
            machine.settles(f"shop/web@{channel}", version)
        assert machine.target("shop/web@budgeted") == "", "the budget burns on"


def _held(machine: Machine, **reasons: str) -> None:
    for channel, reason in reasons.items():
        machine.waits(f"shop/web@{channel}", reason)
        assert machine.target(f"shop/web@{channel}") == ""
