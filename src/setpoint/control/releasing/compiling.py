"""From a wish to a request for the release log: versions with their identity, and a spec for every instance that may get them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from setpoint.config.compile import CompiledConfiguration, CompileError
from setpoint.config.instances.parameters import ParameterError
from setpoint.control.errors import Invalid
from setpoint.control.releasing.images import resolve_tags
from setpoint.core.facts import Part
from setpoint.core.line import LineState
from setpoint.model.names import channel_of, parse_instance, service_of
from setpoint.model.policy import Strategy
from setpoint.model.release import ServiceVersion
from setpoint.model.spec import Scalar, Source, Spec, Version, digest


@dataclass
class Compiled:
    """Everything that a release needs; stored before it is requested."""

    services: dict[str, ServiceVersion] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    """Instance -> spec."""
    floors: dict[str, str] = field(default_factory=dict)
    """Instance -> version that it is never rolled back below."""
    after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instance -> instances of other services in its channel that it comes after."""
    files: dict[str, bytes] = field(default_factory=dict)


class Wish(NamedTuple):
    """What is wanted of one service."""

    version: str
    parameters: Mapping[str, Scalar]
    source: Source
    images: Mapping[str, str] | None = None
    """Digests of a version that was released before, which it keeps; None: it is named again, so tags are resolved (§10.7)."""


class UnresolvedTags(Exception):  # noqa: N818 - nothing went wrong yet
    """Tags that are to be resolved first, while other commands go on."""

    def __init__(self, what: str, named: Mapping[str, bool]) -> None:
        super().__init__(f"{what}: {', '.join(sorted(named))}")
        self.what, self.named = what, named


async def compile_all(
    configuration: CompiledConfiguration,
    line: LineState,
    application: str,
    wishes: Mapping[str, Wish],
    instances: Sequence[str],
    *,
    tags: Mapping[str, str] | None = None,
) -> Compiled:
    """Every service's part, for all instances.

    ``tags``: those that were resolved already, image -> digest; None: they are resolved here.

    Raises:
        Invalid: it cannot be compiled. Refused, Unavailable: a tag cannot be resolved. UnresolvedTags: ``tags`` lacks some.
    """
    compiled = Compiled()
    for service, wish in wishes.items():
        one = _Service(configuration, application, service, [one for one in instances if service_of(one) == service], wish, line)
        images = wish.images
        if images is None:
            images = await _images(f"{service} {wish.version}", await asyncio.to_thread(one.images), tags)
        await asyncio.to_thread(one.compile, images, compiled)
    return compiled


async def _images(what: str, named: Mapping[str, bool], tags: Mapping[str, str] | None) -> dict[str, str]:
    if tags is None:
        return await resolve_tags(what, named)
    if missing := {name: plain_http for name, plain_http in named.items() if name not in tags}:
        raise UnresolvedTags(what, missing)
    return {name: tags[name] for name in named}


def named(configuration: CompiledConfiguration, application: str, services: Iterable[str], channels: Iterable[str]) -> list[str]:
    """The instances that a release to these channels (none: everywhere) names: never mirroring ones."""
    wanted, places = set(services), set(channels)
    return [
        one
        for one in configuration.instances(application)
        if service_of(one) in wanted
        and (not places or channel_of(one) in places)
        and configuration.policy(one).strategy is not Strategy.MIRROR
    ]


def followers(configuration: CompiledConfiguration, application: str, instances: Iterable[str]) -> list[str]:
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


@dataclass(frozen=True)
class Recompiled:
    """A version that was released before, in a newer configuration, for one instance."""

    part: Part
    spec: Spec
    files: Mapping[str, bytes]


def identity_in_force(configuration: CompiledConfiguration, line: LineState, application: str, service: str) -> str:
    """The revision that versions carry: what changes nothing that runs, such as a new channel, does not change it."""
    revision, known = configuration.revision(application, service), line.configured.get(service)
    return known.identity if known is not None and known.revision == revision else revision


def recompile(configuration: CompiledConfiguration, instance: str, known: ServiceVersion, revision: str) -> Recompiled:
    """The version keeps its name, its own parameters and its digests (§10.1, §10.7).

    Raises:
        Invalid: it cannot come with this configuration, such as one that lacks a parameter that is required now.
    """
    owner, service, channel = parse_instance(instance)
    name, source = known.version.name, known.source
    try:
        parameters = configuration.resolve_parameters(owner, service, channel, known.parameters, {})
        spec = _what_runs(configuration.compile(instance, name, parameters, source, known.images))
        floor = configuration.not_below(instance, name, parameters, source)
    except (ParameterError, CompileError) as error:
        raise Invalid(f"{service} {name}: {str(error).rstrip('.')}", "Release a version that gives the parameter.") from None
    version = replace(known.version, revision=revision)
    part = Part(version, spec.digest, spec.parameters, floor)
    return Recompiled(part, spec, configuration.file_bytes(spec) if spec.files else {})


@dataclass(frozen=True)
class _Service:
    """One service's part of a release, for those instances that are its own."""

    configuration: CompiledConfiguration
    application: str
    service: str
    instances: list[str]
    wish: Wish
    line: LineState

    def images(self) -> dict[str, bool]:
        """Images that are named by a tag -> whether their registry speaks plain HTTP. Raises Invalid.

        Those of every instance of the service, whichever the release names: a version that is released to one channel and to the
        next one later is the same version for orderings and invariants, also where only the latter checks the image (§10.7).
        """
        found: dict[str, bool] = {}
        with self._invalid():
            for instance, parameters in self._resolved().items():
                found |= self.configuration.images(instance, self.wish.version, parameters, self.wish.source)
        for instance in self.configuration.instances(self.application):
            if service_of(instance) == self.service and instance not in self.instances:
                found = self._images_elsewhere(instance) | found
        return found

    def _images_elsewhere(self, instance: str) -> dict[str, bool]:
        """Return None where the version cannot come as released, such as without a parameter: not an error of this release."""
        try:
            (parameters,) = self._resolved([instance]).values()
            return self.configuration.images(instance, self.wish.version, parameters, self.wish.source)
        except (ParameterError, CompileError):
            return {}

    def compile(self, images: Mapping[str, str], into: Compiled) -> None:
        """Add it to ``into``.

        Raises:
            Invalid: a parameter is missing, unknown or not allowed, or a value does not fit.
        """
        configuration, name, source = self.configuration, self.wish.version, self.wish.source
        with self._invalid():
            resolved = self._resolved()
            explicit = _explicit(self.wish.parameters, self._carried, resolved)
            version = Version(
                name,
                digest(explicit) if explicit else "",
                identity_in_force(configuration, self.line, self.application, self.service),
                digest(images) if images else "",
            )
            into.services[self.service] = ServiceVersion(version, explicit, source, dict(images))
            for one, parameters in resolved.items():
                spec = _what_runs(configuration.compile(one, name, parameters, source, images))
                into.specs[one] = spec
                if floor := configuration.not_below(one, name, parameters, source):
                    into.floors[one] = floor
                if others := configuration.policy(one).services:
                    into.after[one] = tuple(dict.fromkeys(other.instance for other in others))
                into.files |= {} if not spec.files else configuration.file_bytes(spec)

    @property
    def _carried(self) -> Mapping[str, Scalar]:
        before = self.line.latest.get(self.service)
        return before.parameters if before else {}

    def _resolved(self, instances: Sequence[str] = ()) -> dict[str, dict[str, Scalar]]:
        """Instance -> values of all parameters, of those named by the release or given."""
        resolve = self.configuration.resolve_parameters
        return {
            one: resolve(self.application, self.service, channel_of(one), self.wish.parameters, self._carried)
            for one in instances or self.instances
        }

    @contextmanager
    def _invalid(self) -> Iterator[None]:
        try:
            yield
        except (ParameterError, CompileError) as error:
            what = f"{self.service} {self.wish.version} cannot be released: {str(error).rstrip('.')}."
            raise Invalid(what, "Give parameters with --param name=value.") from None


def _explicit(
    given: Mapping[str, object], carried: Mapping[str, Scalar], resolved: Mapping[str, Mapping[str, Scalar]]
) -> dict[str, Scalar]:
    """Return what the release sets, apart from defaults: the same in every channel, so it is part of the version's identity."""
    values = next(iter(resolved.values()), {})
    kept = {key for key in carried if key not in given and values.get(key) == carried[key]}
    return {key: values[key] for key in sorted(kept | set(given)) if key in values}


def _what_runs(spec: Spec) -> Spec:
    """Its digest covers what runs and nothing else, so that a release that changes nothing here is recognised."""
    return replace(spec, version=Version(spec.version.name), digest="").sealed()
