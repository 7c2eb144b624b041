"""Release: bring versions to channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.commands.skip import check_skip, skip_gate
from setpoint.control.compiling import Compiled, UnresolvedTags, Wish, compile_all, followers, named
from setpoint.control.errors import Malformed, Refused, Unavailable
from setpoint.control.gates import EVERY, skippable
from setpoint.control.images import resolve_tags
from setpoint.control.instances import line_of, number_of
from setpoint.control.limits import rosters
from setpoint.control.moving import check_size, check_whole, sets
from setpoint.control.permissions import Permission, require
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import application as find_application
from setpoint.control.targets import channels as find_channels
from setpoint.control.targets import parts
from setpoint.control.targets import service as find_service
from setpoint.core.facts import ReleaseRequested
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Source

_TRIES = 5
_LATE = "The request is stored, but its release has no number yet, or it was made too long ago."
_LATE_HINT = "See `setpoint releases`; the same --request again does nothing twice."
"""Seconds that the line may take, and between two looks; so often is compiled again."""
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
    parameters: dict[str, str | bool | int] = Field(default_factory=dict)
    source: WantedSource = WantedSource()


class ReleaseRequest(Request):
    """What to release, and where to."""

    services: dict[str, WantedService] = Field(min_length=1)
    application: str = ""
    channels: list[str] = Field(default_factory=list)
    """Channels, or groups for all of their channels; empty: every channel that does not mirror another."""
    why: Text = ""
    labels: dict[str, Text] = Field(default_factory=dict)
    urgent: bool = False
    alone: bool = False
    """Each service moves by itself, although the configuration says that some move together."""
    together: bool = False
    """In each channel all services named move as one."""
    skip: list[str] = Field(default_factory=list)
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
async def release(act: Act, request: ReleaseRequest) -> Released:
    """See ``bring``."""
    return await bring(act, request, {})


async def bring(act: Act, request: ReleaseRequest, known: Mapping[str, ServiceVersion]) -> Released:
    """No configuration is applied meanwhile: what is compiled is what is in force.

    ``known``: service -> the very version, where it is one that was released before; of another configuration it is a new one,
    with the same images.
    """
    tags: dict[str, str] = {}
    while True:
        try:
            async with act.control.configuring:
                owner, checked, instances = await _checked(act, request)
                groups = tuple(dict.fromkeys(one for one in request.channels if one in act.control.configuration.members(owner)))
                released = await _release(act, checked, owner, groups, instances, known, tags)
            break
        except UnresolvedTags as first:  # a registry that is slow to reply keeps no other command waiting
            tags |= await resolve_tags(first.what, first.named)
    for instance in instances:
        for gate in request.skip:
            await skip_gate(act, instance, gate, released.release, request.why)
    return released


async def _checked(act: Act, request: ReleaseRequest) -> tuple[str, ReleaseRequest, list[str]]:
    """The application, the request with groups as channels, and the instances named.

    Raises:
        ControlError: it cannot be released.
    """
    configuration = act.control.configuration
    owner = find_application(configuration, request.application, having=next(iter(request.services)))
    for service in request.services:
        find_service(configuration, owner, service)
    request = _to_channels(act, owner, request)
    instances = named(configuration, owner, request.services, request.channels)
    _check_reach(owner, request, instances)
    if request.alone and request.together:
        raise Malformed("A release cannot be both `alone` and `together`.", "Leave one out.")
    if not request.alone:
        check_whole(configuration, owner, instances)
    await _check_skips(act, request, instances)
    return owner, request, instances


def same_versions(known: Mapping[str, ServiceVersion], compiled: Compiled) -> dict[str, ServiceVersion]:
    """Those of ``known`` whose configuration is in force: they are the very versions that were released before."""
    return {name: one for name, one in known.items() if one.version.revision == compiled.services[name].version.revision}


async def _release(
    act: Act,
    request: ReleaseRequest,
    owner: str,
    groups: tuple[str, ...],
    instances: list[str],
    known: Mapping[str, ServiceVersion],
    tags: Mapping[str, str],
) -> Released:
    """Compile for every instance, store, then ask the line for a number."""
    configuration = act.control.configuration
    behind = followers(configuration, owner, instances)
    wishes = {name: _wish(wanted, known[name].images if name in known else None) for name, wanted in request.services.items()}

    async def make() -> tuple[Release, Compiled]:
        compiled = await compile_all(configuration, await line_of(act, owner), owner, wishes, [*instances, *behind], tags=tags)
        wanted = Release(
            application=owner,
            services=compiled.services | same_versions(known, compiled),
            channels=tuple(request.channels),
            groups=groups,
            author=act.person.name,
            reason=request.why,
            labels=request.labels,
            urgent=request.urgent,
            alone=request.alone,
            together=request.together,
        )
        check_size(configuration, wanted, compiled.specs)
        return wanted, compiled

    number = await submit(act, make, act.request)
    versions = {name: wanted.version for name, wanted in request.services.items()}
    return Released(application=owner, release=number, instances=instances, followers=behind, services=versions)


def _wish(wanted: WantedService, images: Mapping[str, str] | None) -> Wish:
    source = wanted.source
    return Wish(wanted.version, dict(wanted.parameters), Source(source.repository, source.commit, source.author), images)


async def submit(act: Act, make: Callable[[], Awaitable[tuple[Release, Compiled]]], request: str) -> int:
    """Store what will run, ask the line, and return the number it gave.

    §10.1: what was compiled with a configuration that is not in force any more is compiled again.
    """
    for attempt in range(_TRIES):
        wanted, compiled = await make()
        number = await _submit(act, wanted, compiled, request, attempt)
        if number is not None:
            return number
    message = "Nothing was released: the configuration changes faster than the release can be compiled."
    raise Unavailable(message, "Release it again.")


async def _submit(act: Act, wanted: Release, compiled: Compiled, request: str, attempt: int) -> int | None:
    await act.control.content.put(compiled.specs.values(), compiled.files.values())
    specs = {instance: spec.digest for instance, spec in compiled.specs.items()}
    parameters = {instance: spec.parameters for instance, spec in compiled.specs.items() if spec.parameters}
    fact = ReleaseRequested(
        request=request,
        release=wanted,
        specs=specs,
        parameters=parameters,
        after=compiled.after,
        sets=sets(act.control.configuration, wanted, compiled.specs),
        floors=compiled.floors,
        waves=rosters(act.control.configuration, specs),
    )
    dedup = f"release:{wanted.application}:{request}" + (f":{attempt}" if attempt else "")
    await act.control.engine.post(f"line:{wanted.application}", fact, dedup=dedup)
    number = await number_of(act, wanted.application, request, Unavailable(_LATE, _LATE_HINT))
    if number is not None:
        await act.control.records.put("release", f"{wanted.application}/{number}", specs)
    return number


def _to_channels(act: Act, owner: str, request: ReleaseRequest) -> ReleaseRequest:
    """Groups as their channels; those that mirror another follow by themselves."""
    configuration = act.control.configuration
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
    reached = {parts(one)[1] for one in instances}
    for service in request.services:
        if service not in reached:
            where = f"in {' or '.join(request.channels)}" if request.channels else "in any channel that takes releases"
            raise Refused(f'Service "{service}" of "{owner}" does not exist {where}.', "See `setpoint status`.")


async def _check_skips(act: Act, request: ReleaseRequest, instances: list[str]) -> None:
    if not request.skip:
        return
    require(act.person, Permission.SKIP, "skip")
    if not request.why:
        raise Malformed("Skipping needs a reason.", "Say it with --why.")
    for gate in request.skip:
        having = [one for one in instances if _has(act, one, gate)]
        if not having:
            raise Refused(f'No instance named by this release has a gate "{gate}".', "See `setpoint explain` for their names.")
        for one in having:
            check_skip(act.person, act.control.configuration.policy(one), gate)


def _has(act: Act, instance: str, gate: str) -> bool:
    return gate == EVERY or gate in skippable(act.control.configuration.policy(instance))
