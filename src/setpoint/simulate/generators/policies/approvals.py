"""Approvals that an instance needs, and people who give or refuse them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from msgspec.structs import replace

from setpoint.model.names import with_kind, within
from setpoint.model.policy import ApprovalUse, Policy
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.acts import Upon
from setpoint.simulate.acts.voting import CastVote
from setpoint.simulate.generators.plan_builder import InstancePlace, PlanBuilder

ANSWERED = 25
"""Requests of an instance that people answer."""


def approvals(place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """Half of the channels behind the first ask for one."""
    if not place.before or draw.random() < 0.5:
        return policy
    use = ApprovalUse(
        "release-manager",
        "release-manager",
        with_kind("channel", within(place.application, place.channel)),
        approvers=draw.choice((None, ("group:leads",))),
        min=draw.choice((1, 1, 2)),
        expires=draw.choice((0, 20 * MINUTE)),
    )
    return replace(policy, approvals=(use,))


def votes(builder: PlanBuilder, draw: Random) -> None:
    """People approve most requests after a while; now and then one votes without a request."""
    for instance in builder.instances:
        if builder.policies[instance].approvals:
            builder.acts += _answers(builder, draw, instance)
    for yes, count in ((True, builder.some(draw, 0, 30)), (False, builder.some(draw, 0, 2))):
        builder.acts += [CastVote(at=builder.sometime(draw), by=builder.person(draw), yes=yes) for _ in range(count)]


def _answers(builder: PlanBuilder, draw: Random, instance: str) -> Iterator[CastVote]:
    for nth in range(1, ANSWERED):
        upon = Upon("phase-entered", instance, nth)
        for person in draw.sample(builder.people, k=min(draw.choice((1, 2, 3)), len(builder.people))):
            at = draw.randint(1, draw.choice((10, 60, 600, 1200))) * SECOND
            yield CastVote(at=at, upon=upon, by=person.name, yes=draw.random() < 0.97, instance=instance)
