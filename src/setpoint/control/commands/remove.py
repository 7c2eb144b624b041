"""Remove: what is left of an instance that is no longer configured is taken down."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Refused
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import suggestion
from setpoint.control.registry import Answer, Request, command
from setpoint.control.views.orphans import Leftover, leftovers
from setpoint.core.facts import TakenDown
from setpoint.model.names import channel_of, instance_entity, parse_instance, short_name, within


class RemoveRequest(Request):
    """What is taken down, and why."""

    target: str
    """An instance that is no longer configured, or a channel that is not: everything that is left of it."""
    why: str = Field("", max_length=2000)


class RemoveAnswer(Answer):
    """What is taken down now."""

    instances: dict[str, str]
    """Instance -> version that it runs."""


@command(
    "remove",
    Permission.CONFIGURE,
    RemoveRequest,
    RemoveAnswer,
    "Take down what is left of instances that are no longer configured; nothing that is configured is touched.",
    subject=lambda request: request.target,
)
async def remove(context: RequestContext, request: RemoveRequest) -> RemoveAnswer:
    """Only objects that bear the instance's name are taken down. A rollout under way ends first."""
    left = await leftovers(context)
    chosen = [one for one in left if _means(request.target, one)]
    if not chosen:
        _refuse(context, request.target, left)
    for one in chosen:
        await context.engine.post(instance_entity(one.instance), TakenDown(by=context.by(request.why), id=context.request))
    return RemoveAnswer(instances={one.instance: one.version for one in chosen})


def _means(target: str, one: Leftover) -> bool:
    owner, _, channel = parse_instance(one.instance)
    return target in {one.instance, short_name(one.instance), channel, within(owner, channel)}


def _refuse(context: RequestContext, target: str, left: list[Leftover]) -> None:
    applied = context.applied
    known = applied.all_instances if applied else []
    if any(target in {one, short_name(one), channel_of(one)} for one in known):
        raise Refused(f"{target} is configured.", "Take it out of the configuration first; see `setpoint orphans`.")
    raise NotFound(f'Nothing is left of "{target}".', suggestion(target, [one.instance for one in left], "orphan"))
