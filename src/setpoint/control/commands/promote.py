"""Promote: bring to a later channel now what an earlier one has finalized."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.commands.marks import refuse_bad
from setpoint.control.commands.release import Released, ReleaseRequest, WantedService, WantedSource, release
from setpoint.control.errors import Refused
from setpoint.control.instances import line_of, short, state_of
from setpoint.control.permissions import Permission
from setpoint.control.registry import Request, command
from setpoint.control.targets import instances, parts
from setpoint.core.instance.state import offer_of
from setpoint.model.release import Offer


class PromoteRequest(Request):
    """Where to, which version, and why."""

    target: str
    """An instance or a channel."""
    version: str = ""
    """Empty: what the channel before it has finalized, else the newest release."""
    why: str = Field("", max_length=2000)


@command(
    "promote",
    Permission.RELEASE,
    PromoteRequest,
    Released,
    "Bring to one channel what the channel before it has finalized, by a release of its own; its gates are asked as ever.",
    subject=lambda request: request.target + (f" to {request.version}" if request.version else ""),
)
async def promote(act: Act, request: PromoteRequest) -> Released:
    """A manual channel only takes what is sent to it: by this, or by `release --to`."""
    wanted: dict[str, WantedService] = {}
    chosen = instances(act.control.configuration, request.target)
    for instance in chosen:
        _, service, _ = parts(instance)
        wanted[service] = await _wanted(act, instance, request.version)
    owner, _, channel = parts(chosen[0])
    return await release(act, ReleaseRequest(services=wanted, application=owner, channels=[channel], why=request.why))


async def _wanted(act: Act, instance: str, version: str) -> WantedService:
    owner, service, _ = parts(instance)
    line = await line_of(act, owner)
    if version:
        refuse_bad(line, service, version)
    earlier = None if version else await _earlier(act, instance)
    if earlier is not None:
        source = earlier.source
        return WantedService(
            version=earlier.version.name,
            parameters=dict(earlier.parameters),
            source=WantedSource(repository=source.repository, commit=source.commit, author=source.author),
        )
    known = [one.services[service] for one in reversed(line.releases) if service in one.services]
    fitting = [one for one in known if not version or one.version.name == version]
    if not fitting:
        what = f"{service} {version}" if version else f"{short(instance)}: nothing"
        raise Refused(f"{what} was released yet.", f"Release it: `setpoint release {service}=VERSION --to …`.")
    return WantedService(version=fitting[0].version.name, parameters=dict(fitting[0].parameters))


async def _earlier(act: Act, instance: str) -> Offer | None:
    """What the instances before this one have as *good*; the newest of them."""
    found = []
    for ordering in act.control.configuration.policy(instance).orderings:
        for one in ordering.instances:
            life = (await state_of(act, one)).life
            offer = offer_of(life, life.good)
            if offer:
                found.append(offer)
    return max(found, key=lambda offer: offer.release, default=None)
