"""The example ``fleet``: two hundred tenants with five services each, in waves; two are frozen, one is pinned, three fail.

On the embedded engine and the fake runtime, in compressed time; told by the status and the timeline.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, House
from tests.e2e.compressed import compressed
from tests.support.eventually import eventually

from setpoint.config.compile import load
from setpoint.config.files import collect
from setpoint.control.queries.timeline import SpanView
from setpoint.control.views.overview import InstanceView

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
SERVICES = ("accounts", "billing", "catalog", "search", "web")
FROZEN = {"tenants-t061", "tenants-t140"}
PINNED = "tenants-t150"
LEGACY = {"tenants-t009", "tenants-t012", "tenants-t030"}
FACTOR = 10
MOST_AT_ONCE = 60
NEEDS = (1.0, 0.9, 0.95)


async def test_a_release_goes_through_the_fleet_in_waves_and_stops_after_three_failures(tmp_path: Path) -> None:
    async with compressed(tmp_path, FACTOR) as (fleet, _):
        found = {path: base64.b64encode(content).decode() for path, content in collect(EXAMPLE).items()}
        await fleet.do("apply", files=found, root=str(EXAMPLE))
        await _first_release(fleet)
        await fleet.do("pin", ADMIN, target=f"web@{PINNED}", version="1.0.0", why="a demo for their board")
        await _three_failures_stop_it(fleet)
        await _the_fix_reaches_everybody_who_takes_it(fleet)
        await _seen_from_the_timeline(fleet)


async def _first_release(fleet: House) -> None:
    await _release(fleet, "1.0.0")
    await eventually(lambda: _all_at(fleet, "1.0.0", but=FROZEN), 300, "release 1 did not reach everybody", every=0.2)
    for row in await _rows(fleet):
        if row.channel in FROZEN:
            assert row.good is None
            assert row.condition == "waiting"
            assert row.reason is not None
            assert ("accounts has not" if row.service == "billing" else "auditors are at work") in row.reason.text


async def _three_failures_stop_it(fleet: House) -> None:
    """Those under way finish; nothing new of it begins."""
    await _release(fleet, "2.0.0", onLegacy="failing")
    seen: Counter[str] = Counter()
    await eventually(lambda: _at_rest(fleet, seen), 300, lambda: f"release 2 did not come to rest: {seen}", every=0.2)
    rows = await _rows(fleet)
    failed = {row.channel for row in rows if row.service == "billing" and row.condition == "vetoed"}
    assert failed >= LEGACY
    assert all(row.good and row.good.version == "1.0.0" for row in rows if row.service == "billing" and row.channel in LEGACY)
    taken = {row.channel for row in rows if row.good and row.good.version == "2.0.0" and row.channel != "staging"}
    waves = _waves()
    assert set(waves[0]) <= taken
    assert not taken & set(waves[3]), "the last wave never opened"
    stopped = next(row for row in rows if row.channel == waves[3][0])
    assert stopped.reason is not None
    assert "failed" in stopped.reason.text
    assert stopped.reason.clears.what


async def _the_fix_reaches_everybody_who_takes_it(fleet: House) -> None:
    await _release(fleet, "2.0.1")
    arrived = lambda: _all_at(fleet, "2.0.1", but=FROZEN, pinned=PINNED)  # noqa: E731 - asked again and again
    await eventually(arrived, 300, "the fix did not reach everybody", every=0.2)
    (pinned,) = [row for row in await _rows(fleet) if row.channel == PINNED and row.service == "web"]
    assert pinned.good is not None
    assert (pinned.good.version, pinned.pinned) == ("1.0.0", "1.0.0")


async def _seen_from_the_timeline(fleet: House) -> None:
    lanes = {lane.instance: lane.spans for lane in (await fleet.ask("timeline", application="fleet")).lanes}
    for release in (1, 3):
        _waves_in_order(lanes, release)
    assert _most_at_once(lanes) <= MOST_AT_ONCE
    assert (await fleet.ask("invariants")).invariants[0].holds


# --- looking ------------------------------------------------------------------------------------------------------------


async def _release(fleet: House, version: str, **billing: str) -> None:
    wanted: dict[str, Any] = {service: {"version": version} for service in SERVICES}
    wanted["billing"]["parameters"] = billing
    await fleet.do("release", ADMIN, services=wanted)


async def _rows(fleet: House) -> list[InstanceView]:
    return (await fleet.ask("status")).applications[0].instances


async def _all_at(fleet: House, version: str, *, but: set[str], pinned: str = "") -> bool:
    rows = [row for row in await _rows(fleet) if row.channel not in but]
    return all(
        row.good and row.good.version == version and row.settled
        for row in rows
        if not (row.channel == pinned and row.service == "web")
    )


async def _at_rest(fleet: House, seen: Counter[str]) -> bool:
    """Nothing moves, and three have failed."""
    seen.clear()
    seen.update(row.condition for row in await _rows(fleet))
    return seen["vetoed"] >= len(LEGACY) and not (seen["deploying"] or seen["verifying"] or seen["rolling-back"])


def _waves() -> list[tuple[str, ...]]:
    return [wave.channels for wave in load(EXAMPLE).groups["fleet/tenants"].waves]


def _waves_in_order(lanes: dict[str, list[SpanView]], release: int) -> None:
    """The next wave begins once enough of the one before have every service finalized."""
    waves = _waves()
    for number, need in enumerate(NEEDS):
        ends = sorted(filter(None, (_whole(lanes, channel, release) for channel in waves[number])))
        counted = [channel for channel in waves[number] if channel != PINNED or release == 1]
        enough = ends[math.ceil(need * len(counted)) - 1]
        begins = min(span.begins for channel in waves[number + 1] for span in _deploying(lanes, channel, release))
        assert begins >= enough, f"wave {number + 2} of release {release} began {enough - begins} ms early"


def _whole(lanes: dict[str, list[SpanView]], channel: str, release: int) -> int | None:
    """When the last of a tenant's services had it; None: one never had."""
    spans = [
        [span.begins for span in lanes[f"fleet/{service}@{channel}"] if span.kind == "running" and span.release == release]
        for service in SERVICES
    ]
    return max(each[0] for each in spans) if all(spans) else None


def _deploying(lanes: dict[str, list[SpanView]], channel: str, release: int) -> Iterator[SpanView]:
    for service in SERVICES:
        yield from (span for span in lanes[f"fleet/{service}@{channel}"] if span.kind == "deploying" and span.release == release)


def _most_at_once(lanes: dict[str, list[SpanView]]) -> int:
    """Most tenants' instances that deployed at one moment."""
    edges = []
    for name, spans in lanes.items():
        if "@tenants-" in name:
            edges += [(span.begins, 1) for span in spans if span.kind == "deploying"]
            edges += [(span.ends, -1) for span in spans if span.kind == "deploying" and span.ends]
    now = most = 0
    for _, step in sorted(edges, key=lambda edge: (edge[0], edge[1])):
        now += step
        most = max(most, now)
    return most
