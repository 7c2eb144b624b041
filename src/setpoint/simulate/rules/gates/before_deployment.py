"""Gates before deployment: checks, calendars, cadence."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.calendars import occurrence, opening
from setpoint.core.instance.state import Kind
from setpoint.model.policy import Cadence, Phase
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.checks.evidence import passed, uses
from setpoint.simulate.rules.gates.sets import went_at
from setpoint.simulate.rules.gates.tasks import last_success
from setpoint.simulate.rules.registry import Complaint, rule


@rule("gated")
def gated(step: Step) -> Iterator[Complaint]:
    """Every gate before deployment passed or was skipped, all at one moment."""
    if step.forward is None:
        return
    step.saw("gated")
    attempt, offer, policy = step.forward
    candidate = step.before.life.candidate
    same = candidate is not None and candidate.number == attempt.number and candidate.phase is Phase.PRE_DEPLOYMENT
    for use in uses(step, policy, offer, Phase.PRE_DEPLOYMENT):
        if not same or candidate is None:
            yield f"{use.name} was never requested: the attempt started directly"
        else:
            since = max(step.ledger.since(candidate), last_success(step, policy, offer, candidate))
            yield from passed(step, use, candidate, since)
    if candidate is not None and same and candidate.committed:
        return
    locked = went_at(step, offer) if attempt.kind is Kind.FORWARD else None
    wall = step.wall if locked is None else min(locked, step.wall)  # a member of a set is committed with it (§10.13)
    for calendar in policy.calendars:
        if (
            step.concerns(calendar.when, calendar.name, policy, offer)
            and not opening(calendar.calendar, calendar.timezone, wall).open
        ):
            yield f"the calendar {calendar.name} is closed"
    if policy.cadence and step.concerns(None, "cadence", policy, offer):
        yield from _cadence(step, policy.cadence, configures=step.only_configures(offer))


def _cadence(step: Step, cadence: Cadence, *, configures: bool) -> Iterator[Complaint]:
    slot = occurrence(cadence.calendar, cadence.timezone, step.wall)
    if slot is None:
        yield "outside the cadence's window"
        return
    if step.world.wall_was_set or configures:
        return  # a clock that went back may come to a window again; a configuration uses no slot (§10.1)
    used = sum(slot[0] <= began < slot[1] for began in step.ledger.slots)
    if used >= cadence.max:
        yield f"the cadence's window has admitted {used} already"
