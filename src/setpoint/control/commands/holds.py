"""Hold and resume, observe and heal: keep automation off, or look and touch nothing, until it may go on."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Refused
from setpoint.control.orders import OrderRequest, by_of, end_of, in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.limits import admission, group_named, stopped
from setpoint.control.reading.states import state_of
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, command
from setpoint.core.admission import ENTITY
from setpoint.core.facts import Healing, Held, Observing, Order, Resumed, WavesResumed
from setpoint.core.instance.state import Hold
from setpoint.core.orders import restates
from setpoint.model.names import instance_entity
from setpoint.model.time import Instant


class TargetRequest(Request):
    """Where, and why."""

    target: str
    """An instance, a channel or a group."""
    why: str = Field("", max_length=2000)


class HoldRequest(OrderRequest):
    """Where, why, and until when."""

    target: str
    """An instance, a channel or a group."""


class Acted(Answer):
    """Where it was done."""

    instances: list[str]
    unchanged: list[str] = Field(default_factory=list)
    """Where it stood already, just so: there was nothing to change."""
    until: Instant = 0
    """When it ends; 0: when it is withdrawn."""


@command(
    "hold",
    Permission.HOLD,
    HoldRequest,
    Acted,
    "Keep automation off an instance or a channel: nothing new starts, healing goes on.",
    subject=lambda request: request.target,
)
@in_turn
async def hold(context: RequestContext, request: HoldRequest) -> Acted:
    """A hold that stands already takes a new reason, link or end; else there is nothing to change."""
    order = Held(by=by_of(context, request), id=context.request, until=end_of(context, request))
    chosen = instances(context.configuration, request.target)
    return await stand(context, order, {one: (await state_of(context, one)).life.hold for one in chosen})


async def stand(context: RequestContext, order: Order, standing: Mapping[str, Hold | None]) -> Acted:
    """Give an order to those where it does not stand just so already (§10.10)."""
    unchanged = [one for one, known in standing.items() if known and not restates(order, known.by, known.until)]
    await post(context, {instance_entity(one): order for one in standing if one not in unchanged})
    return Acted(instances=list(standing), unchanged=unchanged, until=order.until)


class ResumeRequest(TargetRequest):
    """What goes on, and why."""

    target: str
    """An instance, a channel, or a group in which a release stopped because too many of its channels had failed."""
    release: int = Field(0, ge=0)
    """Of a group: the release to resume; 0: the newest that stopped."""


class WentOn(Acted):
    """What goes on."""

    release: int = 0
    """Of a group: the release that goes on."""


@command(
    "resume",
    Permission.HOLD,
    ResumeRequest,
    WentOn,
    "End a hold, reset a tripped breaker, or let a release go on that stopped in a group.",
    subject=lambda request: request.target + (f", release {request.release}" if request.release else ""),
)
@in_turn
async def resume(context: RequestContext, request: ResumeRequest) -> WentOn:
    """Refused where there is nothing to resume; the same request again is answered as the first time."""
    group = group_named(context.configuration, request.target)
    if request.release:
        return WentOn(instances=await _let_go_on(context, request, group, request.release), release=request.release)
    held = await _held(context, request)
    halted = next(reversed(await stopped(context, group)), 0) if group and not await _repeated(context) else 0
    if not held and not halted and not await _repeated(context):
        stops = ", no release has stopped" if group else ""
        message = f"Nothing at {request.target} is held{stops}, and no breaker has tripped."
        raise Refused(message, "See `setpoint status`.")
    await post(context, {instance_entity(instance): Resumed(by=context.by(request.why), id=context.request) for instance in held})
    gone_on = await _let_go_on(context, request, group, halted) if halted else []
    return WentOn(instances=sorted({*held, *gone_on}), release=halted)


async def _held(context: RequestContext, request: ResumeRequest) -> list[str]:
    chosen = []
    for instance in instances(context.configuration, request.target):
        life = (await state_of(context, instance)).life
        if life.hold or (life.breaker and life.breaker.tripped) or context.request in life.signals:
            chosen.append(instance)
    return chosen


async def _repeated(context: RequestContext) -> bool:
    return context.request in (await admission(context.services)).signals


async def _let_go_on(context: RequestContext, request: ResumeRequest, group: str, release: int) -> list[str]:
    """Admission goes on with a release; the instances that it names in the group."""
    if not group:
        raise Refused(f"{request.target} is not a group with limits.", "Leave --release out, or name a group.")
    if await _repeated(context):
        return []
    halted = await stopped(context, group)
    if release not in halted:
        hint = f"Stopped are: {', '.join(map(str, halted))}." if halted else "See `setpoint explain` for what it waits for."
        raise Refused(f"Release {release} has not stopped in {request.target}.", hint)
    fact = WavesResumed(by=context.by(request.why), id=context.request, group=group, release=release)
    await post(context, {ENTITY: fact})
    return sorted(one for named in halted[release].members.values() for one in named)


@command(
    "observe",
    Permission.HOLD,
    HoldRequest,
    Acted,
    "Look at an instance or a channel and touch nothing there, rollbacks and healing included.",
    subject=lambda request: request.target,
)
@in_turn
async def observe(context: RequestContext, request: HoldRequest) -> Acted:
    """What is observed already takes a new reason, link or end; else there is nothing to change."""
    order = Observing(by=by_of(context, request), id=context.request, until=end_of(context, request))
    chosen = instances(context.configuration, request.target)
    return await stand(context, order, {one: (await state_of(context, one)).life.observing for one in chosen})


@command(
    "heal",
    Permission.HOLD,
    TargetRequest,
    Acted,
    "Let an instance that was only observed be touched again.",
    subject=lambda request: request.target,
)
@in_turn
async def heal(context: RequestContext, request: TargetRequest) -> Acted:
    """Refused where nothing is only observed; the same request again is answered as the first time."""
    chosen = []
    for instance in instances(context.configuration, request.target):
        life = (await state_of(context, instance)).life
        if life.observing or context.request in life.signals:
            chosen.append(instance)
    if not chosen:
        raise Refused(f"Nothing at {request.target} is only observed.", "See `setpoint status`.")
    await post(
        context, {instance_entity(instance): Healing(by=context.by(request.why), id=context.request) for instance in chosen}
    )
    return Acted(instances=chosen)
