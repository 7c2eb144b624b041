"""Approvals that are asked for, and people who give or refuse them."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.model.policy import ApprovalUse, Policy
from setpoint.model.time import MINUTE
from setpoint.simulate.acts.voting import Vote
from setpoint.simulate.drawing.base import Place, Sketch, happening, policy_piece


@policy_piece
def approvals(place: Place, policy: Policy, draw: Random) -> Policy:
    """Half of the channels behind the first ask for one."""
    if not place.before or draw.random() < 0.5:
        return policy
    use = ApprovalUse(
        "release-manager",
        "release-manager",
        f"channel:{place.application}/{place.channel}",
        approvers=draw.choice((None, ("group:leads",))),
        min=draw.choice((1, 1, 2)),
        expires=draw.choice((0, 20 * MINUTE)),
    )
    return replace(policy, approvals=(use,))


@happening
def votes(sketch: Sketch, draw: Random) -> None:
    """Many yeses, few noes."""
    for yes, count in ((True, draw.randint(20, 80)), (False, draw.randint(0, 2))):
        sketch.acts += [Vote(at=sketch.sometime(draw), by=sketch.person(draw), yes=yes) for _ in range(count)]
