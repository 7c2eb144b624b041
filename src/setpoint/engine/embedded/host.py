"""The embedded engine: one process, one loop, one store.

    decide a pass -> commit it -> perform it        (while one pass is being committed the next one is decided)

Nothing is performed before its cause is committed; commits are in order. When a commit fails, nothing of it is performed,
its posters receive an error, and the memory image is loaded again from what is durable as soon as the journal can be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from setpoint.core import instructions as do
from setpoint.core.facts import AnyFact, Applied, Observed, Unobserved, Woken
from setpoint.engine.embedded.clock import NOTED, STEP, Alarm, HostClock, Jump, clocks, host_clock
from setpoint.engine.embedded.failpoints import Failpoints
from setpoint.engine.embedded.intake import Intake
from setpoint.engine.embedded.lock import HomeLock
from setpoint.engine.embedded.mailbox import Mail, Mailbox
from setpoint.engine.embedded.operations import Effect, Operations
from setpoint.engine.embedded.recovery import load_if_writable, open_and_load, unwritable
from setpoint.engine.embedded.timers import Timers
from setpoint.engine.embedded.turns import Pass, Turns
from setpoint.engine.embedded.waiting import Waiting
from setpoint.engine.embedded.watches import Watches
from setpoint.engine.embedded.world import EngineWorld
from setpoint.engine.errors import EngineDegraded, EngineStopped
from setpoint.engine.health import Health
from setpoint.engine.port import PATIENCE, Clock, Decide, Performer, RecordedTurn, Recording, StateCodec, WatchOf
from setpoint.engine.rehearsal import Committed, Rehearsal
from setpoint.model.time import Duration, Instant
from setpoint.store.following import follow_lines
from setpoint.store.journal import Commit, unpack
from setpoint.store.port import Line, Store, StoreError, StoreLost

log = logging.getLogger("setpoint.engine")

QUEUED = 50_000
"""Facts that may wait for a turn before ``post`` makes its callers wait."""
_SWITCH = 0.0005
"""Seconds after which the interpreter changes threads: the writer must get its few moments while the loop decides."""
_RECOVER = 1.0
_GUARD = 0.5
"""Seconds between two looks at whether the database is still there."""
_GENERATION = 600.0
"""Seconds after which an older copy of the database is distinguished from it, also while the engine runs on."""
_KEEP_STAMP = 6 * 3600.0
"""Seconds after which an idle engine makes a stamp durable: how long it rested is known at the next start."""
_REST: Duration = 5
"""Between two looks at the timers: an entity that always sets a wake-up in the past may spin, but not at full speed."""


class EmbeddedEngine:
    """A host of actors in one process, on a store that it alone opens. Use it as ``async with``, or ``await serve()``.

    ``decide`` is pure, ``codec`` makes bytes, ``performer`` does what is outside, ``watch`` derives a state's standing watch.
    In compressed time the ``clock`` goes ``speed`` times as fast as the real one, and is looked at every ``clock_step``. It is
    the wall clock; a test that gives no ``monotonic`` one has both go by it.
    """

    def __init__(
        self,
        home: Path,
        store: Store,
        *,
        decide: Decide,
        codec: StateCodec,
        performer: Performer,
        watch: WatchOf = lambda _: None,
        clock: Clock | None = None,
        monotonic: Clock | None = None,
        clock_step: Duration = STEP,
        speed: float = 1,
        queued: int = QUEUED,
    ) -> None:
        self.home = home
        self.store = store
        read, self._step = (clocks(clock, monotonic), clock_step) if clock is not None else host_clock()
        self.clock = self._clock = HostClock(read)
        self._speed = speed
        self._decide = decide
        self._codec = codec
        self._performer = performer
        self._watch_of = watch
        self._lock = HomeLock(home)
        self._failpoints = Failpoints.of(os.environ)
        self._mailbox = Mailbox()
        self._timers = Timers()
        self._world = EngineWorld()
        self._intake = Intake(codec, self._clock, queued)
        self._waiting = Waiting()
        self._work = asyncio.Event()
        self._status, self._reason = "starting", ""
        self._turn_count = self._commits = self._rows = 0
        self._uncommitted = 0
        self._next_stamp = time.monotonic() + _KEEP_STAMP
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._lost: StoreLost | None = None

    # --- beginning and end

    async def __aenter__(self) -> Self:
        """Take the data directory, load what is durable, and begin to serve.

        Raises:
            AlreadyRunning: another engine holds the directory.
            StoreDamaged: the journal cannot be read; it is left as it is.
            StoreLost: it is not the one that this data directory had.
            EngineDegraded: the journal cannot be written.
        """
        self._lock.acquire()
        try:
            boot, world = await open_and_load(self.store, self._codec)
        except BaseException:
            await self.store.close()
            self._lock.release()
            raise
        self._alarm = Alarm(self._tick)
        self._look_alarm = Alarm(self._run_watches)
        self._watches = Watches(
            self._performer,
            self._seen,
            self._clock,
            first_look=boot << 32,
            ring=lambda seconds: self._look_alarm.within(seconds / self._speed),
            monotonic=lambda: time.monotonic() * self._speed,
        )
        self._operations = Operations(
            self._performer,
            self._ended,
            clock=self._clock,
            failpoints=self._failpoints,
            is_open=lambda operation: operation in self._world.operations,
            is_wanted=lambda entity: bool(self._world.subscribers.get(entity)),
        )
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        jump = self._clock.start(world.stamp, world.offsets)
        self._install(world)
        self._set(jump)
        self._loop = asyncio.create_task(self._serve(), name="setpoint-engine")
        self._guard = asyncio.create_task(self._guard_database(), name="setpoint-guard")
        self._tick()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take no more work, end what runs (its rows stay open), commit what was decided, let go of the directory."""
        self._stopping = True
        self._alarm.stop()
        try:
            await self._watches.stop()
            await self._operations.stop()
            self._look_alarm.stop()
            self._work.set()
            if self._loop is not None:
                await self._loop
            await self._keep_stamp()
            await self._raise_generation()
        finally:
            if self._guard is not None:
                self._guard.cancel()
            self._fail(EngineStopped("the engine has stopped"))
            sys.setswitchinterval(self._switch_interval)
            self._status = "stopped"
            await self.store.close()
            self._lock.release()

    async def _keep_stamp(self) -> None:
        """The last one, so that a wall clock that is set before the next start takes nothing of what has passed until now."""
        commit = Commit()
        commit.stamp = [self._clock.stamp()]
        try:
            if self._status == "serving":
                await self.store.journal.commit(commit)
        except StoreLost:
            raise
        except StoreError as error:
            log.warning("the clock goes on from an earlier stamp at the next start: %s", unwritable(self.store, error))

    async def serve(self) -> None:
        """Run until cancelled. Raises as ``async with`` does, and whatever ended the engine unexpectedly."""
        async with self:
            if self._loop is not None:
                await asyncio.shield(self._loop)

    # --- the port

    async def post(self, entity: str, fact: AnyFact, *, dedup: str = "") -> None:
        """Deliver a fact; see the port. Waits while too many facts wait already.

        Raises:
            EngineDegraded: the journal cannot be written; nothing was accepted.
            EngineStopped: the engine is not serving.
            ValueError: no entity id, or text that is not Unicode.
        """
        while self._status == "serving" and self._intake.is_full():
            await self._intake.room()
        done = self._put(entity, fact, dedup, urgent=True)
        if done is not None:
            await asyncio.shield(done)

    async def ask(self, entity: str, fact: AnyFact, *, dedup: str = "", within: float = PATIENCE) -> Any:
        """Deliver a fact, and return the committed state after the turn that took it; see the port. Raises as ``post``."""
        while self._status == "serving" and self._intake.is_full():
            await self._intake.room()
        done = self._put(entity, fact, dedup, urgent=True)
        self._mailbox.rouse(self._world.actor(entity), urgent=True)  # a fact seen before brings no mail
        with self._waiting.state(entity, after=self._turns.passes) as taken:
            if done is not None:
                await asyncio.shield(done)
            return await asyncio.wait_for(taken, within)

    async def until(self, entity: str, holds: Callable[[Any], bool], *, within: float = PATIENCE) -> Any:
        """Return the committed state as soon as ``holds`` is true of it; see the port. Raises as ``post``."""
        state = await self.read(entity)
        if holds(state) or self.problem(entity):
            return state
        self._check_serving()
        with self._waiting.state(entity, holds=holds) as found:
            return await asyncio.wait_for(found, within)

    async def post_all(self, facts: Iterable[tuple[str, AnyFact]]) -> None:
        """Deliver many, behind what is urgent; returns when all are durable. Raises as ``post``; then some may be durable."""
        waiting = [self._put(entity, fact, "", urgent=False) for entity, fact in facts]
        for done in waiting:
            if done is not None:
                await asyncio.shield(done)

    async def read(self, entity: str) -> Any:
        """The committed state of an entity; None when it has none."""
        actor = self._world.actors.get(entity)
        return actor.durable if actor is not None else None

    async def scan(self, kind: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, Any]]:
        """Entities of a kind in order of their ids, from after ``after``, with their committed states."""
        return self._world.scan(kind, after, limit)

    async def recorded(self, entity: str) -> Recording | None:
        """See the port. Raises ``msgspec.MsgspecError`` for what this version cannot read, StoreError."""
        rows = await self.store.journal.turns(entity)
        if not rows:
            return None
        first, decode = rows[0], self._codec.decode_fact
        base = None if first.changing is None else self._codec.decode_state(entity, first.fixed or b"", first.changing)
        turns = tuple(RecordedTurn(row.at, tuple(map(decode, unpack(row.facts))), row.digest) for row in rows)
        return Recording(entity, first.number, base, turns)

    def rehearse(self) -> Rehearsal:
        """An engine on a copy of what is committed, that shows what facts would lead to and does nothing."""
        world = self._world

        def state(entity: str) -> Any:
            actor = world.actors.get(entity)
            return actor.durable if actor is not None else None

        return Rehearsal(Committed(state, world.scan, world.publications, world.subscribers), self._decide, self._clock)

    def look(self, entity: str) -> None:
        """A hint that what runs may have changed: look immediately."""
        self._watches.hint(entity)

    async def look_now(self, entity: str) -> int:
        """Look, and return when that has ended: the number of the look if it found a change, which is posted; else 0."""
        return await self._watches.look(entity) if self._status == "serving" else 0

    def problem(self, entity: str) -> str:
        """Why the turns of an entity do not succeed; empty: they do."""
        return self._world.problems.get(entity, "")

    def problems(self) -> dict[str, str]:
        """Every entity with a problem."""
        return dict(self._world.problems)

    def subscribe_events(self, *, after: int | None = None) -> AsyncIterator[Line]:
        """Lines of history as they become durable, from after number ``after`` (None: from now on). Raises UnknownNumber."""
        return follow_lines(self.store, after=after)

    def health(self) -> Health:
        """How the engine is."""
        started = hasattr(self, "_watches")
        return Health(
            status=self._status,
            reason=self._reason,
            entities=len(self._world.actors),
            queued=self._mailbox.mails + self._uncommitted + sum(map(len, self._world.fanouts.values())),
            operations=len(self._world.operations),
            watched=len(self._watches) if started else 0,
            timers=len(self._timers),
            problems=len(self._world.problems),
            turns=self._turn_count,
            commits=self._commits,
            rows=self._rows,
            looks=self._watches.looks if started else 0,
        )

    # --- loading

    def _install(self, world: EngineWorld) -> None:
        """Go on from what is durable, and take up everything that is open."""
        self._world = world
        self._mailbox = Mailbox()
        self._timers.clear()
        self._turns = Turns(
            world,
            self._mailbox,
            self._timers,
            decide=self._decide,
            codec=self._codec,
            clock=self._clock,
            failpoints=self._failpoints,
        )
        self._turns.started = self._operations.started
        self._intake.use(world, self._mailbox, self._turns)
        self._status, self._reason = "serving", ""
        for entity, due in world.wakes.items():
            self._timers.arm(entity, due)
        self._wake_waiting()
        self._take_up()
        self._work.set()

    def _wake_waiting(self) -> None:
        """Facts may have waited for days: a fresh stamp beside them makes the turn's ``now`` today."""
        for actor in self._world.actors.values():
            if actor.pending or actor.aside:
                self._mailbox.mails += len(actor.pending or ())
                self._mailbox.put(actor, Mail(self._clock.stamped(Woken())))

    def _take_up(self) -> None:
        self._operations.forget(self._world.operations)
        applying = {entity for entity, effect in self._world.open if isinstance(effect, do.Apply)}
        for entity, actor in self._world.actors.items():
            watch = self._watch_of(actor.state) if actor.state is not None and entity not in applying else None
            if watch is not None:
                self._watches.set(entity, watch)
            else:
                self._watches.unset(entity)
        for entity, effect in self._world.open:
            if isinstance(effect, do.Apply | do.RunCheck | do.RunTask):
                self._operations.start(entity, effect)
        self._world.open.clear()

    # --- facts come in

    def _put(self, entity: str, fact: AnyFact, dedup: str, *, urgent: bool) -> asyncio.Future[None] | None:
        self._check_serving()
        done = self._intake.take(entity, fact, dedup, urgent=urgent)
        self._work.set()
        return done

    def _check_serving(self) -> None:
        if self._status == "degraded":
            raise EngineDegraded(self._reason)
        if self._status != "serving" or self._stopping:
            raise EngineStopped("the engine is not serving")

    def _fail(self, error: Exception) -> None:
        self._intake.fail(error)
        self._waiting.fail(error)

    def _seen(self, entity: str, fact: Observed | Unobserved) -> None:
        if self._status == "serving":
            self._mailbox.put(self._world.actor(entity), Mail(fact))
            self._work.set()

    def _ended(self, entity: str, effect: Effect, fact: AnyFact) -> None:
        if self._status != "serving" or effect.operation not in self._world.operations:
            return
        self._mailbox.put(self._world.actor(entity), Mail(fact, operation=effect.operation), urgent=True)
        if isinstance(effect, do.Apply) and isinstance(fact, Applied) and not fact.error:
            self._watches.set(entity, effect.watch)
        self._work.set()

    # --- the alarm

    def _tick(self) -> None:
        """Wake who is due. Once the wall clock was set, that is everyone: they may wait for a time on it."""
        self._set(self._clock.look())
        now = self._clock()
        if self._status == "serving":
            if self._intake.sweep(now):
                self._work.set()
            self._wake(self._timers.take(now))
            if time.monotonic() > self._next_stamp:
                self._next_stamp = time.monotonic() + _KEEP_STAMP
                self._turns.keep_stamp = True
                self._work.set()
        self._ring_for_timers(now)

    def _wake(self, entities: Iterable[str]) -> None:
        for entity in entities:
            self._mailbox.put(self._world.actor(entity), Mail(self._clock.stamped(Woken())))
            self._work.set()

    def _set(self, jump: Jump | None) -> None:
        """The wall clock was set, or not."""
        if jump is None:
            return
        self._turns.offsets.append(self._clock.newest)
        if abs(jump.by) >= NOTED:
            log.warning("%s", jump)
            self._turns.jumps.append(jump)
            self._work.set()
        self._wake(self._timers.take_all())

    def _ring_for_timers(self, now: Instant) -> None:
        due = self._timers.next()
        wait = self._step if due is None else min(self._step, max(due - now, _REST))
        self._alarm.within(wait / 1000)

    def _run_watches(self) -> None:
        if self._status == "serving" and not self._stopping:
            self._watches.run()

    # --- the loop

    async def _serve(self) -> None:
        try:
            await self._passes()
        except BaseException as error:
            lost = isinstance(error, StoreLost)
            self._status = "stopped"
            self._reason = str(error) if lost else f"the engine broke: {type(error).__name__}: {error}"
            log.critical("%s", self._reason, exc_info=None if lost else error)
            self._fail(EngineStopped(self._reason))
            raise

    async def _passes(self) -> None:
        committing: asyncio.Task[None] | None = None
        current: Pass | None = None
        while True:
            if self._lost is not None:
                raise self._lost
            decided = self._turns.run() if not self._stopping or self._mailbox.unsaved else None
            try:
                if committing is not None and current is not None:
                    await committing
                    self._committed(current)
                committing, current = None, None
            except StoreLost:
                raise
            except StoreError as error:
                committing, current = None, None
                await self._degrade(error)
                if self._stopping:
                    return
                continue
            self._uncommitted = decided.turns if decided else 0
            if decided:
                self._ring_for_timers(self._clock())
                current = decided
                committing = asyncio.create_task(self._commit(decided))
                await asyncio.sleep(0)
            elif self._stopping:
                return
            else:
                await self._idle()

    async def _idle(self) -> None:
        if not self._mailbox and not self._world.fanouts and not self._world.long and not self._turns.wants_pass():
            self._work.clear()
            await self._work.wait()

    async def _commit(self, decided: Pass) -> None:
        if decided.writes:
            await self.store.journal.commit(decided.writes, written=self._before_commit)
            self._commits += 1
            self._rows += decided.writes.rows

    def _before_commit(self) -> None:
        self._failpoints.hit("before-commit")

    def _committed(self, decided: Pass) -> None:
        self._failpoints.hit("after-commit")
        for kind in decided.results:
            self._failpoints.hit("after-result", kind)
        for actor, state in decided.touched:
            actor.durable = state
        self._waiting.committed(decided.number, decided.turned, self._world.problems)
        self._turn_count += decided.turns
        for operation in decided.writes.operations_gone:
            self._operations.committed(operation)
        for done in decided.done:
            if not done.done():
                done.set_result(None)
        if not self._stopping:
            for entity, instruction in decided.perform:
                self._perform(entity, instruction)
        self._intake.make_room()

    def _perform(self, entity: str, instruction: Any) -> None:
        match instruction:
            case do.Watch():
                self._watches.set(entity, instruction)
            case do.Unwatch():
                self._watches.unset(entity)
            case do.Apply():
                self._watches.pause(entity, instruction.operation)
                if instruction.operation in self._world.operations:
                    self._operations.start(entity, instruction)
            case do.RunCheck() | do.RunTask():
                if instruction.operation in self._world.operations:
                    self._operations.start(entity, instruction)
            case do.Cancel():
                self._watches.unpause(entity, instruction.operation)

    # --- when the journal is gone, or cannot be written

    async def _guard_database(self) -> None:
        """Look at the file also while nothing is written, and keep the marker beside it near."""
        raised, commits = time.monotonic(), 0
        while self._lost is None:
            await asyncio.sleep(_GUARD)
            try:
                self.store.look()
                if time.monotonic() - raised > _GENERATION and self._commits > commits:
                    raised, commits = time.monotonic(), self._commits
                    await self._raise_generation()
            except StoreLost as error:
                self._lost = error
                self._work.set()

    async def _raise_generation(self) -> None:
        try:
            await self.store.keep_generation()
        except StoreLost:
            raise
        except StoreError as error:
            log.warning("how far the database has come could not be written down: %s", error)

    async def _degrade(self, error: StoreError) -> None:
        self._status = "degraded"
        self._reason = unwritable(self.store, error)
        log.critical("%s", self._reason)
        self._fail(EngineDegraded(self._reason))
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                self._work.clear()
                await asyncio.wait_for(self._work.wait(), _RECOVER)
            found = await load_if_writable(self.store, self._codec)
            if isinstance(found, str):
                self._reason = found
            else:
                self._install(found)
                self._wake(self._timers.take_all())
                self._look_alarm.within(0)
                log.warning("the journal can be written again; everything durable was loaded again")
                return
