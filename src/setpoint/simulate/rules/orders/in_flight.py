"""Pauses in flight: a rollout stands still while a closed window or a freeze with ``pause`` covers it."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.calendars import opening
from setpoint.core.instance.state import offer_of
from setpoint.core.instructions import Apply
from setpoint.model.policy import Phase
from setpoint.model.reasons import Code
from setpoint.model.release import Pair
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule


@rule("hands-off")
def paused(step: Step) -> Iterator[Complaint]:
    """No forward apply, no finalizing (but of what had passed with its set) and no deadline while it pauses."""
    rollout, before = step.after.life.rollout, step.before.life.rollout
    if rollout and not rollout.back and rollout.attempt.phase is Phase.DEPLOYMENT and _pauses(step, rollout.attempt.pair):
        step.saw("hands-off")
        if any(isinstance(given, Apply) for given in step.turn.decision.instructions):
            yield f"release {rollout.attempt.release} pauses, but is applied"
    if before is None or before.back or not _pauses(step, before.attempt.pair):
        return
    if not before.passed and any(event.release == before.attempt.release for event in step.events("finalized")):
        yield f"release {before.attempt.release} pauses, but is finalized"
    for event in step.events("rolling-back", "failed"):
        if event.cause in {Code.NOT_HEALTHY_YET, Code.UNHEALTHY}:
            yield f"a deadline ran while it paused: {event.text}"


def _pauses(step: Step, pair: Pair) -> bool:
    if any(status.stop and status.stop.in_flight == "pause" for status in step.ledger.scopes.values()):
        return True
    offer, policy = offer_of(step.before.life, pair) or offer_of(step.after.life, pair), step.after.policy
    if offer is None or policy is None:
        return False
    return any(
        use.calendar.in_flight == "pause"
        and step.concerns(use.when, use.name, policy, offer)
        and not opening(use.calendar, use.timezone, step.wall).open
        for use in policy.calendars
    )
