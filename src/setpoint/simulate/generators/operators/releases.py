"""Releases: how many, how often, and how their versions behave."""

from __future__ import annotations

from random import Random

from setpoint.model.policy import Strategy
from setpoint.model.time import SECOND
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.runtimes import Behaviour


def releases(builder: PlanBuilder, draw: Random) -> None:
    """A handful to each application, in the order of their numbers; some are of an earlier version once more."""
    for application in sorted({Environment.parts(instance)[0] for instance in builder.instances}):
        times = sorted(builder.sometime(draw) for _ in range(builder.some(draw, 1, 4)))
        for number, at in enumerate(times, 1):
            again = number > 1 and draw.random() < 0.1
            builder.acts.append(_release(builder, draw, application, at, draw.randint(1, number - 1) if again else number))


def _release(builder: PlanBuilder, draw: Random, application: str, at: int, version: int) -> RequestRelease:
    mine = [instance for instance in builder.instances if Environment.parts(instance)[0] == application]
    named = [instance for instance in mine if builder.policies[instance].strategy is not Strategy.MIRROR]
    addressed = draw.random() < 0.15
    return RequestRelease(
        at=at,
        by=builder.person(draw),
        application=application,
        services=dict.fromkeys(sorted({Environment.parts(instance)[1] for instance in mine}), f"1.{version}.0"),
        channels=tuple(dict.fromkeys(Environment.parts(instance)[2] for instance in named)) if addressed else (),
        urgent=draw.random() < 0.15,
        behaves={instance: behaviour(draw) for instance in mine},
    )


def behaviour(draw: Random) -> Behaviour:
    """Most versions come up; the others fail, hang, sicken later, or are refused."""
    kind = draw.random()
    takes = draw.randint(1, 20) * SECOND
    if kind < 0.7:
        return Behaviour(takes, spoils=draw.random() < 0.15)
    if kind < 0.77:
        return Behaviour(takes, "failing")
    if kind < 0.81:
        return Behaviour(takes, "hangs")
    if kind < 0.88:
        return Behaviour(takes, sickens=draw.randint(5, 120) * SECOND)
    return Behaviour(takes, refusals=draw.randint(1, 3)) if kind < 0.96 else Behaviour(takes, terminal=True)
