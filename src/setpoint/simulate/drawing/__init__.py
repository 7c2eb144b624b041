"""Which world a seed stands for: what is configured and what will happen, a file per concern; each registers its own pieces."""

from __future__ import annotations

from random import Random

from setpoint.simulate.drawing.base import HAPPENINGS, PEOPLE, Place, Sketch, happen, happening, luck, policy, policy_piece
from setpoint.simulate.drawing.misfortunes import misfortunes
from setpoint.simulate.faults import Faults
from setpoint.simulate.finding import find_all
from setpoint.simulate.plan import Plan

find_all(__name__, __path__)

CHANNELS = ("staging", "production", "acme")
"""Each comes after the one before it."""
LEAST = 200
"""Faults in each world."""
SEASONS = {1: 5, 2: 3, 3: 2, 4: 2}
"""Instances -> how long their world goes wrong."""


def draw(seed: int, *, faults: Faults | None = None) -> Plan:
    """The plan of a seed. ``faults`` replaces those that the seed stands for."""
    places = _places(luck(seed, "places"))
    policies = {place.instance: policy(seed, place, 0) for place in places}
    sketch = Sketch(seed, policies, places, seasons=SEASONS.get(len(places), 1))
    return complete(sketch, faults)


def complete(sketch: Sketch, faults: Faults | None = None) -> Plan:
    """A plan for what is configured: everything that happens is drawn."""
    happen(sketch, HAPPENINGS)
    return Plan(
        seed=sketch.seed,
        people=sketch.people,
        policies=sketch.policies,
        told=tuple(sketch.told),
        acts=tuple(sorted(sketch.acts, key=lambda act: act.at)),
        timetable=sketch.timetable,
        takes=sketch.takes,
        faults=faults or misfortunes(luck(sketch.seed, "faults"), len(sketch.policies)),
        unfair=sketch.unfair,
        least=0 if faults else LEAST,
    )


def _places(draw: Random) -> tuple[Place, ...]:
    """One, two or three services in a chain of channels, and perhaps one that mirrors."""
    services = [f"s{number}" for number in range(draw.randint(1, 2))]
    channels = CHANNELS[: draw.randint(1, 3)]
    befores = dict(zip(channels, ("", *channels), strict=False))
    if draw.random() < 0.4:
        befores["mirror"] = "production" if "production" in channels else "staging"
    if draw.random() < 0.1:
        services.append(f"s{len(services)}")
    return tuple(Place(service, channel, before) for service in services for channel, before in befores.items())


__all__ = ["CHANNELS", "PEOPLE", "Place", "Sketch", "complete", "draw", "happening", "luck", "policy_piece"]
