"""Replacing replicas: what to do next as a pure function, then on real processes."""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtimes.helpers import INSTANCE, eventually, is_settled, leaders_of, settled, spec

from setpoint.model.spec import RolloutSettings
from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.options import amount
from setpoint.runtimes.process.replicas.rolling import LiveReplica, Moves, next_moves


def replicas(new: str = "", old: str = "") -> list[LiveReplica]:
    """``+`` a healthy replica, ``-`` one that is not."""
    marks = [(mark, True) for mark in new] + [(mark, False) for mark in old]
    return [LiveReplica(f"web-{number}", current, mark == "+") for number, (mark, current) in enumerate(marks)]


@pytest.mark.parametrize(
    ("wanted", "new", "old", "start", "stop"),
    [
        (2, "", "", 2, 0),
        (2, "", "++", 1, 0),
        (2, "-", "++", 0, 0),
        (2, "+", "++", 0, 1),
        (2, "++", "+", 0, 1),
        (2, "++", "", 0, 0),
        (2, "+", "--", 0, 1),
        (2, "", "----", 0, 2),
        (0, "", "++", 0, 2),
        (0, "", "", 0, 0),
        (1, "--", "", 0, 1),
    ],
)
def test_the_next_moves_keep_capacity(wanted: int, new: str, old: str, start: int, stop: int) -> None:
    moves = next_moves(wanted, 1, 0, replicas(new, old))
    assert (moves.start, len(moves.stop)) == (start, stop)


def test_without_surge_an_old_one_makes_room_first() -> None:
    assert next_moves(4, 0, 1, replicas("", "++++")) == Moves(start=0, stop=("web-0",))
    assert next_moves(4, 0, 1, replicas("", "+++"), stopping=1) == Moves(start=0, stop=())
    assert next_moves(4, 0, 1, replicas("", "+++")) == Moves(start=1, stop=())


def test_neither_surge_nor_gap_would_never_move_and_so_means_one_more() -> None:
    assert next_moves(2, 0, 0, replicas("", "++")).start == 1


class Rolling:
    """Replicas that become healthy, fall ill and take their time to end, in any order, while versions and numbers change."""

    def __init__(self, wanted: int, old: int, surge: int, unavailable: int, luck: Random) -> None:
        self.wanted, self.surge, self.unavailable, self.luck = wanted, surge, unavailable, luck
        self.seen = replicas("", "+" * old)
        self.stopping = 0
        self.names = iter(range(1_000, 9_000))

    def move(self) -> Moves:
        moves = next_moves(self.wanted, self.surge, self.unavailable, self.seen, self.stopping)
        self.seen = [replica for replica in self.seen if replica.name not in moves.stop]
        self.stopping += len(moves.stop)
        self.seen += [LiveReplica(f"web-{next(self.names)}", current=True, healthy=False) for _ in range(moves.start)]
        if moves.start:
            most = self.wanted + max(self.surge, 0 if self.unavailable else 1)
            assert len(self.seen) + self.stopping <= most, "more processes than replicas and maxSurge allow"
        return moves

    def healthy(self) -> int:
        return sum(replica.healthy for replica in self.seen)

    def change(self, number: int, **fields: Any) -> None:
        self.seen[number] = self.seen[number]._replace(**fields)

    def something_happens(self) -> None:
        """A replica ends, becomes healthy or falls ill; another version or number of replicas is applied."""
        what = self.luck.choice(["ends", "ends", "heals", "heals", "heals", "ails", "version", "number"])
        if what == "ends" and self.stopping:
            self.stopping -= 1
        elif what in {"heals", "ails"} and self.seen:
            self.change(self.luck.randrange(len(self.seen)), healthy=what == "heals")
        elif what == "version":
            self.seen = [replica._replace(current=False) for replica in self.seen]
        elif what == "number":
            self.wanted = self.luck.randint(0, 6)

    def something_gets_better(self) -> bool:
        """One replica ends or becomes healthy; False when none is left to."""
        ailing = [number for number, replica in enumerate(self.seen) if not replica.healthy]
        if self.stopping and (not ailing or self.luck.random() < 0.5):
            self.stopping -= 1
        elif ailing:
            self.change(self.luck.choice(ailing), healthy=True)
        else:
            return False
        return True


rollings = st.builds(
    Rolling,
    wanted=st.integers(0, 6),
    old=st.integers(0, 6),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
    luck=st.randoms(use_true_random=False),
)


@given(rolling=rollings)
def test_every_replacement_ends_and_never_falls_below_what_is_promised(rolling: Rolling) -> None:
    """Enough serve all the while, and in the end just the wanted new ones are there."""
    promised = min(rolling.wanted - rolling.unavailable, len(rolling.seen))
    while rolling.move() != Moves(0, ()) or rolling.something_gets_better():
        assert rolling.healthy() >= promised
    assert [replica.current for replica in rolling.seen] == [True] * rolling.wanted


@given(rolling=rollings, events=st.integers(0, 60))
def test_whatever_happens_meanwhile_there_are_never_too_many_and_it_still_ends(rolling: Rolling, events: int) -> None:
    for _ in range(events):
        rolling.something_happens()
        rolling.move()
    while rolling.move() != Moves(0, ()) or rolling.something_gets_better():
        pass
    assert [replica.current for replica in rolling.seen] == [True] * rolling.wanted


async def test_a_replica_that_takes_long_to_stop_counts_until_it_has_ended(home, processes: ProcessRuntime) -> None:
    most = 0
    for version in ("1", "2", "3"):
        wanted = spec(version, "--ignore-term", replicas=2, stopTimeout="400ms")
        await processes.apply(f"op/{version}", wanted)
        while not is_settled(await processes.observe(INSTANCE, wanted), wanted):
            most = max(most, len(leaders_of(home)))
    assert most == 3


def test_amounts_are_counts_or_percentages_rounded_up() -> None:
    assert [amount(value, 10) for value in (3, 0, "25%", "0%", "100%")] == [3, 0, 3, 0, 10]


async def test_old_replicas_serve_until_new_ones_are_healthy(processes: ProcessRuntime) -> None:
    old, new = spec("1", replicas=2), spec("2", "--slow-start", "0.4", replicas=2)
    await processes.apply("op/1", old)
    address = (await settled(processes, old)).links["address"]
    await processes.apply("op/2", new)
    healthy_at_least, answers = 2, set()
    async with httpx2.AsyncClient() as client:
        while not ((seen := await processes.observe(new.instance, new)).complete and all(o.healthy for o in seen.objects)):
            healthy_at_least = min(healthy_at_least, sum(o.healthy is True and o.active for o in seen.objects))
            answer = await client.get(address)
            assert answer.status_code == 200
            answers.add(answer.text)
    assert healthy_at_least == 2
    assert answers == {"1", "2"}


async def test_a_version_that_never_gets_healthy_leaves_the_old_one_serving(processes: ProcessRuntime) -> None:
    old, bad = spec("1", replicas=2), spec("2", "--unhealthy", replicas=2)
    await processes.apply("op/1", old)
    address = (await settled(processes, old)).links["address"]
    await processes.apply("op/2", bad)

    async def shows_why() -> bool:
        return any("answered 500" in o.message for o in (await processes.observe(bad.instance, bad)).objects)

    await eventually("the failing health check is shown", shows_why)
    seen = await processes.observe(bad.instance, bad)
    assert not seen.complete
    assert not seen.difference
    assert [o.version for o in seen.objects if o.healthy] == ["1", "1"]
    async with httpx2.AsyncClient() as client:
        assert {(await client.get(address)).text for _ in range(10)} == {"1"}


async def test_going_back_in_the_middle_keeps_the_old_replicas(processes: ProcessRuntime) -> None:
    old, bad = spec("1", replicas=2), spec("2", "--unhealthy", replicas=2)
    await processes.apply("op/1", old)
    before = await settled(processes, old)
    await processes.apply("op/2", bad)
    await processes.apply("op/3", old)
    after = await settled(processes, old)
    assert [o.name for o in after.objects] == [o.name for o in before.objects]


async def test_all_at_once_when_the_rollout_allows_it(processes: ProcessRuntime) -> None:
    old = spec("1", replicas=3)
    new = spec("2", replicas=3, rollout=RolloutSettings(max_unavailable="100%", max_surge="100%"))
    await processes.apply("op/1", old)
    await settled(processes, old)
    await processes.apply("op/2", new)
    await settled(processes, new)


async def test_scaling_to_nothing_and_back(home, processes: ProcessRuntime) -> None:
    some, none = spec("1", replicas=2), spec("1", replicas=0)
    await processes.apply("op/1", some)
    address = (await settled(processes, some)).links["address"]
    await processes.apply("op/2", none)
    await settled(processes, none)

    async def ended() -> bool:
        return leaders_of(home) == []

    await eventually("no replica is left", ended)
    await processes.apply("op/3", some)
    assert (await settled(processes, some)).links["address"] == address


@pytest.mark.parametrize(
    "health",
    [
        {"http": "/healthz", "interval": "100ms"},
        {"tcp": True},
        {
            "command": [sys.executable, "-c", "import os,urllib.request as u; u.urlopen(os.environ['SETPOINT_ADDRESS'])"],
            "timeout": "5s",
        },
        None,
    ],
    ids=["http", "tcp", "command", "none"],
)
async def test_every_kind_of_health_check_comes_to_yes(processes: ProcessRuntime, health) -> None:
    wanted = spec("1", health=health)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)


@pytest.mark.parametrize(
    ("health", "why"),
    [
        ({"command": [sys.executable, "-c", "raise SystemExit(4)"], "timeout": 5000}, "exited with 4"),
        ({"command": ["sleep", "60"], "timeout": 200}, "did not end within 200 ms"),
        ({"command": ["/no/such/program"]}, "No such file"),
    ],
)
async def test_a_health_check_that_says_no_is_shown(processes: ProcessRuntime, health, why: str) -> None:
    wanted = spec("1", health=health)
    await processes.apply("op/1", wanted)

    async def shown() -> bool:
        return any(why in o.message and not o.healthy for o in (await processes.observe(wanted.instance, wanted)).objects)

    await eventually(why, shown)


async def test_observing_changes_nothing(home, processes: ProcessRuntime) -> None:
    wanted = spec("1", replicas=2)
    await processes.apply("op/1", wanted)
    seen = await settled(processes, wanted)
    before = {process.pid for process in leaders_of(home)}
    for _ in range(20):
        assert await processes.observe(wanted.instance, wanted) == seen
        await asyncio.sleep(0)
    assert {process.pid for process in leaders_of(home)} == before
