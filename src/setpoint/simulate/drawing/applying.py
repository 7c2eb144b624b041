"""Applies of configurations in which what runs is different: now and then, everywhere or in some channels."""

from __future__ import annotations

from random import Random

from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.drawing.base import Sketch, happening
from setpoint.simulate.drawing.releasing import behaviour
from setpoint.simulate.stage import Stage


@happening
def configurations(sketch: Sketch, draw: Random) -> None:
    """A few to each application; most come up with every version, some fail somewhere."""
    for application in sorted({Stage.parts(instance)[0] for instance in sketch.instances}):
        for _ in range(sketch.some(draw, 0, 1) if draw.random() < 0.6 else 0):
            mine = [instance for instance in sketch.instances if Stage.parts(instance)[0] == application]
            channels = sorted({Stage.parts(instance)[2] for instance in mine})
            chosen = tuple(channel for channel in channels if draw.random() < 0.5) if draw.random() < 0.3 else ()
            sketch.acts.append(
                ChangeConfiguration(
                    at=sketch.sometime(draw),
                    by=sketch.person(draw),
                    application=application,
                    channels=chosen,
                    behaves={instance: behaviour(draw) for instance in mine} if draw.random() < 0.5 else {},
                )
            )
