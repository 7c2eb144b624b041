"""People at the worst moment: right before or after target moves, something fails, something is finalized."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.acts import Act, Upon
from setpoint.simulate.acts.marking import Cancel, Mark
from setpoint.simulate.acts.releasing import Release
from setpoint.simulate.acts.steering import Hold, Pin, Resume, Retry, RollBack, Skip, Unpin
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.acts.voting import Vote
from setpoint.simulate.drawing.base import Sketch, happening

MOMENTS = ("target-moved", "phase-entered", "attempt-started", "finalized", "rolling-back", "rolled-back", "failed", "drift")
ON_INSTANCE = (Hold, Resume, Unpin, Retry, RollBack)


@happening
def worst_moments(sketch: Sketch, draw: Random) -> None:
    """Somebody acts just when something happens: at once, or so soon that it is not through yet."""
    for _ in range(sketch.some(draw, 0, 8)):
        instance = draw.choice(sketch.instances)
        upon = Upon(draw.choice(MOMENTS), instance, draw.randint(1, 4))
        at = draw.choice((0, 1, draw.randint(1, 5 * SECOND), draw.randint(1, MINUTE)))
        sketch.acts.append(_act(sketch, draw, instance, at, upon))


@happening
def stuck_rollbacks(sketch: Sketch, draw: Random) -> None:
    """A person names another version to go back to while a rollback has failed, or as soon as it is retried."""
    for instance in sketch.instances:
        for nth in range(1, 5):
            if draw.random() < 0.6:
                upon, at = Upon("rollback-failed", instance, nth), draw.choice((0, draw.randint(1, 10 * SECOND)))
                named = draw.randint(1, 2)
                sketch.acts.append(RollBack(at=at, upon=upon, by=sketch.person(draw), instance=instance, named=named))


def _act(sketch: Sketch, draw: Random, instance: str, at: int, upon: Upon) -> Act:
    by, kind = sketch.person(draw), draw.random()
    releases = [act for act in sketch.acts if isinstance(act, Release)]
    if kind < 0.4:
        return draw.choice(ON_INSTANCE)(at=at, upon=upon, by=by, instance=instance)
    if kind < 0.5:
        return Pin(at=at, upon=upon, by=by, instance=instance, which=draw.randint(0, 3))
    if kind < 0.6:
        return Skip(at=at, upon=upon, by=by, instance=instance, gate="*")
    if kind < 0.7:
        kept = scope.above(sketch.policies[instance].labels)
        return draw.choice((Stop, Pause))(at=at, upon=upon, by=by, scope=draw.choice(kept), lasts=draw.randint(1, 20) * MINUTE)
    if kind < 0.75 or not releases:
        return Vote(at=at, upon=upon, by=by, yes=False, instance=instance)
    return _on_release(draw, releases, at, upon, by)


def _on_release(draw: Random, releases: list[Release], at: int, upon: Upon, by: str) -> Act:
    """Released once more, perhaps as a hot fix; found bad; cancelled."""
    which, kind = draw.randrange(len(releases)), draw.random()
    release = releases[which]
    if kind < 0.4:
        return replace(release, at=at, upon=upon, by=by, urgent=draw.random() < 0.4)
    if kind < 0.7:
        service = draw.choice(sorted(release.services))
        version = release.services[service]
        return Mark(at=at, upon=upon, by=by, application=release.application, service=service, version=version)
    return Cancel(at=at, upon=upon, by=by, application=release.application, release=which + 1)
