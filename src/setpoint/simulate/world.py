"""The simulated host: delivers facts, performs instructions against models, keeps timers – and breaks on purpose.

Everything random comes from one seeded source, so a seed replays exactly. Virtual time jumps from event to event.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from setpoint.core.codec import Codec
from setpoint.core.decide import decide, watch
from setpoint.core.facts import AnyFact, Applied, CheckFinished, CheckUnwanted, Observed, Unobserved, Woken
from setpoint.core.instructions import (
    AnyInstruction,
    Apply,
    Cancel,
    Decision,
    Publish,
    Record,
    RunCheck,
    Send,
    Subscribe,
    Unsubscribe,
    Unwatch,
    Watch,
)
from setpoint.model.checks import CheckResult
from setpoint.model.observation import Observation
from setpoint.model.time import SECOND, Duration, Instant
from setpoint.simulate.checks import Checks
from setpoint.simulate.runtimes import Runtimes

START: Instant = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


class Faults(msgspec.Struct, frozen=True, omit_defaults=True):
    """How likely each misfortune is, per chance it gets."""

    duplicate: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    crash: float = 0.0
    """Before performing what a turn decided."""
    forget: float = 0.0
    """After performing and before recording: the effect is performed again."""
    split: float = 0.5
    """That a turn takes only some of the facts that wait."""


NO_FAULTS = Faults()
"""Turns still take only some of the facts that wait."""


@dataclass
class Turn:
    """One turn, as history keeps it for the invariants and for the story of a failure."""

    number: int
    now: Instant
    entity: str
    facts: tuple[AnyFact, ...]
    before: Any
    decision: Decision


@dataclass
class Looks:
    """A standing watch and what was posted under it."""

    number: int
    every: Duration
    since: Instant
    asked: bool = True
    last: Any = None


@dataclass
class World:
    """All entities of one simulated engine."""

    random: Random
    runtimes: Runtimes
    checks: Checks
    faults: Faults = NO_FAULTS
    check: Callable[[World, Turn], None] | None = None
    hears: Callable[[str, str], None] | None = None
    """Told of every line of history: (entity, kind)."""
    now: Instant = START
    states: dict[str, Any] = field(default_factory=dict)
    turns: int = 0
    injected: int = 0
    crashes: int = 0
    story: deque[Turn] = field(default_factory=lambda: deque(maxlen=400))
    events: list[tuple[Instant, str, Any]] = field(default_factory=list)
    """History lines: (when, entity, event)."""

    def __post_init__(self) -> None:
        self.inbox: dict[str, list[AnyFact]] = {}
        self.subscribers: dict[str, dict[str, None]] = {}
        self.publications: dict[str, AnyFact] = {}
        self.wakes: dict[str, Instant] = {}
        self.operations: dict[str, tuple[str, AnyInstruction]] = {}
        self.watches: dict[str, Looks] = {}
        self.looked: dict[str, Instant] = {}
        """Entity -> when the last look began that saw anything."""
        self.shown: dict[str, tuple[Instant, str]] = {}
        """Entity -> when the last look began that showed one whole, healthy version, and its spec."""
        self.ever_late = bool(self.faults.delay or self.faults.duplicate or self.faults.crash)
        self._posted: dict[str, Instant] = {}
        """When something was last posted about an entity's runtime."""
        self._heap: list[tuple[Instant, int, Callable[[], object]]] = []
        self._sequence = itertools.count()
        self._looks = itertools.count(1)
        self._codec = Codec()

    # --- what tests and people do ---------------------------------------------------------------------------------------

    def post(self, entity: str, fact: AnyFact) -> None:
        """Deliver a fact, stamped now."""
        self._deliver(entity, replace(fact, at=self.now))

    def at(self, when: Instant, action: Callable[[], object]) -> None:
        """Do something at a virtual time."""
        heapq.heappush(self._heap, (when, next(self._sequence), action))

    def run(self, until: Instant, most_turns: int = 1_000_000) -> None:
        """Let the world go on until nothing happens before ``until``."""
        most = self.turns + most_turns
        while self.turns < most:
            if self.inbox:
                self._turn()
            elif not self._jump(until):
                return

    def _jump(self, until: Instant) -> bool:
        wake = min(self.wakes.values(), default=None)
        event = self._heap[0][0] if self._heap else None
        moments = [moment for moment in (wake, event) if moment is not None]
        if not moments or min(moments) > until:
            self.now = max(self.now, until)
            return False
        self.now = max(self.now, min(moments))
        if event is not None and event <= self.now:
            heapq.heappop(self._heap)[2]()
        else:
            for entity in [entity for entity, due in self.wakes.items() if due <= self.now]:
                del self.wakes[entity]
                self._deliver(entity, Woken(at=self.now))
        return True

    # --- one turn -------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        entity = self.random.choice(list(self.inbox)) if len(self.inbox) > 1 else next(iter(self.inbox))
        facts = self._take(entity)
        before = self.states.get(entity)
        decision = self.decided(entity, before, facts, max(fact.at for fact in facts))
        if decision is None:
            return
        self.turns += 1
        turn = Turn(self.turns, self.now, entity, tuple(facts), before, decision)
        self.story.append(turn)
        self.states[entity] = decision.state
        if decision.wake_at is None:
            self.wakes.pop(entity, None)
        else:
            self.wakes[entity] = max(decision.wake_at, self.now + 1)
        performing = self._make_durable(entity, decision.instructions)
        if self.check:
            self.check(self, turn)
        if self._chance(self.faults.crash):
            self.crash()
        else:
            for instruction in performing:
                self._perform(entity, instruction)

    def decided(self, entity: str, before: Any, facts: Sequence[AnyFact], now: Instant) -> Decision | None:
        """One turn of the core; None for one that raised: its entity stays as it was, and nobody else notices."""
        return decide(entity, before, facts, now)

    def _take(self, entity: str) -> list[AnyFact]:
        waiting = self.inbox.pop(entity)
        if len(waiting) > 1 and self._chance(self.faults.reorder):
            self.random.shuffle(waiting)
        if len(waiting) > 1 and self.random.random() < self.faults.split:
            count = self.random.randint(1, len(waiting) - 1)
            self.inbox[entity] = waiting[count:]
            waiting = waiting[:count]
        return waiting

    def _make_durable(self, entity: str, instructions: tuple[AnyInstruction, ...]) -> list[AnyInstruction]:
        performing: list[AnyInstruction] = []
        for instruction in instructions:
            if isinstance(instruction, Apply | RunCheck):
                self.operations[instruction.operation] = (entity, instruction)
                performing.append(instruction)
            elif isinstance(instruction, Watch | Unwatch | Cancel):
                performing.append(instruction)
            else:
                self._exchange(entity, instruction)
        return performing

    def _exchange(self, entity: str, instruction: AnyInstruction) -> None:
        match instruction:
            case Send(to, fact):
                self._deliver(to, replace(fact, at=self.now))
            case Publish(fact):
                stamped = replace(fact, at=self.now)
                self.publications[entity] = stamped
                for subscriber in self.subscribers.get(entity, ()):
                    self._deliver(subscriber, stamped)
            case Subscribe(to):
                if entity not in self.subscribers.setdefault(to, {}):
                    self.subscribers[to][entity] = None
                    if to in self.publications:
                        self._deliver(entity, replace(self.publications[to], at=self.now))
            case Unsubscribe(to):
                self.subscribers.get(to, {}).pop(entity, None)
            case Record(event):
                self.events.append((self.now, entity, event))
                if self.hears:
                    self.hears(entity, event.kind)

    def _deliver(self, entity: str, fact: AnyFact) -> None:
        if self._chance(self.faults.duplicate):
            self._later(entity, fact)
        if self._chance(self.faults.delay):
            self._later(entity, fact)
            return
        self.inbox.setdefault(entity, []).append(fact)

    def _later(self, entity: str, fact: AnyFact) -> None:
        when = self.now + self.random.randint(1, 20 * SECOND)
        self.at(when, lambda: self.inbox.setdefault(entity, []).append(fact))

    def _chance(self, probability: float) -> bool:
        if probability and self.random.random() < probability:
            self.injected += 1
            return True
        return False

    # --- effects --------------------------------------------------------------------------------------------------------

    def _perform(self, entity: str, instruction: AnyInstruction) -> None:
        match instruction:
            case Apply(operation=operation):
                self._suspend(entity)
                self.at(self.now + self.random.randint(1, SECOND), self._unless_crashed(lambda: self._applied(entity, operation)))
            case RunCheck(operation, definition):
                if not self.subscribers.get(entity):
                    self.operations.pop(operation, None)
                    self.post(entity, CheckUnwanted(operation=operation))
                    return
                started = self.now
                takes = self.checks.duration(definition.protection)
                self.at(self.now + takes, self._unless_crashed(lambda: self._checked(entity, operation, started)))
            case Watch(number, every, _):
                self._watch(entity, number, every)
            case Unwatch():
                self.watches.pop(entity, None)

    def _unless_crashed(self, action: Callable[[], None]) -> Callable[[], None]:
        life = self.crashes

        def guarded() -> None:
            if self.crashes == life:
                action()

        return guarded

    def _applied(self, entity: str, operation: str) -> None:
        _, instruction = self.operations[operation]
        assert isinstance(instruction, Apply)  # noqa: S101 - for the type checker: only applies come here
        instance = entity.partition(":")[2]
        error, terminal = self.runtimes.perform(instance, instruction, self.now)
        if self._chance(self.faults.forget):
            self.crash()
            return
        del self.operations[operation]
        self.post(entity, Applied(operation=operation, error=error, terminal=terminal))
        if not error:
            self._watch(entity, instruction.watch.number, instruction.watch.every)

    def _checked(self, entity: str, operation: str, started: Instant) -> None:
        _, instruction = self.operations[operation]
        assert isinstance(instruction, RunCheck)  # noqa: S101 - for the type checker: only checks come here
        result: CheckResult = self.checks.result(instruction.definition, started, self.now)
        if self._chance(self.faults.forget):
            self.crash()
            return
        del self.operations[operation]
        self.post(entity, CheckFinished(operation=operation, result=result))

    # --- looks ----------------------------------------------------------------------------------------------------------

    def _suspend(self, entity: str) -> None:
        self.watches.pop(entity, None)

    def _watch(self, entity: str, number: int, every: Duration) -> None:
        known = self.watches.get(entity)
        if known and known.number >= number:
            return
        looks = Looks(number, every, self.now)
        self.watches[entity] = looks
        self._schedule(entity, looks, self.now + self.random.randint(0, 200))
        self._expect_changes(entity)

    def _expect_changes(self, entity: str) -> None:
        """Looks that would see nothing new are not simulated: only those on the grid after something changes."""
        looks = self.watches.get(entity)
        if looks is None:
            return
        for change in self.runtimes.changes_at(entity.partition(":")[2]):
            if change >= self.now:
                passed = (change - looks.since) // looks.every + 1
                self._schedule(entity, looks, looks.since + passed * looks.every)

    def hint(self, entity: str) -> None:
        """Something changed at the runtime by itself: the next look of the standing watch sees it."""
        looks = self.watches.get(entity)
        if looks:
            self._schedule(entity, looks, self.now + self.random.randint(1, looks.every))

    def _schedule(self, entity: str, looks: Looks, when: Instant) -> None:
        started = when - min(self.random.randint(0, 50), when - self.now)
        self.at(started, self._unless_crashed(lambda: self._look(entity, looks, when)))

    def _look(self, entity: str, looks: Looks, ends: Instant) -> None:
        if self.watches.get(entity) is not looks:
            return
        instance = entity.partition(":")[2]
        place = self.runtimes.place(instance)
        number = next(self._looks)
        posted = self._posted.get(entity)
        gap = 0 if posted is None or place.unreachable else max(0, self.now - max(posted, place.reachable_since))
        if place.unreachable:
            fact: AnyFact = Unobserved(watch=looks.number, look=number, message="no route to it")
            seen: Any = "unreachable"
        else:
            seen = self.runtimes.observe(instance, self.now)
            fact = Observed(watch=looks.number, look=number, observation=seen, gap=gap)
            self.looked[entity] = self.now
            self._note_shown(entity, seen)
        if (looks.asked and not place.unreachable) or seen != looks.last:
            looks.last, looks.asked = seen, looks.asked and place.unreachable
            self._posted[entity] = self.now
            self.at(ends, self._unless_crashed(lambda: self.post(entity, fact)))

    def _note_shown(self, entity: str, seen: Observation) -> None:
        digests = {thing.digest for thing in seen.objects if thing.active}
        if seen.complete and not seen.difference and len(digests) == 1 and all(thing.healthy for thing in seen.objects):
            self.shown[entity] = (self.now, digests.pop())

    # --- crashes --------------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Kill -9 and start again: what was durable stays, open operations start again, everybody is observed first."""
        self.crashes += 1
        self.watches.clear()
        self._posted.clear()
        for entity, state in list(self.states.items()):
            fixed, changing = self._codec.encode_state(entity, state, None)
            restored = self._codec.decode_state(entity, fixed or b"", changing)
            if restored != state:
                raise AssertionError(f"{entity} is not the same after a restart")
            self.states[entity] = restored
            standing = watch(restored)
            if standing:
                self._watch(entity, standing.number, standing.every)
        for entity, instruction in list(self.operations.values()):
            self._perform(entity, instruction)


def encode(world: World) -> bytes:
    """All states as bytes, for comparing two runs."""
    return msgspec.msgpack.encode(dict(sorted(world.states.items())))
