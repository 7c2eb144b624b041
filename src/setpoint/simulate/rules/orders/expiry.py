"""Orders that have an end: nothing counts after it, and the end takes place (§10.8)."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.scope import ScopeState
from setpoint.model.time import Instant
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules.registry import Complaint, actor_rule, rule


@rule("ended")
def ended(step: Step) -> Iterator[Complaint]:
    """No hold, pin, skip or order to only observe stands after its end; between turns it ends as soon as the engine wakes."""
    life, wall = step.after.life, step.after.life.wall.at(step.now)
    ends = {f"skip of {skip.gate}": skip.until for skip in life.skips}
    ends |= {"hold": life.hold.until if life.hold else 0, "observe": life.observing.until if life.observing else 0}
    ends["pin"] = life.pinned_until
    if any(ends.values()):
        step.saw("ended")
    if step.after.policy is not None:
        yield from _over(ends, wall)


@actor_rule("ended", "scope")
def ended_above(moment: Moment) -> Iterator[Complaint]:
    """No stop and no pause stands after its end."""
    state = moment.turn.decision.state
    if not isinstance(state, ScopeState):
        return
    ends = {"stop": state.stop.until if state.stop else 0, "pause": state.pause.until if state.pause else 0}
    if any(ends.values()):
        moment.saw("ended")
    wall = state.wall.at(moment.now)
    yield from _over(ends, wall)
    due = min((end - wall + moment.now for end in ends.values() if end), default=0)
    wake = moment.turn.decision.wake_at
    if due and (wake is None or wake > due):
        yield f"an order ends at {due}, but the scope wakes at {wake}"


def _over(ends: dict[str, Instant], wall: Instant) -> Iterator[Complaint]:
    for what, end in ends.items():
        if 0 < end <= wall:
            yield f"the {what} ended at {end} and still stands at {wall}"
