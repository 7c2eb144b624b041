"""A release train over five channels: ten releases that overlap, one that fails in the middle, and a hot fix that overtakes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.control.house import ADMIN, House
from tests.e2e.compressed import compressed, drawn
from tests.support.eventually import eventually

from setpoint.control.queries.timeline import LaneView, SpanView, Timeline

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CHANNELS = ("dev", "test", "stage", "eu", "us")
FAILS = 4
"""Fails in stage, and in stage alone."""
HOT_FIX = 7
FACTOR = 40
CONFIGURATION = """
kind: Application
name: saas
channels:
  - {name: dev, runtime: pretend, strategy: every}
  - {name: test, runtime: pretend, strategy: every, after: dev}
  - {name: stage, runtime: pretend, strategy: every, after: {channels: test, soak: 20s}}
  - {name: eu, runtime: pretend, strategy: every, after: stage}
  - {name: us, runtime: pretend, strategy: every, after: {channels: eu, soak: 30s}}
---
kind: Runtime
name: pretend
fake: {}
poll: {moving: 2s, settled: 1m}
---
kind: Service
application: saas
name: web
parameters:
  inStage: {default: healthy, values: [healthy, failing], carry: false}
fake: {becomes: healthy, takes: 40s}
progressDeadline: 50s
env: {VERSION: "${version}"}
perChannel:
  dev: {fake: {takes: 10s}}
  stage: {fake: {becomes: "${params.inStage}", takes: 40s}}
"""


async def test_a_train_of_ten_releases_with_a_failure_in_the_middle_and_a_hot_fix(tmp_path: Path) -> None:
    async with compressed(tmp_path, FACTOR) as (rail, _):
        await rail.apply(CONFIGURATION)
        for number in range(1, 7):
            await _release(rail, number, web={"parameters": {"inStage": "failing"}} if number == FAILS else {})
            await _good(rail, "dev", number)
        await _stage_stops(rail)
        await rail.do("cancel", ADMIN, release=FAILS, why="loses orders")
        await _begun(rail, "stage", 5)
        await _release(rail, HOT_FIX, urgent=True)
        for number in range(8, 11):
            await _good(rail, "dev", number - 1)
            await _release(rail, number)
        await eventually(lambda: _everywhere(rail, 10), 90, "release 10 did not come to every channel")
        shown = await rail.ask("timeline")
    picture = drawn(shown)
    print(f"\n{picture}")
    _holds(shown)
    _pictured(picture)


async def _release(rail: House, number: int, **more) -> None:
    assert (await rail.release(f"{number}.0", **more)).release == number


async def _good(rail: House, channel: str, number: int) -> None:
    await rail.waits_until_release(f"web@{channel}", number)


async def _begun(rail: House, channel: str, number: int) -> None:
    async def begun() -> bool:
        rollout = (await rail.state(f"web@{channel}")).life.rollout
        return rollout is not None and rollout.attempt.release == number

    await eventually(begun, 30, f"release {number} did not begin in {channel}")


async def _everywhere(rail: House, number: int) -> bool:
    rows = (await rail.ask("status")).applications[0].instances
    return all(row.good and row.good.release == number for row in rows)


async def _stage_stops(rail: House) -> None:
    """Loudly, while the channels before it go on."""
    row = await rail.waits_for("web@stage", "train-stopped")
    assert "the train stops at 4.0" in row.reason.text
    assert row.good.version == "3.0"
    assert row.attention == "failed"
    assert (await rail.row("web@eu")).reason.text == "stage rolled 4.0 back"


def _holds(shown: Timeline) -> None:
    lanes = {lane.instance.rpartition("@")[2]: lane for lane in shown.lanes}
    assert tuple(lanes) == CHANNELS
    ran = {channel: [span.release for span in _of(lane, "running")] for channel, lane in lanes.items()}
    assert ran["dev"] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert ran["stage"] == [1, 2, 3, 5, 7, 8, 9, 10], "4 failed there, and the hot fix passed over 6"
    assert ran["eu"] == ran["us"] == [1, 2, 3, 7, 8, 9, 10], "behind it the hot fix passed over 5 as well"
    for before, after in pairwise(CHANNELS):
        assert set(ran[after]) <= set(ran[before])
        for release in ran[after]:
            assert _first(lanes[after], release).begins > _first(lanes[before], release).begins
    failed = [span for span in lanes["stage"].spans if span.release == FAILS and span.outcome]
    assert [span.outcome for span in failed] == ["rolled-back"]
    assert "no progress for 50s" in failed[0].text or "3.0 runs again" in failed[0].text
    assert not any(span.release == FAILS and span.kind != "waiting" for channel in ("eu", "us") for span in lanes[channel].spans)
    assert _most_at_once(shown) >= 3, "the train is no train if its releases do not overlap"


def _of(lane: LaneView, kind: str) -> list[SpanView]:
    return [span for span in lane.spans if span.kind == kind]


def _first(lane: LaneView, release: int) -> SpanView:
    return next(span for span in _of(lane, "running") if span.release == release)


def _most_at_once(shown: Timeline) -> int:
    """How many different releases were under way at one moment."""
    moving = [span for lane in shown.lanes for span in lane.spans if span.kind in {"deploying", "verifying"}]
    moments = [span.begins for span in moving]
    return max(len({span.release for span in moving if span.begins <= at < (span.ends or at + 1)}) for at in moments)


def _pictured(picture: str) -> None:
    lines = picture.splitlines()
    stage = next(number for number, line in enumerate(lines) if line.startswith("web@stage"))
    assert "✗" in lines[stage]
    assert "↺" in lines[stage]
    assert "7.0" in lines[stage + 1]
    assert "4.0" not in lines[stage + 1]
