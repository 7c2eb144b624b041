"""Twice the channels take twice the work: counted in calls, in one run, whatever else the machine does."""

from __future__ import annotations

import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from setpoint.config.compile import CompiledConfiguration, check_files

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


def work(text: str) -> Counter[str]:
    """Module -> calls that checking, compiling and showing a configuration take in it."""
    files, calls = {"setpoint.yaml": text.encode()}, Counter[str]()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        del argument
        if event in {"call", "c_call"}:
            calls[frame.f_globals.get("__name__", "")] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        if not check_files(files, Path("/srv")):
            configuration = CompiledConfiguration.from_files(files, Path("/srv"))
            configuration.notices, configuration.channels("saas"), configuration.revision("saas", "web")
    finally:
        sys.setprofile(before)
    return Counter({name: number for name, number in calls.items() if name.startswith("setpoint.")})


@pytest.mark.parametrize("shape", [chain, group, *(pytest.param(one, marks=pytest.mark.nightly) for one in (selected, wrong))])
def test_twice_the_channels_take_twice_the_work_in_every_module(shape: Any) -> None:
    work(shape(5))  # what is read once, such as time zones, is read
    once, twice = work(shape(40)), work(shape(80))
    assert once.total() > 5_000
    growth = {name: twice[name] / number for name, number in once.items() if number > 300}
    assert {name: round(ratio, 2) for name, ratio in growth.items() if ratio > 2.3} == {}


LAUGHS = "\n".join(
    ["kind: Application", "name: saas", "constants:", f"  a0: {'ha ' * 20}", "  b0: [x, x, x, x, x, x, x, x, x, x]"]
    + [f"  a{n}: {''.join(f'${{constants.a{n - 1}}}' for _ in range(10))}" for n in range(1, 9)]
    + [f"  b{n}: [{', '.join(repr(f'${{constants.b{n - 1}}}') for _ in range(10))}]" for n in range(1, 9)]
    + [f"  c{n}: '${{constants.c{n + 1}}}'" for n in range(200)]
    + ["  c200: end", "channels: [{name: production}]"]
)


def test_a_few_lines_of_lookups_in_lookups_do_not_grow_into_gigabytes(tmp_path: Path):
    tracemalloc.start()
    problems = check_files({"setpoint.yaml": (LAUGHS + "\n" + SERVICES).encode()}, tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "lookup-too-large" in {problem.code for problem in problems}
    assert most < 64 << 20


def test_more_pairs_of_service_and_channel_than_can_be_looked_at_are_refused(tmp_path: Path):
    channels = "".join(f"  - {{name: c{n}}}\n" for n in range(300))
    services = "".join(f"---\n{{kind: Service, application: saas, name: s{n}, process: {{command: [x]}}}}\n" for n in range(200))
    text = f"kind: Application\nname: saas\nchannels:\n{channels}{services}"
    problems = check_files({"setpoint.yaml": text.encode()}, tmp_path)
    assert [problem.code for problem in problems] == ["too-many-instances"]
