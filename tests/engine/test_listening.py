"""A runtime that tells what changes is looked at when it says so; how badly it tells costs nobody else anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.engine import toy
from tests.engine.toy import Outside, tell
from tests.support.eventually import eventually

from setpoint.core.instructions import Watch
from setpoint.engine import listening
from setpoint.engine.effects import RealEffects, RuntimeDefinition
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.embedded.clock import HostClock, clocks
from setpoint.engine.embedded.watches import LOOKS, Watches
from setpoint.model.observation import Observation
from setpoint.model.spec import Spec
from setpoint.store.sqlite import SqliteStore

WEB = "saas/web@production"
DAY = 86_400_000
TELLING = {"local": RuntimeDefinition("telling")}


class TellingRuntime:
    """Tells what it is told to; an exception is raised, None ends it."""

    def __init__(self, options: dict[str, Any], home: Path) -> None:
        self.options = options
        self.home = home
        self.news: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self.listeners = 0
        self.listened = 0
        self.listeners_at_close: int | None = None

    async def changes(self) -> AsyncGenerator[str, None]:
        self.listeners += 1
        self.listened += 1
        try:
            while (news := await self.news.get()) is not None:
                if isinstance(news, BaseException):
                    raise news
                yield news
        finally:
            self.listeners -= 1

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        return Observation()

    async def close(self) -> None:
        self.listeners_at_close = self.listeners


def _listened(runtime: TellingRuntime, times: int) -> bool:
    return runtime.listened == times


class BabblingRuntime(TellingRuntime):
    """Has always something to tell."""

    async def changes(self) -> AsyncGenerator[str, None]:
        while True:
            yield WEB


class SilentRuntime:
    """Is polled, as most are."""

    def __init__(self, options: dict[str, Any], home: Path) -> None:
        self.options = options

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        return Observation()

    async def close(self) -> None:
        """Holds nothing."""


MAKERS: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "telling": TellingRuntime,
    "babbling": BabblingRuntime,
    "silent": SilentRuntime,
}


class World:
    """Effects over runtimes that tell, and the hints they gave."""

    def __init__(self, home: Path) -> None:
        self.store = SqliteStore(home / "setpoint.db")
        self.store.database.open()
        self.hints: list[str] = []
        self.effects = RealEffects(home, self.store.content, runtimes=MAKERS, protections={}, hint=self.hints.append)

    async def begin(self) -> Any:
        """The runtime that is listened to."""
        await self.effects.set_runtimes(TELLING, {WEB: "local"})
        await self.effects.look(f"instance:{WEB}", Watch(1, 1000))
        runtime: Any = self.effects.runtime("local")
        await eventually(lambda: runtime.listeners == 1)
        return runtime


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.effects.close()
    world.store.database.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("listening")]


async def test_what_a_runtime_tells_of_is_looked_at(world: World) -> None:
    runtime = await world.begin()
    runtime.news.put_nowait(WEB)
    await eventually(lambda: world.hints == [f"instance:{WEB}"])


async def test_a_runtime_that_breaks_is_listened_to_again_and_said_to_be_broken(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "FIRST_DELAY", 0.01)
    runtime = await world.begin()
    for number, error in enumerate((RuntimeError("lost it"), asyncio.CancelledError(), ValueError("again")), start=2):
        runtime.news.put_nowait(error)
        await eventually(partial(_listened, runtime, number))
    runtime.news.put_nowait(WEB)
    await eventually(lambda: world.hints == [f"instance:{WEB}"])
    assert [record.levelno for record in caplog.records if "lost it" in record.getMessage()] == [logging.ERROR]
    assert isinstance(await world.effects.look(f"instance:{WEB}", Watch(1, 1000)), Observation)


async def test_pauses_between_two_breaks_grow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "FIRST_DELAY", 0.05)
    loop = asyncio.get_running_loop()
    runtime = await world.begin()
    began = loop.time()
    for number in (2, 3, 4):
        runtime.news.put_nowait(RuntimeError("lost it"))
        await eventually(partial(_listened, runtime, number))
    assert loop.time() - began >= 0.05 + 0.1 + 0.2


async def test_a_runtime_that_will_tell_no_more_is_polled_only(world: World) -> None:
    runtime = await world.begin()
    runtime.news.put_nowait(None)
    await eventually(lambda: not runtime.listeners)
    await asyncio.sleep(0.05)
    assert runtime.listened == 1


async def test_a_runtime_that_babbles_keeps_nobody_from_working(world: World) -> None:
    await world.effects.set_runtimes({**TELLING, "noise": RuntimeDefinition("babbling")}, {WEB: "noise"})
    await world.effects.look(f"instance:{WEB}", Watch(1, 1000))
    world.effects.runtime("local")
    async with asyncio.timeout(1):
        for _ in range(100):
            await world.effects.look(f"instance:{WEB}", Watch(1, 1000))


async def test_a_runtime_whose_definition_changes_is_let_go_and_its_successor_heard_at_once(world: World) -> None:
    former = await world.begin()
    await world.effects.set_runtimes({"local": RuntimeDefinition("telling", {"size": 2})}, {WEB: "local"})
    assert former.listeners_at_close == 0, "listening ends before the runtime is closed"
    successor: Any = world.effects.runtime("local")
    assert successor is not former
    await eventually(lambda: successor.listeners == 1)
    await world.effects.set_runtimes({}, {})
    assert successor.listeners_at_close == 0


async def test_a_runtime_that_does_not_change_is_listened_to_without_a_break(world: World) -> None:
    runtime = await world.begin()
    await world.effects.set_runtimes({**TELLING, "other": RuntimeDefinition("silent")}, {WEB: "local"})
    world.effects.runtime("other")
    assert (runtime.listened, runtime.listeners) == (1, 1)


async def test_after_the_end_nobody_is_listened_to_also_not_for_a_last_look(world: World) -> None:
    await world.begin()
    await world.effects.close()
    late: Any = world.effects.runtime("local")
    await asyncio.sleep(0.01)
    assert late.listened == 0


async def test_a_settled_instance_is_seen_at_once_when_its_runtime_tells(tmp_path: Path) -> None:
    outside = Outside()
    parts = {"decide": toy.decide, "codec": toy.ToyCodec(), "performer": outside, "watch": toy.watch}
    entity = f"instance:{WEB}"
    store = SqliteStore(tmp_path / "setpoint.db")
    async with EmbeddedEngine(tmp_path, store, **parts) as engine:  # type: ignore[arg-type]
        effects = RealEffects(tmp_path, store.content, runtimes=MAKERS, protections={}, hint=engine.look)
        await effects.set_runtimes(TELLING, {WEB: "local"})
        runtime: Any = effects.runtime("local")
        await engine.post(entity, tell("settle", ("watch", 1, DAY)))
        await eventually(lambda: outside.looks[entity] == 1)
        outside.shown[entity] = "another"
        runtime.news.put_nowait("saas/unknown@x")
        runtime.news.put_nowait(WEB)

        async def seen() -> bool:
            return "observed:1:another" in (await engine.read(entity)).story

        await eventually(seen, within=1)
        await effects.close()
        assert not runtime.listeners


async def test_those_that_are_told_of_all_the_time_do_not_keep_others_from_being_polled_nor_pile_up() -> None:
    outside = Outside()
    still = HostClock(clocks(lambda: 0, None))
    watches = Watches(outside, lambda *_: None, still, first_look=0, ring=lambda _: None)
    babblers = [f"instance:saas/{number}@x" for number in range(2 * LOOKS)]
    watches.set("instance:saas/polled@x", Watch(1, 10))
    for entity in babblers:
        watches.set(entity, Watch(1, DAY))

    async def babble() -> bool:
        for entity in babblers:
            watches.hint(entity)
        watches.run()
        await asyncio.sleep(0)
        return outside.looks["instance:saas/polled@x"] >= 5 and outside.looks[babblers[-1]] >= 20

    await eventually(babble, every=0)
    assert len(watches._heap) < 3 * len(babblers), "what no longer counts is forgotten"
    await watches.stop()
