"""Twice the channels take twice the work: counted in calls, in one run, whatever else the machine does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from setpoint.config.compile import Configuration, check_files

SERVICES = """---
{kind: Service, application: saas, name: web, process: {command: [x, "${version}", "${constants.plan:-x}"]}}
---
{kind: Service, application: saas, name: api, process: {command: [x]}, after: web}
---
{kind: Policy, name: rules, select: ring=r1, approvals: [{topic: go}]}
"""


def chain(number: int) -> str:
    channels = (f"  - {{name: c{n}, labels: {{ring: r{n % 7}}}{f', after: c{n - 1}' if n else ''}}}\n" for n in range(number))
    return f"kind: Application\nname: saas\nchannels:\n{''.join(channels)}{SERVICES}"


def selected(number: int) -> str:
    first = "  - {name: first, labels: {ring: first}}\n"
    channels = (f"  - {{name: c{n}, labels: {{ring: r{n % 7}}}, after: {{select: ring=first}}}}\n" for n in range(number))
    return f"kind: Application\nname: saas\nchannels:\n{first}{''.join(channels)}{SERVICES}"


def group(number: int) -> str:
    items = "".join(f"        - {{name: t{n}, labels: {{ring: r{n % 7}}}, constants: {{plan: p{n}}}}}\n" for n in range(number))
    return f"""kind: Application
name: saas
channels:
  - {{name: staging}}
  - name: tenants
    after: {{channels: staging, soak: 1d}}
    approvals: [{{topic: on, when: channel=tenants-t1}}]
    overrides: [{{select: ring=r1, strategy: manual}}, {{select: ring=r2, timezone: Asia/Tokyo}}]
    limits: {{maxConcurrent: 10, waves: [{{select: ring=r0}}, {{size: 10%}}]}}
    each:
      items:
{items}{SERVICES}"""


def wrong(number: int) -> str:
    return chain(number).replace("labels: {ring: r2}", "lables: {ring: r2}").replace("ring: r3", "ring: r3, tier: '*'")


def work(text: str) -> int:
    """Calls that checking, compiling and showing a configuration take."""
    files, calls = {"setpoint.yaml": text.encode()}, [0]

    def count(frame: Any, event: str, argument: Any) -> None:
        del frame, argument
        calls[0] += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        if not check_files(files, Path("/srv")):
            configuration = Configuration.from_files(files, Path("/srv"))
            configuration.notices, configuration.channels("saas"), configuration.revision("saas", "web")
    finally:
        sys.setprofile(before)
    return calls[0]


@pytest.mark.parametrize("shape", [chain, selected, group, wrong])
def test_twice_the_channels_take_twice_the_work(shape: Any) -> None:
    once, twice = work(shape(40)), work(shape(80))
    assert once > 5_000
    assert twice / once < 2.15
