"""Changes of the configuration while everything runs."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.drawing.base import Sketch, happening, policy


@happening
def reconfigurations(sketch: Sketch, draw: Random) -> None:
    """Somebody changes when an instance may deploy; how it picks its releases stays."""
    for revision in range(1, draw.randint(0, 2) + 1) if sketch.places else ():
        place = draw.choice(sketch.places)
        old, new = sketch.policies[place.instance], policy(sketch.seed, place, revision)
        changed = replace(new, strategy=old.strategy, mirror=old.mirror)
        sketch.acts.append(Reconfigure(at=sketch.sometime(draw), policy=changed))
