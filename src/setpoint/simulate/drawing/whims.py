"""What people do to instances, versions and scopes, for no reason that the engine could know."""

from __future__ import annotations

from random import Random

from setpoint.core import scope
from setpoint.model.time import MINUTE
from setpoint.simulate.acts import Act
from setpoint.simulate.acts.marking import Cancel, Mark
from setpoint.simulate.acts.releasing import Release
from setpoint.simulate.acts.steering import Hold, Observe, Pin, Resume, Retry, RollBack, Skip, Unpin
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.drawing.base import Sketch, happening


@happening
def signals(sketch: Sketch, draw: Random) -> None:
    """Skips, pins, holds, rollbacks by hand, retries."""
    for _ in range(sketch.some(draw, 0, 12)):
        sketch.acts.append(_signal(sketch, draw))


def _signal(sketch: Sketch, draw: Random) -> Act:
    instance, act = draw.choice(sketch.instances), draw.random()
    at, by = sketch.sometime(draw), sketch.person(draw)
    if act < 0.2:
        policy = sketch.policies[instance]
        gates = ("*", "after", *(use.name for use in policy.checks), *(use.name for use in policy.tasks))
        return Skip(at=at, by=by, instance=instance, gate=draw.choice(gates))
    if act < 0.35:
        return Pin(at=at, by=by, instance=instance, which=draw.randint(0, 5))
    kinds = ((0.45, Unpin), (0.5, Hold), (0.6, Resume), (0.75, RollBack), (1.0, Retry))
    kind = next(kind for most, kind in kinds if act < most)
    return kind(at=at, by=by, instance=instance)


@happening
def findings(sketch: Sketch, draw: Random) -> None:
    """Somebody finds a version bad, or good after all, or cancels a release."""
    releases = [act for act in sketch.acts if isinstance(act, Release)]
    for _ in range(sketch.some(draw, 0, 3) if releases else 0):
        act, which, at, by = draw.random(), draw.randrange(len(releases)), sketch.sometime(draw), sketch.person(draw)
        found = releases[which]
        if act < 0.7:
            service = draw.choice(sorted(found.services))
            version = found.services[service]
            mark = Mark(at=at, by=by, application=found.application, service=service, version=version, bad=act < 0.45)
            sketch.acts.append(mark)
        else:
            sketch.acts.append(Cancel(at=at, by=by, application=found.application, release=which + 1))


@happening
def storms(sketch: Sketch, draw: Random) -> None:
    """Somebody stops or pauses a part of it, or only observes an instance, for a while."""
    for _ in range(sketch.some(draw, 0, 3)):
        instance, act = draw.choice(sketch.instances), draw.random()
        entity = draw.choice(scope.above(sketch.policies[instance].labels))
        at, by, lasts = sketch.sometime(draw), sketch.person(draw), draw.randint(1, 40) * MINUTE
        if act < 0.4:
            sketch.acts.append(Stop(at=at, by=by, scope=entity, lasts=lasts))
        elif act < 0.8:
            sketch.acts.append(Pause(at=at, by=by, scope=entity, lasts=lasts))
        else:
            sketch.acts.append(Observe(at=at, by=by, instance=instance, lasts=lasts))
