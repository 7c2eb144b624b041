"""``inFlight: pause``: what is under way forward stands still while a calendar is closed, or a line is stopped, that says so.

No forward apply starts and nothing new is run; deadlines stand still; what runs already is looked at and checked on, but not
finalized. Rollbacks, healing of what had been deployed, and a check that says no go on as ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core import calendars, orders, scope
from setpoint.core.instance.gates.naming import needed_by
from setpoint.core.instance.state import Life, offer_of
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant

PAUSE = "pause"


def pauses(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """What makes an attempt at this offer stand still, once it is under way."""
    for status in life.scopes.values():
        if status.stop and status.stop.in_flight == PAUSE:
            because = f"{orders.ending(status.stop.until)}{orders.because(status.stop.by)}"
            text = f"paused: {status.stop.by.person} stopped the line of {scope.name_of(status.scope)}{because}"
            yield Reason(
                Code.FROZEN,
                text,
                phase=Phase.PRE_DEPLOYMENT,
                subject=status.scope,
                since=status.stop.at,
                awaits="start-the-line",
                unblock="start the line",
            )
    for use in policy.calendars:
        if use.calendar.in_flight != PAUSE:
            continue
        opening = calendars.opening(use.calendar, use.timezone, life.wall.at(now))
        if not opening.open and needed_by(use.when, use.name, policy, life, offer):
            awaits = "" if opening.until else f"a change of the calendar {use.name}"
            text = f"paused: {use.name} is {opening.reason}"
            yield Reason(
                Code.CALENDAR_CLOSED,
                text,
                phase=Phase.PRE_DEPLOYMENT,
                gate=use.name,
                until=life.wall.until(opening.until),
                awaits=awaits,
                unblock=f"skip {use.name}",
            )


def stands_still(policy: Policy, life: Life, now: Instant) -> bool:
    """Whether the rollout forward that is under way pauses."""
    return any(rollout_pauses(policy, life, now))


def rollout_pauses(policy: Policy, life: Life, now: Instant) -> Iterator[Reason]:
    """What makes the rollout that is under way stand still; one that goes back never does."""
    rollout = life.rollout
    if rollout is None or rollout.back:
        return
    offer = offer_of(life, rollout.attempt.pair)
    if offer is not None:
        yield from pauses(policy, life, offer, now)
