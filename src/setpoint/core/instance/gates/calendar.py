"""When a deployment may start: calendars, and a cadence that admits so many releases per occurrence.

``inFlight: pause``: what is under way forward stands still while a calendar is closed, or a line is stopped, that pauses it. No
forward apply starts and nothing new is run; deadlines stand still; what runs already is looked at and checked on, but not
finalized. Rollbacks, healing of what had been deployed, and a failing check go on as ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core import calendars
from setpoint.core.instance.gates import blockers
from setpoint.core.instance.gates.context import Context, needed_by, only_configures
from setpoint.core.instance.state import Life
from setpoint.model.policy import Cadence, Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant, approximate_duration

CADENCE = "cadence"
"""Name of the gate, for skipping."""


def evaluate(context: Context) -> Iterator[Reason]:
    """Closed calendars. Once an attempt is committed, only what makes the attempts under way pause holds it."""
    policy, life, offer, attempt, now = context
    if attempt.committed:
        yield from blockers.pauses(policy, life, offer, now)
        return
    for use in policy.calendars:
        if not needed_by(use.when, use.name, policy, life, offer):
            continue
        opening = calendars.opening(use.calendar, use.timezone, life.wall.at(now))
        if not opening.open:
            yield Reason(
                Code.CALENDAR_CLOSED,
                f"{use.name} is {opening.reason}",
                phase=Phase.PRE_DEPLOYMENT,
                gate=use.name,
                until=life.wall.until(opening.until),
                awaits="" if opening.until else f"a change of the calendar {use.name}",
                unblock=f"skip {use.name}",
            )


def evaluate_cadence(context: Context) -> Iterator[Reason]:
    """A cadence whose slot is used up, or outside its windows."""
    policy, life, offer, attempt, now = context
    if policy.cadence and not attempt.committed and needed_by(None, CADENCE, policy, life, offer):
        yield from _cadence(policy.cadence, life, now, configures=only_configures(life, offer))


def _cadence(cadence: Cadence, life: Life, now: Instant, *, configures: bool) -> Iterator[Reason]:
    """§10.1: a change of configuration waits for the window, whether or not its slots are used."""
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    if occurrence and (configures or life.slot[0] != occurrence[0] or life.slot[1] < cadence.max):
        return
    following = calendars.next_occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    until = life.wall.steady(following[0]) if following else None
    text = (
        f"the cadence admits {cadence.max} here in each window, and this one is used"
        if occurrence
        else "outside the cadence's window"
    )
    yield Reason(
        Code.CADENCE_CLOSED,
        f"{text}{f'; the next begins in {approximate_duration(until - now)}' if until else ''}",
        phase=Phase.PRE_DEPLOYMENT,
        gate=CADENCE,
        until=until,
        awaits="" if until else "a change of the cadence",
        unblock="skip cadence",
    )
