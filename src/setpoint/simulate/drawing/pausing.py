"""Calendars and stopped lines that let what is under way pause."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import CalendarUse
from setpoint.model.time import MINUTE
from setpoint.simulate.acts.stopping import Stop
from setpoint.simulate.drawing.base import Sketch, happening

HALVES = tuple(Window(hours=(hour * 60, hour * 60 + 40)) for hour in range(24))
"""Closed for the last third of every hour: often while something is under way."""


@happening
def closings(sketch: Sketch, draw: Random) -> None:
    """In a sixth of the worlds."""
    if not sketch.places or draw.random() > 0.16:
        return
    when = parse_selector("!urgent") if draw.random() < 0.5 else None
    use = CalendarUse("breaks", Calendar("breaks", open=HALVES, in_flight="pause"), "UTC", when=when)
    for instance, policy in sketch.policies.items():
        if draw.random() < 0.7:
            sketch.policies[instance] = replace(policy, calendars=(*policy.calendars, use))


@happening
def incidents(sketch: Sketch, draw: Random) -> None:
    """Somebody stops a line, and what is under way on it."""
    for _ in range(draw.randint(0, 2) if sketch.places else 0):
        labels = sketch.policies[draw.choice(sketch.instances)].labels
        at, by, lasts = sketch.sometime(draw), sketch.person(draw), draw.randint(1, 30) * MINUTE
        sketch.acts.append(Stop(at=at, by=by, scope=draw.choice(scope.above(labels)), lasts=lasts, in_flight="pause"))
