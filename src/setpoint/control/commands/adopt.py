"""Adopt: what runs already is this version; nothing is applied."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.commands.marks import refuse_bad
from setpoint.control.commands.release import VersionName, submit
from setpoint.control.compiling import Compiled, Wish, compile_all
from setpoint.control.errors import Refused
from setpoint.control.instances import line_of, short, state_of
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import instance as find_instance
from setpoint.control.targets import parts
from setpoint.model.policy import Strategy
from setpoint.model.release import Release
from setpoint.model.spec import Source


class AdoptRequest(Request):
    """Which version runs where, and why it is adopted."""

    target: str
    """One instance that nothing was deployed to yet."""
    version: VersionName
    parameters: dict[str, str | bool | int] = Field(default_factory=dict)
    why: str = Field("", max_length=2000)


class AdoptAnswer(Answer):
    """What is looked at now; a look that shows just this makes it good."""

    instance: str
    version: str
    release: int


@command(
    "adopt",
    Permission.RELEASE,
    AdoptRequest,
    AdoptAnswer,
    "Take over what an instance runs already: it becomes good once a look has shown just this version, and nothing is applied.",
    subject=lambda request: f"{request.target} at {request.version}",
)
async def adopt(act: Act, request: AdoptRequest) -> AdoptAnswer:
    """A release of its own, to this instance alone."""
    configuration = act.control.configuration
    instance = find_instance(configuration, request.target)
    owner, service, channel = parts(instance)
    await _check(act, instance, request)
    async with act.control.configuring:
        wishes = {service: Wish(request.version, dict(request.parameters), Source())}

        async def make() -> tuple[Release, Compiled]:
            compiled = await compile_all(configuration, await line_of(act, owner), owner, wishes, [instance])
            wanted = Release(
                application=owner,
                services=compiled.services,
                channels=(channel,),
                author=act.person.name,
                reason=request.why or "it runs there already",
                adopt=True,
            )
            return wanted, compiled

        number = await submit(act, make, act.request)
    return AdoptAnswer(instance=instance, version=request.version, release=number)


async def _check(act: Act, instance: str, request: AdoptRequest) -> None:
    state = await state_of(act, instance)
    owner, service, _ = parts(instance)
    line = await line_of(act, owner)
    if act.request in line.requests:
        return
    if state.life.target:
        raise Refused(f"{short(instance)} was deployed by Setpoint already.", "Release the version, or pin it.")
    if act.control.configuration.policy(instance).strategy is Strategy.MIRROR:
        raise Refused(f"{short(instance)} mirrors another channel.", "Adopt there; it follows.")
    refuse_bad(line, service, request.version)
