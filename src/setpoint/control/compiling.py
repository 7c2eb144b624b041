"""From a wish to what the line is asked for: versions with their identity, and a spec for every instance that may get them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from setpoint.config.compile import CompileError, Configuration
from setpoint.config.parameters import ParameterError
from setpoint.control.errors import Invalid
from setpoint.control.targets import parts
from setpoint.core.line import LineState
from setpoint.model.policy import Strategy
from setpoint.model.release import ServiceVersion
from setpoint.model.spec import Scalar, Source, Spec, Version, digest


@dataclass
class Compiled:
    """Everything that a release needs; stored before it is asked for."""

    services: dict[str, ServiceVersion] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    """Instance -> spec."""
    floors: dict[str, str] = field(default_factory=dict)
    """Instance -> version that it is never rolled back below."""
    after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instance -> instances of other services in its channel that it comes after."""
    files: dict[str, bytes] = field(default_factory=dict)


Wish = tuple[str, dict[str, Scalar], Source]
"""Of one service: the version's name, the parameters given, where it came from."""


async def compile_all(
    configuration: Configuration, line: LineState, application: str, wishes: Mapping[str, Wish], instances: Sequence[str]
) -> Compiled:
    """Every service's part, for all instances. Raises Invalid."""
    compiled = Compiled()
    for service, (name, given, source) in wishes.items():
        await asyncio.to_thread(
            compile_service,
            configuration,
            application,
            service,
            instances,
            name=name,
            given=given,
            line=line,
            source=source,
            into=compiled,
        )
    return compiled


def named(configuration: Configuration, application: str, services: Iterable[str], channels: Iterable[str]) -> list[str]:
    """The instances that a release to these channels (none: everywhere) names: never mirroring ones."""
    wanted, places = set(services), set(channels)
    return [
        one
        for one in configuration.instances(application)
        if parts(one)[1] in wanted
        and (not places or parts(one)[2] in places)
        and configuration.policy(one).strategy is not Strategy.MIRROR
    ]


def followers(configuration: Configuration, application: str, instances: Iterable[str]) -> list[str]:
    """Those that mirror one of these, or one that mirrors one …"""
    mirrors = {
        one: configuration.policy(one).mirror for one in configuration.instances(application) if configuration.policy(one).mirror
    }
    found: list[str] = []
    reached = set(instances)
    while more := [one for one, source in mirrors.items() if source in reached and one not in reached]:
        found.extend(more)
        reached.update(more)
    return found


def compile_service(
    configuration: Configuration,
    application: str,
    service: str,
    instances: Iterable[str],
    *,
    name: str,
    given: Mapping[str, Scalar | str],
    line: LineState,
    source: Source,
    into: Compiled,
) -> None:
    """One service's part of a release, for those of ``instances`` that are its own.

    Raises:
        Invalid: a parameter is missing, unknown or not allowed, or a value does not fit.
    """
    mine = [one for one in instances if parts(one)[1] == service]
    before = line.latest.get(service)
    carried = before.parameters if before else {}
    try:
        resolved = {one: configuration.resolve_parameters(application, service, parts(one)[2], given, carried) for one in mine}
        explicit = _explicit(given, carried, resolved)
        version = Version(name, digest(explicit) if explicit else "", configuration.revision(application, service))
        into.services[service] = ServiceVersion(version, explicit, source)
        for one in mine:
            spec = _what_runs(configuration.compile(one, name, resolved[one], source))
            into.specs[one] = spec
            if floor := configuration.not_below(one, name, resolved[one], source):
                into.floors[one] = floor
            if others := configuration.policy(one).services:
                into.after[one] = tuple(dict.fromkeys(other.instance for other in others))
            into.files |= {} if not spec.files else configuration.file_bytes(spec)
    except (ParameterError, CompileError) as error:
        raise Invalid(
            f"{service} {name} cannot be released: {str(error).rstrip('.')}.", "Give parameters with --param name=value."
        ) from None


def _explicit(
    given: Mapping[str, object], carried: Mapping[str, Scalar], resolved: Mapping[str, Mapping[str, Scalar]]
) -> dict[str, Scalar]:
    """What the release says, apart from defaults: the same in every channel, so it is part of the version's identity."""
    values = next(iter(resolved.values()), {})
    kept = {key for key in carried if key not in given and values.get(key) == carried[key]}
    return {key: values[key] for key in sorted(kept | set(given)) if key in values}


def _what_runs(spec: Spec) -> Spec:
    """Its digest says what runs and nothing else: a release that changes nothing here must be seen as such."""
    return replace(spec, version=Version(spec.version.name), digest="").sealed()
