"""Observe and heal: one instance is only looked at, until it may be touched again."""

from __future__ import annotations

from setpoint.control.act import Act
from setpoint.control.acts import in_turn, post
from setpoint.control.commands.holds import Acted, HoldRequest, TargetRequest, stand
from setpoint.control.errors import Refused
from setpoint.control.instances import state_of
from setpoint.control.orders import by_of, end_of
from setpoint.control.permissions import Permission
from setpoint.control.registry import command
from setpoint.control.targets import instances
from setpoint.core.facts import Healing, Observing


@command(
    "observe",
    Permission.HOLD,
    HoldRequest,
    Acted,
    "Look at an instance or a channel and touch nothing there, rollbacks and healing included.",
    subject=lambda request: request.target,
)
@in_turn
async def observe(act: Act, request: HoldRequest) -> Acted:
    """What is observed already takes a new reason, link or end; else there is nothing to change."""
    order = Observing(by=by_of(act, request), id=act.request, until=end_of(act, request))
    chosen = instances(act.control.configuration, request.target)
    return await stand(act, order, {one: (await state_of(act, one)).life.observing for one in chosen})


@command(
    "heal",
    Permission.HOLD,
    TargetRequest,
    Acted,
    "Let an instance that was only observed be touched again.",
    subject=lambda request: request.target,
)
@in_turn
async def heal(act: Act, request: TargetRequest) -> Acted:
    """Refused where nothing is only observed; the same request again is answered as the first time."""
    chosen = []
    for instance in instances(act.control.configuration, request.target):
        life = (await state_of(act, instance)).life
        if life.observing or act.request in life.signals:
            chosen.append(instance)
    if not chosen:
        raise Refused(f"Nothing at {request.target} is only observed.", "See `setpoint status`.")
    await post(act, {f"instance:{instance}": Healing(by=act.by(request.why), id=act.request) for instance in chosen})
    return Acted(instances=chosen)
