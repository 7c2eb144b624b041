"""The net that catches bugs: after every turn of a simulated world each invariant is asked whether it still holds."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

from setpoint.core.admission import AdmissionState
from setpoint.core.codec import Codec
from setpoint.core.decide import decide, kind_of
from setpoint.core.facts import AnyFact
from setpoint.core.instance.state import InstanceState, Life
from setpoint.core.instructions import Apply
from setpoint.core.topic import TopicState
from setpoint.simulate.rules import ACTOR_RULES, END_RULES, RULES
from setpoint.simulate.step import Ledger, Moment, Step
from setpoint.simulate.world import Turn, World

Kept = TypeVar("Kept")


class Broken(AssertionError):  # noqa: N818 - it reads "raise Broken", and tests fail by it
    """An invariant does not hold; ``name`` says which."""

    def __init__(self, name: str, complaint: str, turn: Turn) -> None:
        super().__init__(f"{name}: turn {turn.number}, {turn.entity}: {complaint}")
        self.name = name


class Invariants:
    """Call it after each turn. ``preconditions`` counts how often each invariant had something to say."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.preconditions: Counter[str] = Counter()
        self.codec = Codec()
        self._recent: dict[str, tuple[AnyFact, ...]] = {}
        self._shared: dict[type, Any] = {}

    def shared(self, kind: type[Kept]) -> Kept:
        """What a family of rules remembers of the whole world; made when it is first asked for."""
        if kind not in self._shared:
            self._shared[kind] = kind()
        found: Kept = self._shared[kind]
        return found

    def at_the_end(self, world: World) -> None:
        """Everything has converged. Raises Broken."""
        for name, rule in END_RULES:
            for complaint in rule(world):
                raise Broken(name, complaint, world.story[-1])

    def __call__(self, world: World, turn: Turn) -> None:
        """Raises Broken."""
        self._one_at_a_time(world, turn)
        if isinstance(turn.decision.state, InstanceState):
            self._instance(world, turn)
        else:
            self._actor(world, turn)
        if turn.number % 7 == 0:
            self._idempotent(turn)

    def _instance(self, world: World, turn: Turn) -> None:
        ledger = self.ledgers.setdefault(turn.entity, Ledger(service=_service(turn.entity)))
        before = turn.before if isinstance(turn.before, InstanceState) else InstanceState()
        assert isinstance(turn.decision.state, InstanceState)  # noqa: S101 - for the type checker: the caller has looked
        acts = [ledger.take(fact) for fact in turn.facts]
        if any(acts):
            ledger.begun.clear()
            ledger.highest = 0
        step = Step(self, world, turn, ledger, before, turn.decision.state)
        for name, rule in RULES:
            for complaint in rule(step):
                raise Broken(name, complaint, turn)
        step.write_down()

    def _actor(self, world: World, turn: Turn) -> None:
        for name, rule in ACTOR_RULES.get(kind_of(turn.entity), ()):
            for complaint in rule(Moment(self, world, turn)):
                raise Broken(name, complaint, turn)

    def _one_at_a_time(self, world: World, turn: Turn) -> None:
        flying = [entity for entity, given in world.operations.values() if isinstance(given, Apply) and entity == turn.entity]
        if flying:
            self.preconditions["one-at-a-time"] += 1
        if len(flying) > 1:
            raise Broken("one-at-a-time", f"{len(flying)} applies in flight", turn)

    def _idempotent(self, turn: Turn) -> None:
        """These facts once more, and those of an earlier turn that come late, change nothing: what they decide is decided."""
        self.preconditions["idempotent"] += 1
        now = max(fact.at for fact in turn.facts)
        for facts in (turn.facts, self._recent.get(turn.entity, ())):
            state = turn.decision.state
            again = decide(turn.entity, state, facts, now).state
            if _essence(state) != _essence(again):
                complaint = f"{[type(fact).__name__ for fact in facts]} again gave {_essence(again)} instead of {_essence(state)}"
                raise Broken("idempotent", complaint, turn)
        self._recent[turn.entity] = turn.facts


def _essence(state: object) -> object:
    """What a repeated fact must not change (a further asking for a fresh run is no harm)."""
    if isinstance(state, InstanceState):
        return _essence_of_life(state.life)
    if isinstance(state, AdmissionState):
        return {key: (place.ask, place.stage) for key, place in state.places.items()}, state.spent, state.passages
    return state.votes if isinstance(state, TopicState) else None


def _essence_of_life(life: Life) -> object:
    rollout, applying = life.rollout, life.applying
    return (
        life.target,
        life.goods,
        life.change,
        life.frontier,
        life.pin,
        life.hold,
        life.vetoes,
        life.finalized,
        {name: neighbour.number for name, neighbour in life.neighbours.items()},
        rollout and (rollout.to, rollout.back, rollout.idle, rollout.sick),
        (applying.count, applying.errors, applying.judges, applying.taken, applying.retry_at),
    )


def _service(entity: str) -> str:
    """``web`` of ``instance:app/web@staging``."""
    return entity.partition("/")[2].rpartition("@")[0]
