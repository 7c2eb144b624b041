"""The process runtime tells what changes as it happens: whichever supervisor runs, and nothing while nothing happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from tests.runtimes.helpers import INSTANCE, eventually, leaders_of, processes_of, settled, spec, supervision_of

from setpoint.model.observation import Observation
from setpoint.model.spec import Spec
from setpoint.runtimes.process import ProcessRuntime, shutdown

QUIET = 2.0
SOON = 0.5


class Ear:
    """Listens all the time and keeps what it heard."""

    def __init__(self, runtime: ProcessRuntime) -> None:
        self.heard: list[str] = []
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._listen(runtime))

    async def _listen(self, runtime: ProcessRuntime) -> None:
        async for name in runtime.changes():
            self.heard.append(name)
            self.news.set()

    async def next(self, within: float = 5.0) -> None:
        """Until something new is told."""
        async with asyncio.timeout(within):
            await self.news.wait()
        self.news.clear()

    async def quiet(self, seconds: float = SOON) -> None:
        """Until nothing was told for so long."""
        while True:
            self.news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self.news.wait()
            except TimeoutError:
                return


@pytest.fixture
async def ear(processes: ProcessRuntime) -> AsyncIterator[Ear]:
    ear = Ear(processes)
    yield ear
    assert not ear.task.done(), "listening never ends by itself"
    ear.task.cancel()
    await asyncio.gather(ear.task, return_exceptions=True)


async def seen_when_told(ear: Ear, runtime: ProcessRuntime, wanted: Spec) -> Observation:
    """Looks only when told to, until all is well."""
    while True:
        await ear.next()
        seen = await runtime.observe(INSTANCE, wanted)
        if seen.complete and all(replica.healthy for replica in seen.objects):
            return seen


async def test_who_looks_only_when_told_sees_it_start_break_and_recover(processes: ProcessRuntime, ear: Ear, home: Path) -> None:
    wanted = spec("1", "--slow-start", "0.3", replicas=2)
    await processes.apply("op/1", wanted)
    await seen_when_told(ear, processes, wanted)
    await ear.quiet()
    victim, _ = leaders_of(home)
    victim.kill()
    await ear.next(within=SOON)
    assert not (await processes.observe(INSTANCE, wanted)).complete
    await seen_when_told(ear, processes, wanted)


async def test_a_replica_that_becomes_healthy_is_told_of_at_once(processes: ProcessRuntime, ear: Ear) -> None:
    wanted = spec("1", "--slow-start", "0.5")
    await processes.apply("op/1", wanted)
    polled = asyncio.create_task(_time_of(settled(processes, wanted)))
    told = await _time_of(seen_when_told(ear, processes, wanted))
    assert told - await polled < SOON


async def _time_of(event: Awaitable[object]) -> float:
    await event
    return time.monotonic()


async def test_nothing_is_told_while_nothing_changes_and_what_is_used_is_no_change(processes: ProcessRuntime, ear: Ear) -> None:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    await ear.quiet()
    before = len(ear.heard)
    await processes.apply("op/2", wanted)
    await processes.usage(INSTANCE)
    await asyncio.sleep(QUIET)
    assert len(ear.heard) == before


async def test_many_changes_at_once_are_told_as_few(processes: ProcessRuntime, ear: Ear) -> None:
    began = time.monotonic()
    for number in range(30):
        await processes.apply(f"op/{number}", spec(str(number), replicas=1 + number % 3))
    await settled(processes, spec("29", replicas=1 + 29 % 3))
    await ear.quiet()
    assert 0 < len(ear.heard) <= 2 + 20 * (time.monotonic() - began)


async def test_only_what_changed_is_named_and_what_is_taken_down_too(processes: ProcessRuntime, ear: Ear) -> None:
    other = spec(instance="shop/web@production")
    await processes.apply("op/1", spec())
    await processes.apply("op/2", other)
    await settled(processes, spec())
    await settled(processes, other)
    await ear.quiet()
    ear.heard.clear()
    await processes.remove("op/3", other.instance)
    await ear.next(within=SOON)

    async def taken_down() -> bool:
        return (await processes.observe(other.instance, None)) == Observation()

    await eventually("it is taken down", taken_down)
    await ear.quiet()
    assert set(ear.heard) == {other.instance}


async def test_a_supervisor_that_is_killed_is_followed_by_the_next(processes: ProcessRuntime, ear: Ear, home: Path) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await ear.quiet()
    _, supervisor = supervision_of(home)
    supervisor.kill()
    await ear.next()
    await settled(processes, spec())
    await ear.quiet()
    [leader] = leaders_of(home)
    leader.kill()
    await ear.next(within=SOON)


async def test_when_guardian_and_supervisor_are_killed_both_are_started_again(
    processes: ProcessRuntime, ear: Ear, home: Path
) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await ear.quiet()
    former = supervision_of(home)
    for process in former:
        process.suspend()
    for process in former:
        process.kill()
    await ear.next()
    await settled(processes, spec())
    assert set(supervision_of(home)).isdisjoint(former)
    [leader] = leaders_of(home)
    await ear.quiet()
    leader.kill()
    await ear.next(within=SOON)


async def test_after_a_shutdown_none_is_started(processes: ProcessRuntime, ear: Ear, home: Path) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await ear.quiet()
    await shutdown(home)
    await ear.next()
    ear.heard.clear()
    await asyncio.sleep(SOON)
    assert (ear.heard, processes_of(home)) == ([], [])
    await processes.apply("op/2", spec())
    await ear.next()


async def test_one_that_somebody_else_started_is_heard_after_the_next_look(
    processes: ProcessRuntime, ear: Ear, home: Path
) -> None:
    await ProcessRuntime({}, home).apply("op/1", spec())
    assert not ear.heard
    await processes.observe(INSTANCE, spec())
    await ear.next(within=SOON)


async def test_who_listens_does_not_keep_the_supervisor_from_ending_at_once(
    processes: ProcessRuntime, ear: Ear, home: Path
) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await ear.quiet()
    await shutdown(home)
    assert processes_of(home) == []
    await ear.next()
