"""The simulated host: delivers facts, makes turns durable, keeps timers – and breaks on purpose.

All random decisions come from ``rng``, so a seed replays exactly. Virtual time jumps from event to event, and the
engine's steady clock shows it; the wall clock may be set apart from it (§10.17). What will happen is data (``_heap``), so that a
world can be copied and explored.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.core.decide import decide, watch
from setpoint.core.facts import (
    AnyFact,
    Applied,
    CheckFinished,
    CheckUnwanted,
    Observed,
    TaskFinished,
    Unobserved,
    Woken,
)
from setpoint.core.instructions import (
    AnyInstruction,
    Cancel,
    Decision,
    Event,
    Record,
)
from setpoint.core.recording.codec import Codec
from setpoint.core.routing import Message, route, stamped
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant, Stamp
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.effects import Effects
from setpoint.simulate.world.faults import NO_FAULTS, Fault, FaultInjector, Faults
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Runtimes
from setpoint.simulate.world.tasks import Tasks

if TYPE_CHECKING:
    from setpoint.simulate.world.act import Act

START: Instant = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
KEPT_TURNS = 2_000
VOLATILE = (Applied, CheckFinished, CheckUnwanted, TaskFinished, Observed, Unobserved)
"""Facts of effects: not durable before a turn has taken them; a crash loses them, and the effect is performed again."""
LONGEST_DELAY = 2 * MINUTE
"""Most facts that are late come within a sixth of it."""


@dataclass(slots=True)
class TurnRecord:
    """One turn, as history keeps it for the invariants and for the timeline of a failure."""

    number: int
    now: Instant
    """When it was taken; what the engine went by is in the stamps of ``facts``."""
    entity: str
    facts: tuple[AnyFact, ...]
    before: Any
    decision: Decision


@dataclass
class World:
    """All entities of one simulated engine."""

    rng: Rng
    runtimes: Runtimes
    checks: Checks
    faults: Faults = NO_FAULTS
    check: Callable[[World, TurnRecord], None] | None = None
    script: frozenset[Fault] | None = None
    """Just these faults strike, instead of chance ones."""
    on_record: Callable[[str, str], None] | None = None
    """Called with every line of history: (entity, kind)."""
    performs: Callable[[Act], None] | None = None
    """Performs acts when their time has come."""
    now: Instant = START
    """True time, which the engine's steady clock shows: it never goes back."""
    offset: Duration = 0
    """What the wall clock shows beyond it."""
    states: dict[str, Any] = field(default_factory=dict)
    turns: int = 0
    crashes: int = 0
    history: deque[TurnRecord] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))
    events: list[tuple[Instant, str, Any]] = field(default_factory=list)
    """History lines: (when, entity, event)."""

    def __post_init__(self) -> None:
        self.fault_injector = FaultInjector(self.rng, self.faults, lambda: self.now, self.script)
        self.tasks = Tasks()
        self.effects = Effects(self)
        self.inbox: dict[str, list[AnyFact]] = {}
        self.subscribers: dict[str, dict[str, None]] = {}
        self.publications: dict[str, AnyFact] = {}
        self.wakes: dict[str, Instant] = {}
        """Entity -> when it is woken."""
        self.wall_was_set = False
        self.rests: list[tuple[Instant, Duration]] = []
        """When the engine started again after some time, and after how much."""
        self.ever_late = bool(self.faults.delay or self.faults.duplicate or self.faults.crash)
        self._ready: list[tuple[int, int, str]] = []
        """Whose turn is next: (priority, number, entity)."""
        self._heap: list[tuple[Instant, int, int, str, tuple[Any, ...]]] = []
        """What will happen: (when, number, crashes survived or -1, what, with what)."""
        self._number = 0
        self._codec = Codec()

    # --- what tests and people do ---------------------------------------------------------------------------------------

    @property
    def injected(self) -> int:
        """Faults that changed a delivery, a result or a crash."""
        return self.fault_injector.total

    def post(self, entity: str, fact: AnyFact) -> None:
        """Deliver a fact, stamped now."""
        self._deliver(entity, stamped(fact, Stamp(self.now, self.offset)))

    def at(self, when: Instant, action: Callable[[], object]) -> None:
        """Do something at a time."""
        self.plan(when, "call", (action,))

    def plan(self, when: Instant, what: str, arguments: tuple[Any, ...], *, dies: bool = False) -> None:
        """Let something happen at a time; what ``dies`` happens only if the engine does not crash before."""
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, self.crashes if dies else -1, what, arguments))

    def run(self, until: Instant, most_turns: int = 10_000_000) -> None:
        """Let the world go on until nothing happens before ``until``."""
        most = self.turns + most_turns
        while self.turns < most:
            if self._ready:
                self._turn()
            elif not self._jump(until):
                return

    def turn_fair(self) -> None:
        """No fault strikes any more."""
        self.fault_injector.levels = Faults(split=0.3)
        self.fault_injector.script = None

    def rested(self, since: Instant) -> Duration:
        """For how long, in all, no engine ran since a time: what waited meanwhile has old stamps."""
        return sum(by for when, by in self.rests if when >= since) if self.rests else 0

    # --- time ------------------------------------------------------------------------------------------------------------

    def _jump(self, until: Instant) -> bool:
        heap = self._heap
        if not heap or heap[0][0] > until:
            self.now = max(self.now, until)
            return False
        when, _, life, what, arguments = heapq.heappop(heap)
        self.now = max(self.now, when)
        if what == "wake":
            self._wake(*arguments)
        elif life in {-1, self.crashes}:
            self._happen(what, arguments)
        return True

    def _happen(self, what: str, arguments: tuple[Any, ...]) -> None:
        if what == "call":
            arguments[0]()
        elif what == "act":
            assert self.performs is not None  # noqa: S101 - set by what plans acts
            self.performs(arguments[0])
        elif what == "deliver":
            self._delivered_late(*arguments)
        else:
            self.effects.happen(what, arguments)

    def _wake(self, entity: str, due: Instant) -> None:
        if self.wakes.get(entity) != due:
            return
        del self.wakes[entity]
        self._enqueue(entity, Woken(at=self.now, offset=self.offset))

    def _arm(self, entity: str, due: Instant) -> None:
        self.wakes[entity] = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, -1, "wake", (entity, due)))

    def set_clock(self, by: Duration) -> None:
        """The wall clock goes forward or back. The host wakes everyone who waits: they may wait for a time on it."""
        self.wall_was_set = True
        self.offset += by
        for entity in list(self.wakes):
            del self.wakes[entity]
            self._enqueue(entity, Woken(at=self.now, offset=self.offset))

    def sleep(self, lasts: Duration) -> None:
        """The machine is suspended: its steady clock stands still, and everything outside of it goes on meanwhile."""
        self._heap = [
            (when if what == "wake" else max(self.now, when - lasts), number, life, what, arguments)
            for when, number, life, what, arguments in self._heap
        ]
        heapq.heapify(self._heap)
        self.set_clock(lasts)

    def rest(self, by: Duration) -> None:
        """The wall clock is believed about the time without an engine up to a day, and never that it went back."""
        counted = min(max(by, 0), DAY)
        if counted:
            self.now += counted
            self.rests.append((self.now, counted))
        if by != counted:
            self.set_clock(by - counted)

    # --- one turn -------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        entity = heapq.heappop(self._ready)[2]
        if entity in self.inbox:
            self.take_turn(entity, self._take(entity))

    def take_turn(self, entity: str, facts: list[AnyFact]) -> None:
        """One turn of one entity with these facts."""
        before = self.states.get(entity)
        stamp = facts[0].at if len(facts) == 1 else max(fact.at for fact in facts)
        decision = self.decided(entity, before, facts, stamp)
        if decision is None:
            return
        self.turns += 1
        turn = TurnRecord(self.turns, self.now, entity, tuple(facts), before, decision)
        self.history.append(turn)
        self.states[entity] = decision.state
        self.effects.recorded(facts)
        wake = decision.wake_at
        if wake is None:
            self.wakes.pop(entity, None)
        elif self.wakes.get(entity) != wake:
            self._arm(entity, max(wake, self.now + 1))
        performing = self._make_durable(entity, decision.instructions) if decision.instructions else ()
        if self.check:
            self.check(self, turn)
        if self.fault_injector.strikes("crash", entity):
            self.fault_injector.counts("crash")
            self.crash()
        else:
            for instruction in performing:
                self.effects.perform(entity, instruction)

    def decided(self, entity: str, before: Any, facts: Sequence[AnyFact], now: Instant) -> Decision | None:
        """One turn of the core; None for one that raised: its entity stays as it was, and no other entity notices."""
        return decide(entity, before, facts, now)

    def _take(self, entity: str) -> list[AnyFact]:
        waiting = self.inbox.pop(entity)
        if len(waiting) == 1:
            return waiting
        if self.fault_injector.strikes("reorder", entity):
            waiting = self._shuffled(entity, waiting)
        split = self.fault_injector.levels.split
        if split and self.rng.chance(split, "split", entity):
            count = self.rng.between(1, len(waiting) - 1, "first", entity)
            self.inbox[entity] = waiting[count:]
            self._ready_for(entity)
            waiting = waiting[:count]
        return waiting

    def _shuffled(self, entity: str, waiting: list[AnyFact]) -> list[AnyFact]:
        turned = sorted(waiting, key=lambda _: self.rng.roll("shuffle", entity))
        if any(a is not b and a != b for a, b in zip(turned, waiting, strict=True)):
            self.fault_injector.counts("reorder")
        return turned

    def _make_durable(self, entity: str, instructions: tuple[AnyInstruction, ...]) -> list[AnyInstruction]:
        performing: list[AnyInstruction] = []
        for instruction in instructions:
            if isinstance(instruction, Record):
                self._record(entity, instruction.event)
            elif isinstance(instruction, Message):
                self._exchange(entity, instruction)
            else:
                self.effects.accept(entity, instruction)
                performing.append(instruction)
        return performing

    def _record(self, entity: str, event: Event) -> None:
        self.events.append((self.now, entity, event))
        if self.on_record:
            self.on_record(entity, event.kind)

    def _exchange(self, entity: str, message: Message) -> None:
        fact, receivers, _ = route(entity, message, self.subscribers, self.publications, Stamp(self.now, self.offset))
        if fact is not None:
            for receiver in receivers:
                self._deliver(receiver, fact)

    # --- deliveries ------------------------------------------------------------------------------------------------------

    def _deliver(self, entity: str, fact: AnyFact) -> None:
        if twice := self.fault_injector.strikes("duplicate", entity):
            self._later(entity, fact, twice)
        if late := self.fault_injector.strikes("delay", entity):
            self._later(entity, fact, late)
        else:
            self._enqueue(entity, fact)

    def _later(self, entity: str, fact: AnyFact, fault: Fault) -> None:
        longest = self.rng.amount(0, 9, "long", entity, fault.nth)
        most = 20 * SECOND if longest else LONGEST_DELAY
        delay = self.rng.amount(1, most, fault.kind, entity, fault.nth)
        self.plan(self.now + delay, "deliver", (entity, fact, fault.kind), dies=isinstance(fact, VOLATILE))

    def _delivered_late(self, entity: str, fact: AnyFact, kind: str) -> None:
        if not any(fact is waiting for waiting in self.inbox.get(entity, ())):
            self.fault_injector.counts(kind)
        self._enqueue(entity, fact)

    def _enqueue(self, entity: str, fact: AnyFact) -> None:
        waiting = self.inbox.get(entity)
        if waiting is None:
            self.inbox[entity] = [fact]
            self._ready_for(entity)
        else:
            waiting.append(fact)

    def _ready_for(self, entity: str) -> None:
        self._number += 1
        heapq.heappush(self._ready, (self.rng.roll("order", entity), self._number, entity))

    # --- crashes --------------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Kill -9 and start again: what was durable stays, open operations start again, every instance is observed first."""
        self.crashes += 1
        self.effects.forget()
        self._lose()
        if fault := self.fault_injector.strikes("clock", "engine"):
            self.fault_injector.counts("clock")
            most = (2 * DAY, HOUR)[far] if (far := self.rng.amount(0, 9, "far", "engine", fault.nth)) < 2 else MINUTE
            self.rest(self.rng.amount(-most, most, "set", "engine", fault.nth) or SECOND)
        for entity, state in list(self.states.items()):
            fixed, changing = self._codec.encode_state(entity, state, None)
            restored = self._codec.decode_state(entity, fixed or b"", changing)
            if restored != state:
                raise AssertionError(f"{entity} is not the same after a restart")
            self.states[entity] = restored
            standing = watch(restored)
            if standing:
                self.effects.watch(entity, standing.number, standing.every)
        self.effects.again()

    def _lose(self) -> None:
        """What an effect posted and no turn has taken is lost; what people and entities sent is not."""
        for entity, waiting in list(self.inbox.items()):
            kept: list[AnyFact] = [fact for fact in waiting if not isinstance(fact, VOLATILE)]
            if kept:
                self.inbox[entity] = kept
            else:
                del self.inbox[entity]

    def hint(self, entity: str) -> None:
        """Something changed at the runtime: the next look of the standing watch sees it."""
        self.effects.hint(entity)


def encode(world: World) -> bytes:
    """All states as bytes, for comparing two runs."""
    return msgspec.msgpack.encode(dict(sorted(world.states.items())))


__all__ = ["START", "Cancel", "TurnRecord", "World", "encode"]
