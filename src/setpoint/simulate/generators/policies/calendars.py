"""Calendars and cadences."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Cadence, CalendarUse, Policy
from setpoint.simulate.generators.plan_builder import InstancePlace


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
