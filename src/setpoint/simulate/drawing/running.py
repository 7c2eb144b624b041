"""What runs before the first release, and people who adopt it."""

from __future__ import annotations

from random import Random

from setpoint.model.policy import Strategy
from setpoint.model.time import MINUTE, SECOND, Duration
from setpoint.simulate.acts.accidents import Outage
from setpoint.simulate.acts.adopting import Adopt, RunsAlready
from setpoint.simulate.acts.releasing import Release
from setpoint.simulate.drawing.base import Sketch, happening
from setpoint.simulate.runtimes import Behaviour

OLD = ("0.8.0", "0.9.0", "1.1.0")
"""Versions that may run already; the last one may be released later."""


@happening
def first_contact(sketch: Sketch, draw: Random) -> None:
    """In a quarter of the worlds a version runs in some places already, and people adopt it."""
    if draw.random() > 0.25:
        return
    first = min((act.at for act in sketch.acts if isinstance(act, Release)), default=sketch.unfair)
    for instance, policy in sketch.policies.items():
        if policy.strategy is not Strategy.MIRROR and draw.random() < 0.6:
            _adopted(sketch, draw, instance, first)


def _adopted(sketch: Sketch, draw: Random, instance: str, first: Duration) -> None:
    """Most people are right; others name another version, or what runs is not healthy, or cannot be observed for a while."""
    runs, kind = draw.choice(OLD), draw.random()
    named = draw.choice(OLD) if kind < 0.2 else runs
    sketch.acts.append(
        RunsAlready(
            instance=instance,
            version=runs,
            behaves=_behaviour(draw) if kind > 0.7 else Behaviour(),
            difference="a" if 0.6 < kind < 0.7 else "",
        )
    )
    close = max(1, first + draw.randint(-20, 20) * SECOND)
    at = close if draw.random() < 0.25 else draw.randint(1, 10 * MINUTE)
    sketch.acts.append(Adopt(at=at, by=sketch.person(draw), instance=instance, version=named))
    if draw.random() < 0.2:
        sketch.acts.append(Outage(at=max(1, at - draw.randint(-5, 30) * SECOND), instance=instance, lasts=2 * MINUTE))
    if draw.random() < 0.3:  # again, after a failed adoption or beside one
        later = at + draw.choice((SECOND, MINUTE, 10 * MINUTE))
        sketch.acts.append(Adopt(at=later, by=sketch.person(draw), instance=instance, version=runs))


def _behaviour(draw: Random) -> Behaviour:
    """It is unhealthy from the start or soon afterwards, or nothing but the first time comes up."""
    kind = draw.random()
    if kind < 0.4:
        return Behaviour(takes=1, sickens=1)
    return Behaviour(takes=1, sickens=draw.randint(30, 900) * SECOND) if kind < 0.7 else Behaviour(spoils=True)
