"""The invariants: each is checked after every turn of a simulated world.

A turn touches one entity, so that one is checked; every ``SWEEP`` turns all of them are, touched or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from setpoint.core.decide import decide
from setpoint.core.facts import AnyFact, TaskStatus, Woken
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Decision
from setpoint.core.line import LineState
from setpoint.core.recording.codec import Codec
from setpoint.model.names import key_of, kind_of, service_of
from setpoint.model.policy import Policy
from setpoint.model.time import Instant
from setpoint.simulate.checker.ledger import Ledger
from setpoint.simulate.checker.memory import RuleMemory
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules import ACTOR_RULES, CANONICAL, END_RULES, RULES
from setpoint.simulate.world.host import TurnRecord, World

SWEEP = 1_000
"""Turns after which all entities are checked."""
TWICE = 2
"""Every so many turns one is decided a second time: that takes as long as the turn itself."""
RESTLESS = 20
"""Turns in a row in which an actor may wake itself without doing anything."""


class Broken(AssertionError):  # noqa: N818 - it reads "raise Broken", and tests fail by it
    """An invariant does not hold; ``name`` is its name."""

    def __init__(self, name: str, complaint: str, turn: TurnRecord) -> None:
        super().__init__(f"{name}: turn {turn.number}, {turn.entity}: {complaint}")
        self.name = name
        self.complaint = complaint
        self.turn = turn


class Invariants(RuleMemory):
    """Call it after each turn. ``preconditions`` counts how often the precondition of each held."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = False
        """Check nothing."""
        self._codec = Codec()
        self._written: dict[str, bytes] = {}
        """Entity -> the seldom changing part of its state, as it was written last."""
        self._found_equal: dict[str, tuple[Policy | None, Policy | None]] = {}
        """Entity -> its policy, and what was read for it."""
        self._recent: dict[str, tuple[AnyFact, ...]] = {}
        self.moves: Counter[tuple[str, str]] = Counter()
        """Step of an attempt (stage before, stage after) -> how often it occurred."""
        self._restless: Counter[str] = Counter()
        """Entity -> how often in a row it woke itself for next to nothing."""

    def at_the_end(self, world: World) -> None:
        """Everything has converged. Raises Broken."""
        for name, rule in END_RULES:
            for complaint in rule(world):
                raise Broken(name, complaint, world.history[-1])

    def __call__(self, world: World, turn: TurnRecord) -> None:
        """Raises Broken."""
        now = turn.facts[0].at if len(turn.facts) == 1 else max(fact.at for fact in turn.facts)
        self._one_at_a_time(world, turn)
        if isinstance(turn.decision.state, InstanceState):
            self.moves.update((before, after) for _, before, after in turn.decision.moves)
            self._instance(world, turn, now)
        else:
            self._actor(world, turn, now)
        if turn.number % TWICE == 0:
            self._idempotent(turn, now)
        self._quiet(turn, now)
        self._remembered(turn, turn.before)
        if turn.number % SWEEP == 0:
            self.sweep(world, turn.number)

    def sweep(self, world: World, number: int) -> None:
        """Check every entity as it stands. Raises Broken."""
        if self.asleep:
            return
        for entity, state in world.states.items():
            due = world.wakes.get(entity)
            if entity in world.inbox or (due is not None and due <= world.now + 1):
                continue  # its turn is just coming
            still = TurnRecord(
                number, world.now, entity, (Woken(at=world.now, offset=world.offset),), state, Decision(state, (), due)
            )
            self._one_at_a_time(world, still)
            self._remembered(still, None)
            self._idempotent(_aware_of_the_time(world, still), world.now)
            if isinstance(state, InstanceState):
                ledger = self.ledgers.get(entity) or Ledger(service=_service(entity))
                self._check_instance(Step(self, world, still, world.now, ledger, state, state))

    def _instance(self, world: World, turn: TurnRecord, now: Instant) -> None:
        ledger = self.ledgers.get(turn.entity)
        if ledger is None:
            ledger = self.ledgers[turn.entity] = Ledger(service=_service(turn.entity))
        before = turn.before if isinstance(turn.before, InstanceState) else InstanceState()
        assert isinstance(turn.decision.state, InstanceState)  # noqa: S101 - for the type checker: the caller has looked
        acts = [ledger.take(fact, now) for fact in turn.facts]
        ended = ledger.expire(turn.decision.state.life.wall.at(now))
        if any(acts) or ended:
            ledger.started.clear()
            ledger.highest = ledger.newest = 0
        step = Step(self, world, turn, now, ledger, before, turn.decision.state)
        self._check_instance(step)
        step.write_down()

    def _check_instance(self, step: Step) -> None:
        for name, rule in RULES:
            for complaint in rule(step):
                raise Broken(name, complaint, step.turn)

    def _actor(self, world: World, turn: TurnRecord, now: Instant) -> None:
        for name, rule in ACTOR_RULES.get(kind_of(turn.entity), ()):
            for complaint in rule(Moment(self, world, turn, now)):
                raise Broken(name, complaint, turn)

    def _one_at_a_time(self, world: World, turn: TurnRecord) -> None:
        flying = world.effects.applying.get(turn.entity)
        if flying:
            self.preconditions["one-at-a-time"] += 1
            if len(flying) > 1:
                raise Broken("one-at-a-time", f"{len(flying)} applies in flight", turn)

    def _idempotent(self, turn: TurnRecord, now: Instant) -> None:
        """These facts once more, then those of an earlier turn that come late, change nothing: what they decide is decided."""
        state = turn.decision.state
        canonical: Callable[[Any], object] = CANONICAL.get(type(state), _everything)
        facts = (*turn.facts, *self._recent.get(turn.entity, ()))
        self.preconditions["idempotent"] += 1
        again = decide(turn.entity, state, facts, now).state
        if again is not state and canonical(again) != (known := canonical(state)):
            complaint = f"{[type(fact).__name__ for fact in facts]} again gave {canonical(again)} instead of {known}"
            raise Broken("idempotent", complaint, turn)
        self._recent[turn.entity] = tuple(fact for fact in turn.facts if not (_never_stale(fact) or _comes_again(fact, state)))

    def _quiet(self, turn: TurnRecord, now: Instant) -> None:
        """An actor that is woken and finds nothing to do does not request an immediate wake again and again."""
        wake, state = turn.decision.wake_at, turn.decision.state
        if wake is not None and wake <= now and state is turn.before and not turn.decision.instructions:
            raise Broken("settled", f"requests a wake at {wake}, which is over, and has nothing to do", turn)
        alone = all(isinstance(fact, Woken) for fact in turn.facts) and not turn.decision.instructions
        self._restless[turn.entity] = self._restless[turn.entity] + 1 if alone and wake is not None and wake <= now + 1 else 0
        if self._restless[turn.entity] > RESTLESS:
            raise Broken("settled", f"woke itself {RESTLESS} times, each a millisecond after the last, and did nothing", turn)

    def _remembered(self, turn: TurnRecord, before: msgspec.Struct | None) -> None:
        """What is written when a state changes, and read after a crash, is the state."""
        state = turn.decision.state
        if state is before:
            return
        self.preconditions["remembered"] += 1
        fixed, changing = self._codec.encode_state(turn.entity, state, before)
        if fixed is not None:
            self._written[turn.entity] = fixed
        read = self._codec.decode_state(turn.entity, self._written.get(turn.entity, b""), changing)
        if isinstance(state, InstanceState) and isinstance(read, InstanceState):
            read = self._with_known_parts(turn.entity, state, read)
        if read != state:
            raise Broken("remembered", "the state does not survive being written and read", turn)

    def _with_known_parts(self, entity: str, state: InstanceState, read: InstanceState) -> InstanceState:
        """Policies are large and seldom change: one that was read from the same bytes and found equal is not compared again."""
        known = self._found_equal.get(entity)
        if known is not None and known[0] is state.policy and known[1] is read.policy:
            return InstanceState(state.policy, read.removed, read.archive, read.life)
        if state.policy == read.policy:
            self._found_equal[entity] = state.policy, read.policy
        return read


def _never_stale(fact: AnyFact) -> bool:
    """A task's success counts for its release and key whenever it arrives, to later attempts too: it is never too late."""
    return isinstance(fact, TaskStatus) and fact.state == "succeeded"


def _comes_again(fact: AnyFact, state: Any) -> bool:
    """A stale request is made again under the same name: its configuration may have come into force since (§10.1 Made)."""
    return isinstance(state, LineState) and getattr(fact, "request", "") in state.stale


def _aware_of_the_time(world: World, still: TurnRecord) -> TurnRecord:
    """Once the wall clock was set, the first turn after it takes note of that."""
    if not world.wall_was_set:
        return still
    aware = decide(still.entity, still.before, still.facts, world.now).state
    return replace(still, decision=Decision(aware, (), still.decision.wake_at))


def _everything(state: Any) -> Any:
    return state


def _service(entity: str) -> str:
    """``web`` of ``instance:app/web@staging``."""
    return service_of(key_of(entity))
