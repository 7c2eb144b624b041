"""Versions that run before the first release, and people who adopt them."""

from __future__ import annotations

from random import Random

from setpoint.model.policy import Strategy
from setpoint.model.time import MINUTE, SECOND, Duration
from setpoint.simulate.acts.accidents import Outage
from setpoint.simulate.acts.adopting import Adopt, RunsAlready
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.world.runtimes import Behaviour

OLD = ("0.8.0", "0.9.0", "1.1.0")
"""Versions that may run already; the last one may be released later."""


def first_contact(builder: PlanBuilder, draw: Random) -> None:
    """In a quarter of the worlds a version runs in some places already, and people adopt it."""
    if draw.random() > 0.25:
        return
    first = min((act.at for act in builder.acts if isinstance(act, RequestRelease)), default=builder.unfair)
    for instance, policy in builder.policies.items():
        if policy.strategy is not Strategy.MIRROR and draw.random() < 0.6:
            _adopted(builder, draw, instance, first)


def _adopted(builder: PlanBuilder, draw: Random, instance: str, first: Duration) -> None:
    """Most people are right; others name another version, or what runs is not healthy, or cannot be observed for a while."""
    runs, kind = draw.choice(OLD), draw.random()
    named = draw.choice(OLD) if kind < 0.2 else runs
    builder.acts.append(
        RunsAlready(
            instance=instance,
            version=runs,
            behaves=_behaviour(draw) if kind > 0.7 else Behaviour(),
            difference="a" if 0.6 < kind < 0.7 else "",
        )
    )
    close = max(1, first + draw.randint(-20, 20) * SECOND)
    at = close if draw.random() < 0.25 else draw.randint(1, 10 * MINUTE)
    builder.acts.append(Adopt(at=at, by=builder.person(draw), instance=instance, version=named))
    if draw.random() < 0.2:
        builder.acts.append(Outage(at=max(1, at - draw.randint(-5, 30) * SECOND), instance=instance, lasts=2 * MINUTE))
    if draw.random() < 0.3:  # again, after a failed adoption or beside one
        later = at + draw.choice((SECOND, MINUTE, 10 * MINUTE))
        builder.acts.append(Adopt(at=later, by=builder.person(draw), instance=instance, version=runs))


def _behaviour(draw: Random) -> Behaviour:
    """It is unhealthy from the start or soon afterwards, or nothing but the first time comes up."""
    kind = draw.random()
    if kind < 0.4:
        return Behaviour(takes=1, sickens=1)
    return Behaviour(takes=1, sickens=draw.randint(30, 900) * SECOND) if kind < 0.7 else Behaviour(spoils=True)
