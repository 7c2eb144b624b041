"""Actions of people at the worst moment: right before or after target moves, something fails or is finalized."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.acts import Act, Upon
from setpoint.simulate.acts.marking import CancelRelease, Mark
from setpoint.simulate.acts.overrides import HoldInstance, Pin, Resume, Retry, RollBack, SkipGate, Unpin
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.acts.voting import CastVote
from setpoint.simulate.generators.plan_builder import PlanBuilder

MOMENTS = ("target-moved", "phase-entered", "attempt-started", "finalized", "rolling-back", "rolled-back", "failed", "drift")
ON_INSTANCE = (HoldInstance, Resume, Unpin, Retry, RollBack)


def worst_moments(builder: PlanBuilder, draw: Random) -> None:
    """A person acts just when something happens: immediately, or so soon that it is not through yet."""
    for _ in range(builder.some(draw, 0, 8)):
        instance = draw.choice(builder.instances)
        upon = Upon(draw.choice(MOMENTS), instance, draw.randint(1, 4))
        at = draw.choice((0, 1, draw.randint(1, 5 * SECOND), draw.randint(1, MINUTE)))
        builder.acts.append(_act(builder, draw, instance, at, upon))


def stuck_rollbacks(builder: PlanBuilder, draw: Random) -> None:
    """A person names another version to go back to while a rollback has failed, or as soon as it is retried."""
    for instance in builder.instances:
        for nth in range(1, 5):
            if draw.random() < 0.6:
                upon, at = Upon("rollback-failed", instance, nth), draw.choice((0, draw.randint(1, 10 * SECOND)))
                named = draw.randint(1, 2)
                builder.acts.append(RollBack(at=at, upon=upon, by=builder.person(draw), instance=instance, named=named))


def _act(builder: PlanBuilder, draw: Random, instance: str, at: int, upon: Upon) -> Act:
    by, kind = builder.person(draw), draw.random()
    releases = [act for act in builder.acts if isinstance(act, RequestRelease)]
    if kind < 0.4:
        return draw.choice(ON_INSTANCE)(at=at, upon=upon, by=by, instance=instance)
    if kind < 0.5:
        return Pin(at=at, upon=upon, by=by, instance=instance, which=draw.randint(0, 3))
    if kind < 0.6:
        return SkipGate(at=at, upon=upon, by=by, instance=instance, gate="*")
    if kind < 0.7:
        kept = scope.above(builder.policies[instance].labels)
        return draw.choice((Stop, Pause))(at=at, upon=upon, by=by, scope=draw.choice(kept), lasts=draw.randint(1, 20) * MINUTE)
    if kind < 0.75 or not releases:
        return CastVote(at=at, upon=upon, by=by, yes=False, instance=instance)
    return _on_release(draw, releases, at, upon, by)


def _on_release(draw: Random, releases: list[RequestRelease], at: int, upon: Upon, by: str) -> Act:
    """Released once more, perhaps as a hot fix; found bad; cancelled."""
    which, kind = draw.randrange(len(releases)), draw.random()
    release = releases[which]
    if kind < 0.4:
        return replace(release, at=at, upon=upon, by=by, urgent=draw.random() < 0.4)
    if kind < 0.7:
        service = draw.choice(sorted(release.services))
        version = release.services[service]
        return Mark(at=at, upon=upon, by=by, application=release.application, service=service, version=version)
    return CancelRelease(at=at, upon=upon, by=by, application=release.application, release=which + 1)
