"""Services and channels that concern each other: orderings between services, sets, floors of rollbacks, members of groups."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from setpoint.model.policy import Policy, ServiceOrdering, Strategy
from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.acts.releasing import TOGETHER, Release
from setpoint.simulate.drawing.base import Sketch, happening
from setpoint.simulate.stage import Stage


@happening
def together(sketch: Sketch, draw: Random) -> None:
    """In half of the worlds with several services these move as one; then some releases name only part of them."""
    services = _services(sketch)
    if len(services) < 2 or draw.random() < 0.5:
        return
    members = services if draw.random() < 0.7 else services[:2]

    def join(policy: Policy) -> Policy:
        _, service, channel = Stage.parts(policy.instance)
        if service not in members or policy.strategy is Strategy.MIRROR:
            return policy
        return replace(policy, labels={**policy.labels, TOGETHER: channel})

    _change(sketch, join)
    _part(sketch, draw, services)


@happening
def services_in_order(sketch: Sketch, draw: Random) -> None:
    """In some worlds each service comes after the one before it in its channel."""
    services = _services(sketch)
    if len(services) < 2 or draw.random() < 0.6:
        return
    before, text = dict(zip(services[1:], services, strict=False)), draw.choice(("*", "*", ">=1.2.0"))

    def order(policy: Policy) -> Policy:
        application, service, channel = Stage.parts(policy.instance)
        if service not in before:
            return policy
        other = f"{application}/{before[service]}@{channel}"
        return replace(policy, services=(ServiceOrdering(f"after-{before[service]}", other, text),))

    _change(sketch, order)
    _part(sketch, draw, services)


@happening
def groups(sketch: Sketch, draw: Random) -> None:
    """Sometimes the channel before is a group of one: what that does not take, it does not hold up."""
    if draw.random() < 0.8:
        return
    allow_empty = draw.random() < 0.7

    def member(policy: Policy) -> Policy:
        found = tuple(replace(one, members=one.instances, allow_empty=allow_empty) for one in policy.orderings)
        return replace(policy, orderings=found)

    _change(sketch, member)


@happening
def floors(sketch: Sketch, draw: Random) -> None:
    """Some releases must not be rolled back far."""
    for index, act in enumerate(sketch.acts):
        if isinstance(act, Release) and draw.random() < 0.1:
            floor = f"1.{draw.randint(1, 8)}.0"
            sketch.acts[index] = replace(act, floors=dict.fromkeys(act.services, floor))


def _services(sketch: Sketch) -> list[str]:
    return sorted({place.service for place in sketch.places})


def _change(sketch: Sketch, change: Callable[[Policy], Policy]) -> None:
    """Now and in every later configuration."""
    for instance, policy in sketch.policies.items():
        sketch.policies[instance] = change(policy)
    for index, act in enumerate(sketch.acts):
        if isinstance(act, Reconfigure):
            sketch.acts[index] = replace(act, policy=change(act.policy))


def _part(sketch: Sketch, draw: Random, services: list[str]) -> None:
    for index, act in enumerate(sketch.acts):
        if isinstance(act, Release) and len(act.services) == len(services) and draw.random() < 0.2:
            named = draw.sample(services, draw.randint(1, len(services) - 1))
            sketch.acts[index] = replace(act, services={one: act.services[one] for one in sorted(named)})
