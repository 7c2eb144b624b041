"""Instances that leave the configuration while everything goes on."""

from __future__ import annotations

from random import Random

from setpoint.model.time import MINUTE
from setpoint.simulate.acts.removal import Leave
from setpoint.simulate.generators.plan_builder import PlanBuilder


def departures(builder: PlanBuilder, draw: Random) -> None:
    """Now and then one leaves; sometimes what is left of it is taken down."""
    if draw.random() > 0.25:
        return
    for _ in range(draw.randint(1, 2)):
        lasts = draw.randint(1, 60) * MINUTE
        builder.acts.append(
            Leave(
                at=builder.sometime(draw),
                by=builder.person(draw),
                instance=draw.choice(builder.instances),
                lasts=lasts,
                down=draw.random() < 0.2,
                taken_down_after=draw.randint(1, lasts) if draw.random() < 0.4 else 0,
            )
        )
