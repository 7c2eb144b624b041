"""Calendars, cadences, and what pauses a rollout in flight: closed windows and freezes."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Cadence, CalendarUse, Policy
from setpoint.model.time import MINUTE
from setpoint.simulate.acts.stopping import Stop
from setpoint.simulate.generators.plan_builder import InstancePlace, PlanBuilder


def calendars(_place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """A quarter have hours, which hot fixes need not keep."""
    if draw.random() > 0.25:
        return policy
    window = Window(hours=(0, 24 * 60)) if draw.random() < 0.3 else Window(hours=(2 * 60, 20 * 60))
    use = CalendarUse("hours", Calendar("hours", open=(window,)), "UTC", when=parse_selector("!urgent"))
    return replace(policy, calendars=(use,))


def cadence(_place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """A few admit one release in each four hours."""
    if draw.random() > 0.15:
        return policy
    quarters = tuple(Window(hours=(start * 60, (start + 4) * 60)) for start in range(0, 24, 4))
    return replace(policy, cadence=Cadence(Calendar("quarters", open=quarters), "UTC"))


HALVES = tuple(Window(hours=(hour * 60, hour * 60 + 40)) for hour in range(24))
"""Closed for the last third of every hour: often while something is under way."""


def closings(builder: PlanBuilder, draw: Random) -> None:
    """In a sixth of the worlds."""
    if not builder.places or draw.random() > 0.16:
        return
    when = parse_selector("!urgent") if draw.random() < 0.5 else None
    use = CalendarUse("breaks", Calendar("breaks", open=HALVES, in_flight="pause"), "UTC", when=when)
    for instance, policy in builder.policies.items():
        if draw.random() < 0.7:
            builder.policies[instance] = replace(policy, calendars=(*policy.calendars, use))


def incidents(builder: PlanBuilder, draw: Random) -> None:
    """A person freezes a scope, and what is in flight in it."""
    for _ in range(draw.randint(0, 2) if builder.places else 0):
        labels = builder.policies[draw.choice(builder.instances)].labels
        at, by, lasts = builder.sometime(draw), builder.person(draw), draw.randint(1, 30) * MINUTE
        builder.acts.append(Stop(at=at, by=by, scope=draw.choice(scope.above(labels)), lasts=lasts, in_flight="pause"))
