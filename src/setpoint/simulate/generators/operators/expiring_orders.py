"""Orders that expire."""

from __future__ import annotations

from random import Random

from setpoint.model.time import MINUTE
from setpoint.simulate.acts.ending import Brief
from setpoint.simulate.generators.plan_builder import PlanBuilder


def brief_orders(builder: PlanBuilder, draw: Random) -> None:
    """Somebody gives orders that nobody withdraws: some in a row, so that one is given while the other stands."""
    for _ in range(builder.some(draw, 0, 5)):
        instance, at, by = draw.choice(builder.instances), builder.sometime(draw), builder.person(draw)
        order = draw.choice(("hold", "observe", "pin", "pin", "skip", "skip", "stop", "pause"))
        lasts = draw.randint(1, 60) * MINUTE
        builder.acts.append(Brief(at=at, by=by, instance=instance, order=order, lasts=lasts, which=draw.randint(0, 5)))
        if draw.random() < 0.3:
            later = at + draw.randint(0, lasts)
            builder.acts.append(Brief(at=later, by=by, instance=instance, order=order, lasts=draw.randint(1, 60) * MINUTE))
