"""The table of an attempt's stages: whatever is not in it raises, and the diagram in the docs is drawn from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.core.dsl import NAME, START

from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life, Rollout
from setpoint.core.instance.transitions import TRANSITIONS, IllegalTransitionError, Stage, stage_of
from setpoint.core.instance.turn import Turn
from setpoint.model.policy import Phase
from setpoint.model.release import Pair

ATTEMPT = Attempt(7, 3, Kind.FORWARD, Phase.PRE_APPROVAL, START, START)


def life_in(stage: Stage) -> Life:
    """What is remembered while attempt 7 is in a stage; an attempt that is new or has ended leaves nothing."""
    rollout = Rollout(replace(ATTEMPT, phase=Phase.DEPLOYMENT), Pair(3), START)
    match stage:
        case Stage.GATHERING:
            return Life(candidate=ATTEMPT)
        case Stage.ROLLING_OUT:
            return Life(rollout=rollout)
        case Stage.VERIFYING:
            return Life(rollout=replace(rollout, attempt=replace(ATTEMPT, phase=Phase.POST_DEPLOYMENT)))
        case Stage.REVERTING:
            return Life(rollout=replace(rollout, back=True))
        case Stage.ROLLBACK_FAILED:
            return Life(rollout=replace(rollout, back=True, stuck="it does not start"))
        case _:
            return Life()


@pytest.mark.parametrize("before", TRANSITIONS)
@pytest.mark.parametrize("after", Stage)
def test_each_step_of_the_table_is_taken_and_each_other_one_raises(before: Stage, after: Stage) -> None:
    turn = Turn(f"instance:{NAME}", InstanceState(life=life_in(before)), START)
    assert stage_of(turn.life, ATTEMPT) is before
    if after in TRANSITIONS[before]:
        turn.move(ATTEMPT, after)
        assert turn.moves == [(7, before, after)]
        return
    turn.record("signal", "ann holds")
    with pytest.raises(IllegalTransitionError) as raised:
        turn.move(ATTEMPT, after)
    assert str(raised.value).startswith(f"instance:{NAME}: attempt 7 of release 3 goes from {before} to {after}")
    assert "recorded: ann holds" in str(raised.value), "it tells what the turn did so far"


def test_every_stage_is_reached_and_the_ends_are_those_that_history_knows() -> None:
    reached = set().union(*TRANSITIONS.values())
    assert reached | {Stage.NEW} == set(Stage)
    ends = set(Stage) - set(TRANSITIONS)
    assert {str(end) for end in ends} == {"converged", "rejected", "replaced", "cancelled", "failed", "rolled-back"}


def test_the_diagram_is_drawn_from_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs/design/actors.md").read_text("utf-8")
    for before, found in TRANSITIONS.items():
        for after in found:
            assert f"    {before.name} --> {after.name}\n" in page, "run `make docs`"
