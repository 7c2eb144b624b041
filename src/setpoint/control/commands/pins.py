"""Pin and unpin: exactly this version, until unpinned."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.commands.holds import Acted, TargetRequest
from setpoint.control.commands.marks import refuse_bad
from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Refused
from setpoint.control.orders import OrderRequest, by_of, end_of, in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.old_offers import offers_of
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import instance as find_instance
from setpoint.control.reading.targets import instances, suggestion
from setpoint.control.registry import Answer, command
from setpoint.core.facts import Pinned, Unpinned
from setpoint.core.orders import restates
from setpoint.model.names import instance_entity, parse_instance, short_name
from setpoint.model.time import Instant


class PinRequest(OrderRequest):
    """Which version, where, why, and until when."""

    target: str
    """One instance."""
    version: str
    release: int = Field(0, ge=0)
    """Where several releases had the version; 0: the newest of them."""


class PinAnswer(Answer):
    """What is pinned."""

    instance: str
    version: str
    release: int
    unchanged: bool = False
    """The pin stood already, just so: there was nothing to change."""
    until: Instant = 0
    """When it ends; 0: when it is withdrawn."""


@command(
    "pin",
    Permission.PIN,
    PinRequest,
    PinAnswer,
    "Keep an instance at exactly one version until it is unpinned; every gate still applies.",
    subject=lambda request: f"{request.target} to {request.version}",
)
@in_turn
async def pin(context: RequestContext, request: PinRequest) -> PinAnswer:
    """The version must have been released to the instance."""
    instance = find_instance(context.configuration, request.target)
    state = await state_of(context, instance)
    offers = await offers_of(context, instance, state, request.version, request.release)
    offer = next((one for one in offers if one.version.name == request.version), None)
    if offer is None:
        owner, service, _ = parse_instance(instance)
        known = {
            one.services[service].version.name for one in (await line_of(context, owner)).releases if service in one.services
        }
        hint = (
            suggestion(request.version, known, "release")
            if known
            else f"Release it first: `setpoint release {service}={request.version}`."
        )
        raise NotFound(f"{request.version} was never released to {short_name(instance)}.", hint)
    owner, service, _ = parse_instance(instance)
    refuse_bad(await line_of(context, owner), service, offer.version.name)
    order = Pinned(by=by_of(context, request), id=context.request, until=end_of(context, request), offer=offer)
    by, life = state.life.pinned_by, state.life
    unchanged = bool(by and life.pin == offer.release and not restates(order, by, life.pinned_until))
    if not unchanged:
        await post(context, {instance_entity(instance): order})
    return PinAnswer(instance=instance, version=offer.version.name, release=offer.release, unchanged=unchanged, until=order.until)


@command(
    "unpin",
    Permission.PIN,
    TargetRequest,
    Acted,
    "Let selection decide again at an instance or in a channel.",
    subject=lambda request: request.target,
)
@in_turn
async def unpin(context: RequestContext, request: TargetRequest) -> Acted:
    """Refused where nothing is pinned; the same request again is answered as the first time."""
    chosen = []
    for instance in instances(context.configuration, request.target):
        life = (await state_of(context, instance)).life
        if life.pin or context.request in life.signals:
            chosen.append(instance)
    if not chosen:
        raise Refused(f"Nothing at {request.target} is pinned.", "See `setpoint status`.")
    await post(
        context, {instance_entity(instance): Unpinned(by=context.by(request.why), id=context.request) for instance in chosen}
    )
    return Acted(instances=chosen)
