"""Adopt: what runs already is this version; nothing is applied."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.bounds import ITEMS
from setpoint.control.commands.marks import refuse_bad
from setpoint.control.commands.release import VersionName
from setpoint.control.context import RequestContext
from setpoint.control.errors import Refused
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import instance as find_instance
from setpoint.control.registry import Answer, Request, command
from setpoint.control.releasing.compiling import Compiled, Wish, compile_all
from setpoint.control.releasing.submitting import submit
from setpoint.model.names import parse_instance, short_name
from setpoint.model.policy import Strategy
from setpoint.model.release import Release
from setpoint.model.spec import Source


class AdoptRequest(Request):
    """Which version runs where, and why it is adopted."""

    target: str
    """One instance that nothing was deployed to yet."""
    version: VersionName
    parameters: dict[str, str | bool | int] = Field(default_factory=dict, max_length=ITEMS)
    why: str = Field("", max_length=2000)


class AdoptAnswer(Answer):
    """What is looked at now; a look that shows just this makes it good."""

    instance: str
    version: str
    release: int


@command(
    "adopt",
    Permission.ADOPT,
    AdoptRequest,
    AdoptAnswer,
    "Take over what an instance runs already: it becomes good once a look has shown just this version, and nothing is applied.",
    subject=lambda request: f"{request.target} at {request.version}",
)
async def adopt(context: RequestContext, request: AdoptRequest) -> AdoptAnswer:
    """A release of its own, to this instance alone."""
    configuration = context.configuration
    instance = find_instance(configuration, request.target)
    owner, service, channel = parse_instance(instance)
    await _check(context, instance, request)
    async with context.services.configuring:
        wishes = {service: Wish(request.version, dict(request.parameters), Source())}

        async def make() -> tuple[Release, Compiled]:
            compiled = await compile_all(configuration, await line_of(context, owner), owner, wishes, [instance])
            wanted = Release(
                application=owner,
                services=compiled.services,
                channels=(channel,),
                author=context.person.name,
                reason=request.why or "it runs there already",
                adopt=True,
            )
            return wanted, compiled

        number = await submit(context, make, context.request)
    return AdoptAnswer(instance=instance, version=request.version, release=number)


async def _check(context: RequestContext, instance: str, request: AdoptRequest) -> None:
    state = await state_of(context, instance)
    owner, service, _ = parse_instance(instance)
    line = await line_of(context, owner)
    if context.request in line.requests:
        return
    if state.life.target:
        raise Refused(f"{short_name(instance)} was deployed by Setpoint already.", "Release the version, or pin it.")
    if context.configuration.policy(instance).strategy is Strategy.MIRROR:
        raise Refused(f"{short_name(instance)} mirrors another channel.", "Adopt there; it follows.")
    refuse_bad(line, service, request.version)
