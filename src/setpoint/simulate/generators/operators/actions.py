"""Actions of people on instances, versions and scopes, at random moments; some of their orders expire."""

from __future__ import annotations

from random import Random

from setpoint.core import scope
from setpoint.model.time import MINUTE
from setpoint.simulate.acts import Act
from setpoint.simulate.acts.ending import Brief
from setpoint.simulate.acts.marking import CancelRelease, Mark
from setpoint.simulate.acts.overrides import HoldInstance, Observe, Pin, Resume, Retry, RollBack, SkipGate, Unpin
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.generators.plan_builder import PlanBuilder


def signals(builder: PlanBuilder, draw: Random) -> None:
    """Skips, pins, holds, rollbacks by hand, retries."""
    for _ in range(builder.some(draw, 0, 12)):
        builder.acts.append(_signal(builder, draw))


def _signal(builder: PlanBuilder, draw: Random) -> Act:
    instance, act = draw.choice(builder.instances), draw.random()
    at, by = builder.sometime(draw), builder.person(draw)
    if act < 0.2:
        policy = builder.policies[instance]
        gates = ("*", "after", *(use.name for use in policy.checks), *(use.name for use in policy.tasks))
        return SkipGate(at=at, by=by, instance=instance, gate=draw.choice(gates))
    if act < 0.35:
        return Pin(at=at, by=by, instance=instance, which=draw.randint(0, 5))
    kinds = ((0.45, Unpin), (0.5, HoldInstance), (0.6, Resume), (0.75, RollBack), (1.0, Retry))
    kind = next(kind for most, kind in kinds if act < most)
    return kind(at=at, by=by, instance=instance)


def findings(builder: PlanBuilder, draw: Random) -> None:
    """A person marks a version bad, or good after all, or cancels a release."""
    releases = [act for act in builder.acts if isinstance(act, RequestRelease)]
    for _ in range(builder.some(draw, 0, 3) if releases else 0):
        act, which, at, by = draw.random(), draw.randrange(len(releases)), builder.sometime(draw), builder.person(draw)
        found = releases[which]
        if act < 0.7:
            service = draw.choice(sorted(found.services))
            version = found.services[service]
            mark = Mark(at=at, by=by, application=found.application, service=service, version=version, bad=act < 0.45)
            builder.acts.append(mark)
        else:
            builder.acts.append(CancelRelease(at=at, by=by, application=found.application, release=which + 1))


def storms(builder: PlanBuilder, draw: Random) -> None:
    """A person freezes or pauses a scope, or only observes an instance, for a while."""
    for _ in range(builder.some(draw, 0, 3)):
        instance, act = draw.choice(builder.instances), draw.random()
        entity = draw.choice(scope.above(builder.policies[instance].labels))
        at, by, lasts = builder.sometime(draw), builder.person(draw), draw.randint(1, 40) * MINUTE
        if act < 0.4:
            builder.acts.append(Stop(at=at, by=by, scope=entity, lasts=lasts))
        elif act < 0.8:
            builder.acts.append(Pause(at=at, by=by, scope=entity, lasts=lasts))
        else:
            builder.acts.append(Observe(at=at, by=by, instance=instance, lasts=lasts))


def brief_orders(builder: PlanBuilder, draw: Random) -> None:
    """A person gives orders that only expire: some in a row, so that one is given while the other stands."""
    for _ in range(builder.some(draw, 0, 5)):
        instance, at, by = draw.choice(builder.instances), builder.sometime(draw), builder.person(draw)
        order = draw.choice(("hold", "observe", "pin", "pin", "skip", "skip", "stop", "pause"))
        lasts = draw.randint(1, 60) * MINUTE
        builder.acts.append(Brief(at=at, by=by, instance=instance, order=order, lasts=lasts, which=draw.randint(0, 5)))
        if draw.random() < 0.3:
            later = at + draw.randint(0, lasts)
            builder.acts.append(Brief(at=later, by=by, instance=instance, order=order, lasts=draw.randint(1, 60) * MINUTE))
