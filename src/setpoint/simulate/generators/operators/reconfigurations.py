"""Changes of the configuration while everything runs."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.generators.policies.policy import policy


def reconfigurations(builder: PlanBuilder, draw: Random) -> None:
    """Somebody changes when an instance may deploy; how it picks its releases stays."""
    for revision in range(1, draw.randint(0, 2) + 1) if builder.places else ():
        place = draw.choice(builder.places)
        old, new = builder.policies[place.instance], policy(builder.seed, place, revision)
        changed = replace(new, strategy=old.strategy, mirror=old.mirror)
        builder.acts.append(Reconfigure(at=builder.sometime(draw), policy=changed))
