"""Traces of a simulated world: every turn of every entity, recorded as it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from setpoint.core.recording import trace as traces
from setpoint.core.recording.canonical import canonical
from setpoint.simulate.world.host import TurnRecord, World


@dataclass
class Recorder:
    """Recorder of a world from its start; other checks of its turns continue."""

    world: World
    turns: dict[str, list[TurnRecord]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._checked: Callable[[World, TurnRecord], None] | None = self.world.check
        self.world.check = self._take

    def _take(self, world: World, turn: TurnRecord) -> None:
        self.turns.setdefault(turn.entity, []).append(turn)
        if self._checked:
            self._checked(world, turn)

    def trace(self, entity: str, about: str = "") -> traces.Trace:
        """Return the trace as it was decided. Raises KeyError for an entity that has had no turn."""
        taken = self.turns[entity]
        return traces.Trace(
            entity=entity,
            about=about,
            turns=tuple(_turn(turn) for turn in taken),
            ends=canonical(taken[-1].decision.state),
        )


def _turn(turn: TurnRecord) -> traces.TraceTurn:
    decision = turn.decision
    now = max(fact.at for fact in turn.facts)
    digest = traces.digest_of(turn.entity, decision.state)
    return traces.TraceTurn(now, turn.facts, decision.instructions, decision.wake_at, digest)
