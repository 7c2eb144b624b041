"""The stages that an attempt goes through, and the only ways from one to the next.

``Turn.move`` takes every step through this table, so that a step that is not in it raises where it is taken. The simulator
reports which of them occurred; the diagram in ``docs/design/actors.md`` is drawn from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from setpoint.core.instance.state import Attempt, Life
from setpoint.model.policy import Phase


class Stage(StrEnum):
    """Where an attempt is. The value of an end is the outcome that history records."""

    NEW = "new"
    GATHERING = "gathering"
    """A candidate: its gates before deployment do not all pass yet."""
    ROLLING_OUT = "rolling-out"
    VERIFYING = "verifying"
    REVERTING = "reverting"
    ROLLBACK_FAILED = "rollback-failed"

    CONVERGED = "converged"
    REJECTED = "rejected"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"


class Transition(NamedTuple):
    """One step of one attempt."""

    attempt: int
    """Its number."""
    before: Stage
    after: Stage


TRANSITIONS: dict[Stage, frozenset[Stage]] = {
    # Adopted, what runs already is good (§5 First contact and removal); a person goes back from what had converged.
    Stage.NEW: frozenset({Stage.GATHERING, Stage.CONVERGED, Stage.REVERTING}),
    # It converges without a rollout where what would run is what is finalized here.
    Stage.GATHERING: frozenset(
        {Stage.ROLLING_OUT, Stage.CONVERGED, Stage.REJECTED, Stage.REPLACED, Stage.CANCELLED, Stage.FAILED}
    ),
    Stage.ROLLING_OUT: frozenset({Stage.VERIFYING, Stage.REVERTING, Stage.FAILED, Stage.REPLACED}),
    Stage.VERIFYING: frozenset({Stage.CONVERGED, Stage.REVERTING, Stage.FAILED, Stage.REPLACED}),
    Stage.REVERTING: frozenset({Stage.ROLLED_BACK, Stage.ROLLBACK_FAILED}),
    # A fix may replace it, and a person may name something else to go back to.
    Stage.ROLLBACK_FAILED: frozenset({Stage.ROLLED_BACK, Stage.REPLACED, Stage.REVERTING}),
}
"""Stage -> where an attempt may go from there; a stage without a row is an end."""


class IllegalTransitionError(AssertionError):
    """A step that is not in the table: a defect of the core, never of its input."""


def stage_of(life: Life, attempt: Attempt) -> Stage:
    """The stage of an attempt that has not ended; NEW for one that is neither candidate nor rollout."""
    rollout = life.rollout
    if rollout and rollout.attempt.number == attempt.number:
        if rollout.back:
            return Stage.ROLLBACK_FAILED if rollout.stuck else Stage.REVERTING
        return Stage.VERIFYING if rollout.attempt.phase is Phase.POST_DEPLOYMENT else Stage.ROLLING_OUT
    if life.candidate and life.candidate.number == attempt.number:
        return Stage.GATHERING
    return Stage.NEW
