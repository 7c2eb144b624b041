"""Release: bring versions to channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from setpoint.control.bounds import ITEMS
from setpoint.control.commands.skip import check_skip, skip_gate
from setpoint.control.context import RequestContext
from setpoint.control.errors import Malformed, Refused
from setpoint.control.permissions import Permission, require
from setpoint.control.reading.states import line_of
from setpoint.control.reading.targets import application as find_application
from setpoint.control.reading.targets import channels as find_channels
from setpoint.control.reading.targets import service as find_service
from setpoint.control.registry import Answer, Request, command
from setpoint.control.releasing.compiling import Compiled, UnresolvedTags, Wish, compile_all, followers, named
from setpoint.control.releasing.images import resolve_tags
from setpoint.control.releasing.sets import check_size, check_whole
from setpoint.control.releasing.submitting import same_versions, submit
from setpoint.control.views.gates import EVERY, skippable
from setpoint.model.names import service_of
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Source

VersionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
Text = Annotated[str, Field(max_length=2000)]


class WantedSource(Request):
    """Where a version came from."""

    repository: Text = ""
    commit: Text = ""
    author: Text = ""


class WantedService(Request):
    """One service's part."""

    version: VersionName
    parameters: dict[str, str | bool | int] = Field(default_factory=dict, max_length=ITEMS)
    source: WantedSource = WantedSource()


class ReleaseRequest(Request):
    """What to release, and where to."""

    services: dict[str, WantedService] = Field(min_length=1, max_length=ITEMS)
    application: str = ""
    channels: list[str] = Field(default_factory=list, max_length=ITEMS)
    """Channels, or groups for all of their channels; empty: every channel that does not mirror another."""
    why: Text = ""
    labels: dict[str, Text] = Field(default_factory=dict, max_length=100)
    urgent: bool = False
    alone: bool = False
    """Each service moves separately, although the configuration makes some move together."""
    together: bool = False
    """In each channel all services named move as one."""
    skip: list[str] = Field(default_factory=list, max_length=100)
    """Gates not to wait for, at every instance named."""


class Released(Answer):
    """The release that was made."""

    application: str
    release: int
    instances: list[str]
    """Those named; mirrors follow by themselves."""
    followers: list[str]
    services: dict[str, str]


@command(
    "release",
    Permission.RELEASE,
    ReleaseRequest,
    Released,
    "Release versions of one or several services, to all channels or to those named.",
    subject=lambda request: ", ".join(f"{name}={wanted.version}" for name, wanted in sorted(request.services.items())),
)
async def release(context: RequestContext, request: ReleaseRequest) -> Released:
    """See ``bring``."""
    return await bring(context, request, {})


async def bring(context: RequestContext, request: ReleaseRequest, known: Mapping[str, ServiceVersion]) -> Released:
    """No configuration is applied meanwhile: what is compiled is what is in force.

    ``known``: service -> the very version, where it is one that was released before; of another configuration it is a new one,
    with the same images.
    """
    tags: dict[str, str] = {}
    while True:
        try:
            async with context.services.configuring:
                owner, checked, instances = await _checked(context, request)
                groups = tuple(dict.fromkeys(one for one in request.channels if one in context.configuration.members(owner)))
                released = await _release(context, checked, owner, groups, instances, known, tags)
            break
        except UnresolvedTags as first:  # a registry that is slow to reply keeps no other command waiting
            tags |= await resolve_tags(first.what, first.named)
    for instance in instances:
        for gate in request.skip:
            await skip_gate(context, instance, gate, released.release, request.why)
    return released


async def _checked(context: RequestContext, request: ReleaseRequest) -> tuple[str, ReleaseRequest, list[str]]:
    """The application, the request with groups as channels, and the instances named.

    Raises:
        ControlError: it cannot be released.
    """
    configuration = context.configuration
    owner = find_application(configuration, request.application, having=next(iter(request.services)))
    for service in request.services:
        find_service(configuration, owner, service)
    request = _to_channels(context, owner, request)
    instances = named(configuration, owner, request.services, request.channels)
    _check_reach(owner, request, instances)
    if request.alone and request.together:
        raise Malformed("A release cannot be both `alone` and `together`.", "Leave one out.")
    if not request.alone:
        check_whole(configuration, owner, instances)
    await _check_skips(context, request, instances)
    return owner, request, instances


async def _release(
    context: RequestContext,
    request: ReleaseRequest,
    owner: str,
    groups: tuple[str, ...],
    instances: list[str],
    known: Mapping[str, ServiceVersion],
    tags: Mapping[str, str],
) -> Released:
    """Compile for every instance, store, then ask the line for a number."""
    configuration = context.configuration
    behind = followers(configuration, owner, instances)
    wishes = {name: _wish(wanted, known[name].images if name in known else None) for name, wanted in request.services.items()}

    async def make() -> tuple[Release, Compiled]:
        compiled = await compile_all(
            configuration, await line_of(context, owner), owner, wishes, [*instances, *behind], tags=tags
        )
        wanted = Release(
            application=owner,
            services=compiled.services | same_versions(known, compiled),
            channels=tuple(request.channels),
            groups=groups,
            author=context.person.name,
            reason=request.why,
            labels=request.labels,
            urgent=request.urgent,
            alone=request.alone,
            together=request.together,
        )
        check_size(configuration, wanted, compiled.specs)
        return wanted, compiled

    number = await submit(context, make, context.request)
    versions = {name: wanted.version for name, wanted in request.services.items()}
    return Released(application=owner, release=number, instances=instances, followers=behind, services=versions)


def _wish(wanted: WantedService, images: Mapping[str, str] | None) -> Wish:
    source = wanted.source
    return Wish(wanted.version, dict(wanted.parameters), Source(source.repository, source.commit, source.author), images)


def _to_channels(context: RequestContext, owner: str, request: ReleaseRequest) -> ReleaseRequest:
    """Groups as their channels; those that mirror another follow by themselves."""
    configuration = context.configuration
    mirroring = {one.name: one.mirror for one in configuration.channels(owner) if one.mirror}
    named: list[str] = []
    for name in request.channels:
        if name in mirroring:
            source = mirroring[name]
            raise Refused(
                f'Channel "{name}" mirrors {source}: nothing can be released to it.', f"Release to {source}; {name} follows."
            )
        named += [one for one in find_channels(configuration, owner, name) if one not in (*mirroring, *named)]
    if request.channels and not named:
        raise Refused(f"{', '.join(request.channels)} has no channel that takes releases.", "See `setpoint status`.")
    return request.model_copy(update={"channels": named})


def _check_reach(owner: str, request: ReleaseRequest, instances: list[str]) -> None:
    reached = {service_of(one) for one in instances}
    for service in request.services:
        if service not in reached:
            where = f"in {' or '.join(request.channels)}" if request.channels else "in any channel that takes releases"
            raise Refused(f'Service "{service}" of "{owner}" does not exist {where}.', "See `setpoint status`.")


async def _check_skips(context: RequestContext, request: ReleaseRequest, instances: list[str]) -> None:
    if not request.skip:
        return
    require(context.person, Permission.SKIP, "skip")
    if not request.why:
        raise Malformed("Skipping needs a reason.", "Add --why REASON.")
    for gate in request.skip:
        having = [one for one in instances if _has(context, one, gate)]
        if not having:
            raise Refused(f'No instance named by this release has a gate "{gate}".', "See `setpoint explain` for their names.")
        for one in having:
            check_skip(context.person, context.configuration.policy(one), gate)


def _has(context: RequestContext, instance: str, gate: str) -> bool:
    return gate == EVERY or gate in skippable(context.configuration.policy(instance))
