"""Rollback by hand: to *good*, to the good version before it, or to a named one that was good here."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.commands.marks import refuse_bad
from setpoint.control.context import RequestContext
from setpoint.control.errors import Refused
from setpoint.control.permissions import Permission
from setpoint.control.reading.old_offers import finalized, offers_of
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import RolledBack
from setpoint.core.instance.outcomes import too_old
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.model.names import instance_entity, parse_instance, short_name
from setpoint.model.release import Offer


class RollbackRequest(Request):
    """Where, how far back, and why."""

    target: str
    """An instance, a channel or a group."""
    version: str = ""
    """Empty: during a rollout to *good*, else to the good version before it."""
    why: str = Field("", max_length=2000)


class RollbackAnswer(Answer):
    """What goes back, and to what."""

    instances: dict[str, str]
    """Instance -> version's name."""
    refused: dict[str, str]
    """Instances of the channel that stay, and why."""


@command(
    "rollback",
    Permission.ROLLBACK,
    RollbackRequest,
    RollbackAnswer,
    "Roll back immediately, past every gate; the instance is held until a person unholds it.",
    subject=lambda request: request.target + (f" to {request.version}" if request.version else ""),
)
async def rollback(context: RequestContext, request: RollbackRequest) -> RollbackAnswer:
    """What has nothing to go back to stays; refused when that is so everywhere."""
    going: dict[str, tuple[Offer, bool]] = {}
    staying: dict[str, str] = {}
    for instance in instances(context.configuration, request.target):
        state = await state_of(context, instance)
        try:
            offer = await _named(context, instance, state, request.version) if request.version else _before(instance, state)
            going[instance] = (offer, bool(request.version))
        except Refused as error:
            staying[instance] = error.message
    if not going:
        raise Refused(
            " ".join(staying.values()), "See `setpoint history` for what ran; a version that never was good here can be pinned."
        )
    for instance, (offer, by_name) in going.items():
        await context.engine.post(
            instance_entity(instance),
            RolledBack(by=context.by(request.why), id=context.request, offer=offer if by_name else None),
        )
    return RollbackAnswer(instances={instance: offer.version.name for instance, (offer, _) in going.items()}, refused=staying)


async def _named(context: RequestContext, instance: str, state: InstanceState, name: str) -> Offer:
    good = finalized(state)
    offer = next((one for one in await offers_of(context, instance, state, name) if one.version in good), None)
    if offer is None:
        raise Refused(f"{name} was never good at {short_name(instance)}, or was gone back from since.")
    owner, service, _ = parse_instance(instance)
    refuse_bad(await line_of(context, owner), service, name)
    if offer.pair == state.life.target and not (state.life.rollout and state.life.rollout.back):
        raise Refused(f"{short_name(instance)} is at {name} already.")
    return offer


def _before(instance: str, state: InstanceState) -> Offer:
    life = state.life
    rollout = life.rollout
    if rollout and rollout.back:
        raise Refused(f"{short_name(instance)} goes back already.")
    if rollout:
        candidates = [life.good] if life.good and life.good != rollout.attempt.pair else []
    else:
        candidates = [good for good in life.goods if good != life.target and good.release not in life.tainted]
    offer = offer_of(life, candidates[-1]) if candidates else None
    if offer is None:
        raise Refused(f"{short_name(instance)} has no good version to go back to.")
    left = offer_of(life, rollout.attempt.pair if rollout else life.target)
    why_not = too_old(left, offer) if left else ""
    if why_not:
        raise Refused(f"{short_name(instance)} stays: {why_not}; name a version to go back to it nevertheless.")
    return offer
