"""Accidents of runtimes: outages, drift, everything taken down."""

from __future__ import annotations

from random import Random

from setpoint.model.time import MINUTE
from setpoint.simulate.acts import Act
from setpoint.simulate.acts.accidents import Drift, Outage, Vanish
from setpoint.simulate.generators.plan_builder import PlanBuilder


def accidents(builder: PlanBuilder, draw: Random) -> None:
    """Outages, drift, everything taken down."""
    for _ in range(builder.some(draw, 0, 6)):
        builder.acts.append(_accident(draw.choice(builder.instances), builder.sometime(draw), draw))


def _accident(instance: str, at: int, draw: Random) -> Act:
    kind = draw.random()
    if kind < 0.4:
        return Outage(at=at, instance=instance, lasts=draw.randint(1, 20) * MINUTE)
    if kind < 0.7:
        return Drift(at=at, instance=instance, difference=draw.choice(("a", "b")), stubborn=draw.random() < 1 / 3)
    return Vanish(at=at, instance=instance)
