"""Promote: bring to a later channel now what an earlier one has finalized."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.commands.marks import refuse_bad
from setpoint.control.commands.release import Released, ReleaseRequest, WantedService, WantedSource, bring
from setpoint.control.context import RequestContext
from setpoint.control.errors import Refused
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Request, command
from setpoint.core.instance.state import offer_of
from setpoint.core.line import LineState
from setpoint.model.names import application_of, channel_of, service_of, short_name
from setpoint.model.release import Offer, ServiceVersion


class PromoteRequest(Request):
    """Where to, which version, and why."""

    target: str
    """An instance, a channel or a group."""
    version: str = ""
    """Empty: what the channel before it has finalized, else the newest release."""
    alone: bool = False
    """Each service moves separately, although the configuration makes some move together."""
    why: str = Field("", max_length=2000)


@command(
    "promote",
    Permission.RELEASE,
    PromoteRequest,
    Released,
    "Bring to one channel what the channel before it has finalized, by a release of its own; its gates apply as usual.",
    subject=lambda request: request.target + (f" to {request.version}" if request.version else ""),
)
async def promote(context: RequestContext, request: PromoteRequest) -> Released:
    """A manual channel only takes what is sent to it: by this, or by `release --to`."""
    chosen = instances(context.configuration, request.target)
    owner = application_of(chosen[0])
    of_service: dict[str, list[str]] = {}
    for instance in chosen:
        of_service.setdefault(service_of(instance), []).append(instance)
    line = await line_of(context, owner)
    wanted: dict[str, WantedService] = {}
    known: dict[str, ServiceVersion] = {}
    for service, members in of_service.items():
        earlier = None if request.version else await _earlier(context, members)
        known[service] = _very(line, service, earlier) if earlier else _released(line, members[0], request.version)
        wanted[service] = _as_there(earlier) if earlier else _as_released(known[service])
    channels = list(dict.fromkeys(channel_of(instance) for instance in chosen))
    named = ReleaseRequest(services=wanted, application=owner, channels=channels, why=request.why, alone=request.alone)
    return await bring(context, named, known)


def _as_there(earlier: Offer) -> WantedService:
    """What runs in the channel before, with every value that it has there."""
    source = earlier.source
    return WantedService(
        version=earlier.version.name,
        parameters=dict(earlier.parameters),
        source=WantedSource(repository=source.repository, commit=source.commit, author=source.author),
    )


def _very(line: LineState, service: str, earlier: Offer) -> ServiceVersion:
    """Return the version as its release named it: default values are not part of a version."""
    named = next(
        (one.services[service] for one in line.releases if one.number == earlier.release and service in one.services), None
    )
    return named or ServiceVersion(earlier.version, earlier.parameters, earlier.source, earlier.images)


def _as_released(one: ServiceVersion) -> WantedService:
    return WantedService(version=one.version.name, parameters=dict(one.parameters))


def _released(line: LineState, instance: str, version: str) -> ServiceVersion:
    """By a version's name, or the newest; what to bring to an instance, and to others of its service."""
    service = service_of(instance)
    if version:
        refuse_bad(line, service, version)
    known = [one.services[service] for one in reversed(line.releases) if service in one.services]
    fitting = [one for one in known if not version or one.version.name == version]
    if not fitting:
        what = f"{service} {version}" if version else f"{short_name(instance)}: nothing"
        raise Refused(f"{what} was released yet.", f"Release it: `setpoint release {service}=VERSION --to …`.")
    return fitting[0]


async def _earlier(context: RequestContext, members: list[str]) -> Offer | None:
    """What the instances before these have as *good*; the newest of them."""
    policies = [context.configuration.policy(one) for one in members]
    before = [one for policy in policies for ordering in policy.orderings for one in ordering.instances]
    found = []
    for one in dict.fromkeys(before):
        life = (await state_of(context, one)).life
        if offer := offer_of(life, life.good):
            found.append(offer)
    return max(found, key=lambda offer: offer.release, default=None)
