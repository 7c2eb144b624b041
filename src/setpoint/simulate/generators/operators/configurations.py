"""Applies of configurations that change what runs: now and then, everywhere or in some channels."""

from __future__ import annotations

from random import Random

from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.generators.operators.releases import behaviour
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.world.environment import Environment


def configurations(builder: PlanBuilder, draw: Random) -> None:
    """A few to each application; most come up with every version, some fail somewhere."""
    for application in sorted({Environment.parts(instance)[0] for instance in builder.instances}):
        for _ in range(builder.some(draw, 0, 1) if draw.random() < 0.6 else 0):
            mine = [instance for instance in builder.instances if Environment.parts(instance)[0] == application]
            channels = sorted({Environment.parts(instance)[2] for instance in mine})
            chosen = tuple(channel for channel in channels if draw.random() < 0.5) if draw.random() < 0.3 else ()
            builder.acts.append(
                ChangeConfiguration(
                    at=builder.sometime(draw),
                    by=builder.person(draw),
                    application=application,
                    channels=chosen,
                    behaves={instance: behaviour(draw) for instance in mine} if draw.random() < 0.5 else {},
                )
            )
