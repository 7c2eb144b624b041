"""Any one actor of the core, its clock, and what its last turn led to."""

from __future__ import annotations

from typing import Generic, Self

from msgspec.structs import replace
from tests.core.dsl.builders import START
from tests.core.dsl.decisions import F, G, S, of_kind, published, recorded, sent, sent_to, state_of

from setpoint.core.decide import decide
from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction, Event


class Actor(Generic[S]):
    """``Actor("scope:organization", ScopeState).receive(Stopped(by=ANN)).state.stop``."""

    def __init__(self, entity: str, kind: type[S]) -> None:
        self.entity, self.kind = entity, kind
        self.now = START
        self.maybe_state: S | None = None
        self.wake_at: int | None = None
        self.out: tuple[AnyInstruction, ...] = ()

    def receive(self, *facts: AnyFact) -> Self:
        """One turn, of facts that happen now."""
        decision = decide(self.entity, self.maybe_state, tuple(replace(fact, at=self.now) for fact in facts), self.now)
        self.maybe_state, self.wake_at, self.out = state_of(decision, self.kind), decision.wake_at, decision.instructions
        return self

    def at(self, now: int) -> Self:
        """From here on it is another time."""
        self.now = now
        return self

    @property
    def due(self) -> int:
        """When it is woken next."""
        assert self.wake_at is not None
        return self.wake_at

    @property
    def state(self) -> S:
        assert self.maybe_state is not None
        return self.maybe_state

    @property
    def events(self) -> list[Event]:
        return recorded(self.out)

    def sent(self, kind: type[F]) -> list[F]:
        return sent(self.out, kind)

    def sent_to(self, kind: type[F]) -> list[tuple[str, F]]:
        return sent_to(self.out, kind)

    def published(self, kind: type[F]) -> list[F]:
        return published(self.out, kind)

    def gave(self, kind: type[G]) -> list[G]:
        return of_kind(self.out, kind)
