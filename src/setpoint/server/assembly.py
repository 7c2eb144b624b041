"""Puts an engine together: core, codec, adapters, control – the same for `setpoint up` and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from setpoint.compilation.compilers import Compilers
from setpoint.control.audit import Audit
from setpoint.control.context import Services
from setpoint.control.control import Control
from setpoint.control.people import People
from setpoint.control.stores import Stores
from setpoint.core.decide import decide, watch
from setpoint.core.instructions import Apply, RunCheck, RunTask, Watch
from setpoint.core.recording.codec import Codec
from setpoint.engine.effects import MakeRuntime, RealEffects, runtime_adapters
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.embedded.clock import STEP
from setpoint.engine.port import Clock
from setpoint.model.checks import CheckResult
from setpoint.model.observation import Observation
from setpoint.model.tasks import TaskResult
from setpoint.model.time import Duration
from setpoint.plugins.protection import Protection
from setpoint.protections.registry import load as load_protections
from setpoint.server.storage import store_of
from setpoint.store.port import RecoveryDecision


class _Late:
    """Stands in for the effects until there are some, and until they know the runtimes of the configuration in force.

    What is open at a start waits here: a runtime that is not known *yet* must not look like one that cannot be reached.
    """

    def __init__(self) -> None:
        self.effects: RealEffects | None = None
        self.ready = asyncio.Event()

    async def apply(self, entity: str, instruction: Apply) -> None:
        await (await self._known()).apply(entity, instruction)

    async def check(self, entity: str, instruction: RunCheck) -> CheckResult:
        return await (await self._known()).check(entity, instruction)

    async def task(self, entity: str, instruction: RunTask) -> TaskResult:
        return await (await self._known()).task(entity, instruction)

    async def look(self, entity: str, watch: Watch) -> Observation:
        return await (await self._known()).look(entity, watch)

    async def _known(self) -> RealEffects:
        await self.ready.wait()
        assert self.effects is not None  # noqa: S101 - set before anybody is ready
        return self.effects


@asynccontextmanager
async def running(
    home: Path,
    *,
    clock: Clock | None = None,
    monotonic: Clock | None = None,
    clock_step: Duration = STEP,
    speed: float = 1,
    runtimes: Mapping[str, MakeRuntime] | None = None,
    protections: Mapping[str, Protection] | None = None,
    recovery: RecoveryDecision = RecoveryDecision.NONE,
    compilers: Compilers | None = None,
) -> AsyncIterator[Control]:
    """A serving engine with its control, until the block ends; clocks and ``speed`` as in ``EmbeddedEngine``.

    ``compilers`` that are given stay open.

    Raises:
        AlreadyRunning, StoreDamaged, StoreLost: see ``EmbeddedEngine``.
    """
    late = _Late()
    store = store_of(home, recovery)
    engine = EmbeddedEngine(
        home,
        store,
        decide=decide,
        codec=Codec(),
        performer=late,
        watch=watch,
        clock=clock,
        monotonic=monotonic,
        clock_step=clock_step,
        speed=speed,
    )
    stores = Stores.of(store)
    effects = late.effects = RealEffects(
        home,
        stores.content,
        runtimes=runtime_adapters() if runtimes is None else runtimes,
        protections=load_protections() if protections is None else protections,
        hint=engine.look,
    )
    people, audit = People(stores.records), Audit(stores.records)
    compiling = compilers or Compilers()
    control = Control(Services(home, engine, effects, stores, people, audit, compiling, clock=engine.clock.wall))
    async with engine:
        try:
            compiling.start()
            await control.start(adopted=late.ready.set)
            yield control
        finally:
            await control.stop()
            await effects.close()
            if compilers is None:
                await asyncio.to_thread(compiling.close)
