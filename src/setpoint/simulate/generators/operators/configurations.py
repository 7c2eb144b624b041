"""Changes of the configuration during the run: what runs, when it may deploy, and which instances are in it."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.model.time import MINUTE
from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.acts.removal import Leave
from setpoint.simulate.generators.operators.releases import behaviour
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.generators.policies.policy import policy
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


def reconfigurations(builder: PlanBuilder, draw: Random) -> None:
    """A person changes when an instance may deploy; how it selects its releases stays."""
    for revision in range(1, draw.randint(0, 2) + 1) if builder.places else ():
        place = draw.choice(builder.places)
        old, new = builder.policies[place.instance], policy(builder.seed, place, revision)
        changed = replace(new, strategy=old.strategy, mirror=old.mirror)
        builder.acts.append(Reconfigure(at=builder.sometime(draw), policy=changed))


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
