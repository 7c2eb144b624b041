"""Hold and resume: keep automation off, and let it go on."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import Refused
from setpoint.control.instances import state_of
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import instances
from setpoint.core.facts import Held, Resumed


class HoldRequest(Request):
    """Where, and why."""

    target: str
    """An instance, a channel or a group."""
    why: str = Field("", max_length=2000)


class Acted(Answer):
    """Where it was done."""

    instances: list[str]


@command(
    "hold",
    Permission.HOLD,
    HoldRequest,
    Acted,
    "Keep automation off an instance or a channel: nothing new starts, healing goes on.",
    subject=lambda request: request.target,
)
async def hold(act: Act, request: HoldRequest) -> Acted:
    """A hold that stands already stays as it is."""
    chosen = instances(act.control.configuration, request.target)
    for instance in chosen:
        await act.control.engine.post(f"instance:{instance}", Held(by=act.by(request.why), id=act.request))
    return Acted(instances=chosen)


@command(
    "resume",
    Permission.HOLD,
    HoldRequest,
    Acted,
    "End a hold, or reset a tripped breaker.",
    subject=lambda request: request.target,
)
async def resume(act: Act, request: HoldRequest) -> Acted:
    """Refused where there is nothing to resume; the same request again is answered as the first time."""
    chosen = []
    for instance in instances(act.control.configuration, request.target):
        life = (await state_of(act, instance)).life
        if life.hold or (life.breaker and life.breaker.tripped) or act.request in life.signals:
            chosen.append(instance)
    if not chosen:
        raise Refused(f"Nothing at {request.target} is held, and no breaker has tripped.", "See `setpoint status`.")
    for instance in chosen:
        await act.control.engine.post(f"instance:{instance}", Resumed(by=act.by(request.why), id=act.request))
    return Acted(instances=chosen)
