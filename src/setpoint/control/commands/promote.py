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
    """An instance, a channel or a group."""
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
    chosen = instances(act.control.configuration, request.target)
    owner = parts(chosen[0])[0]
    of_service: dict[str, list[str]] = {}
    for instance in chosen:
        of_service.setdefault(parts(instance)[1], []).append(instance)
    wanted = {service: await _wanted(act, members, request.version) for service, members in of_service.items()}
    channels = list(dict.fromkeys(parts(instance)[2] for instance in chosen))
    return await release(act, ReleaseRequest(services=wanted, application=owner, channels=channels, why=request.why))


async def _wanted(act: Act, members: list[str], version: str) -> WantedService:
    """Of one service, at one instance or at those of a group."""
    owner, service, _ = parts(members[0])
    line = await line_of(act, owner)
    if version:
        refuse_bad(line, service, version)
    earlier = None if version else await _earlier(act, members)
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
        what = f"{service} {version}" if version else f"{short(members[0])}: nothing"
        raise Refused(f"{what} was released yet.", f"Release it: `setpoint release {service}=VERSION --to …`.")
    return WantedService(version=fitting[0].version.name, parameters=dict(fitting[0].parameters))


async def _earlier(act: Act, members: list[str]) -> Offer | None:
    """What the instances before these have as *good*; the newest of them."""
    policies = [act.control.configuration.policy(one) for one in members]
    before = [one for policy in policies for ordering in policy.orderings for one in ordering.instances]
    found = []
    for one in dict.fromkeys(before):
        life = (await state_of(act, one)).life
        if offer := offer_of(life, life.good):
            found.append(offer)
    return max(found, key=lambda offer: offer.release, default=None)
