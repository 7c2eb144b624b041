"""Services and channels that concern each other: orderings between services, sets, floors of rollbacks, members of groups."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from setpoint.model.names import format_instance
from setpoint.model.policy import Policy, ServiceOrdering, Strategy
from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.acts.releasing import TOGETHER, RequestRelease
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.world.environment import Environment


def together(builder: PlanBuilder, draw: Random) -> None:
    """In half of the worlds with several services these move as one; then some releases name only part of them."""
    services = _services(builder)
    if len(services) < 2 or draw.random() < 0.5:
        return
    members = services if draw.random() < 0.7 else services[:2]

    def join(policy: Policy) -> Policy:
        _, service, channel = Environment.parts(policy.instance)
        if service not in members or policy.strategy is Strategy.MIRROR:
            return policy
        return replace(policy, labels={**policy.labels, TOGETHER: channel})

    _change(builder, join)
    _part(builder, draw, services)


def services_in_order(builder: PlanBuilder, draw: Random) -> None:
    """In some worlds each service comes after the one before it in its channel."""
    services = _services(builder)
    if len(services) < 2 or draw.random() < 0.6:
        return
    before, text = dict(zip(services[1:], services, strict=False)), draw.choice(("*", "*", ">=1.2.0"))

    def order(policy: Policy) -> Policy:
        application, service, channel = Environment.parts(policy.instance)
        if service not in before:
            return policy
        other = format_instance(application, before[service], channel)
        return replace(policy, services=(ServiceOrdering(f"after-{before[service]}", other, text),))

    _change(builder, order)
    _part(builder, draw, services)


def groups(builder: PlanBuilder, draw: Random) -> None:
    """Sometimes the channel before is a group of one: what that does not take, it does not hold up."""
    if draw.random() < 0.8:
        return
    allow_empty = draw.random() < 0.7

    def member(policy: Policy) -> Policy:
        found = tuple(replace(one, members=one.instances, allow_empty=allow_empty) for one in policy.orderings)
        return replace(policy, orderings=found)

    _change(builder, member)


def floors(builder: PlanBuilder, draw: Random) -> None:
    """Some releases must not be rolled back far."""
    for index, act in enumerate(builder.acts):
        if isinstance(act, RequestRelease) and draw.random() < 0.1:
            floor = f"1.{draw.randint(1, 8)}.0"
            builder.acts[index] = replace(act, floors=dict.fromkeys(act.services, floor))


def _services(builder: PlanBuilder) -> list[str]:
    return sorted({place.service for place in builder.places})


def _change(builder: PlanBuilder, change: Callable[[Policy], Policy]) -> None:
    """Now and in every later configuration."""
    for instance, policy in builder.policies.items():
        builder.policies[instance] = change(policy)
    for index, act in enumerate(builder.acts):
        if isinstance(act, Reconfigure):
            builder.acts[index] = replace(act, policy=change(act.policy))


def _part(builder: PlanBuilder, draw: Random, services: list[str]) -> None:
    for index, act in enumerate(builder.acts):
        if isinstance(act, RequestRelease) and len(act.services) == len(services) and draw.random() < 0.2:
            named = draw.sample(services, draw.randint(1, len(services) - 1))
            builder.acts[index] = replace(act, services={one: act.services[one] for one in sorted(named)})
