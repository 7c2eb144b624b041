"""One turn of an instance: facts become memory, then what is remembered is moved on as far as it goes.

Every step is level-triggered: it looks at what is so now, never at which fact brought it. So folding, duplicates and reordering
of facts change nothing that they should not.
"""

from __future__ import annotations

from collections.abc import Sequence

from setpoint.core.facts import AnyFact, Fact
from setpoint.core.instance import (
    absorb,
    admission,
    adoption,
    candidate,
    declining,
    expiry,
    leaving,
    publishing,
    rollback,
    rollout,
    sets,
    steering,
    undecided,
    waves,
)
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Decision
from setpoint.model.time import Instant


def decide(entity: str, state: InstanceState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """The instance's next state, what to do, and when to look again."""
    before = state or InstanceState()
    draft = Draft(entity, before, now)
    if (wall := draft.life.wall.heard(facts)) is not draft.life.wall:
        draft.set(wall=wall)
    for fact in facts:
        absorb.absorb(draft, fact)
    if draft.policy is None:
        return Decision(draft.state())
    expiry.advance(draft)
    undecided.count(draft)
    rollback.taint(draft)
    adoption.advance(draft)
    rollout.advance(draft)
    candidate.advance(draft)
    undecided.look_again(draft)
    sets.vote(draft)
    admission.settle(draft)
    waves.tell(draft)
    if draft.removed and draft.life.rollout is None:
        leaving.advance(draft)
    else:
        steering.advance(draft)
    declining.advance(draft)
    publishing.advance(draft, before)
    return Decision(draft.state(), tuple(draft.out), draft.wake_at)


__all__ = ["Fact", "decide"]
