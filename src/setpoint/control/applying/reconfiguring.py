"""What an applied configuration means for versions that were released before: each in the new configuration (§10.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.applying.impact import Impact, impact_of
from setpoint.control.context import RequestContext
from setpoint.control.errors import Invalid, Unavailable
from setpoint.control.reading.limits import rosters
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.releasing.compiling import Recompiled, recompile
from setpoint.control.releasing.sets import sets
from setpoint.control.releasing.submitting import number_of
from setpoint.core.facts import ConfigurationRequested, Part
from setpoint.core.instance.state import InstanceState, version_offer
from setpoint.core.line import LineState
from setpoint.model.names import application_of, configure_request, parse_instance, service_of, short_name, version_key
from setpoint.model.people import Person
from setpoint.model.policy import Strategy
from setpoint.model.release import Release, ServiceVersion

_LATE = "The configuration is stored, but the release that brings it has no number yet."
_LATE_HINT = "See `setpoint releases`; the same apply again does nothing twice."
_TRIES = 5
"""So often is compiled again because a version was released meanwhile."""
_WHY = "the configuration of what runs changed"


@dataclass
class ReconfigurationRequest:
    """What the release log of one application is requested to do."""

    application: str
    revisions: dict[str, str]
    """Service that needs releases -> its configuration revision in force."""
    seen: int
    """Newest release that was compiled for."""
    changed: list[str] = field(default_factory=list)
    """Services for which what runs changes somewhere, with all that move together with one."""
    parts: dict[str, dict[int, Part]] = field(default_factory=dict)
    lacking: dict[str, dict[int, str]] = field(default_factory=dict)
    extends: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pairs: dict[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """Version release -> its sets: they move as one with this configuration as well."""
    compiled: list[Recompiled] = field(default_factory=list)
    rides: bool = False
    differs: bool = False
    """Whether the line knows other revisions, or none yet."""
    shown: dict[str, str] = field(default_factory=dict)
    """Instance -> what it takes, for people."""

    @property
    def needed(self) -> bool:
        """Whether the line has to be informed at all."""
        return bool(self.changed or self.extends or self.differs)

    @property
    def identity(self) -> list[object]:
        """Of what is shown."""
        return [self.application, self.changed, sorted(self.shown.items()), {one: list(n) for one, n in self.extends.items()}]


async def reconfigure(
    context: RequestContext, configuration: CompiledConfiguration, application: str, new: Iterable[str], starting: Iterable[str]
) -> ReconfigurationRequest:
    """Compile every version that may still run somewhere with the new configuration, and offer new instances what names them."""
    line = await line_of(context, application)
    services = [one for one in configuration.services(application) if configuration.needs_release(application, one)]
    revisions = {service: configuration.revision(application, service) for service in services}
    known = line.configured
    found = ReconfigurationRequest(
        application,
        revisions,
        line.number,
        rides=configuration.on_config_change(application) == "with-next",
        differs=any(service not in known or known[service].revision != revisions[service] for service in services),
    )
    added, begins = set(new), set(starting)
    brought = {one for one in added - begins if application_of(one) == application and service_of(one) in revisions}
    here = [one for one in configuration.instances(application) if service_of(one) in line.latest and one not in added]
    await _change(context, configuration, line, found, here)
    for instance in sorted(brought):
        numbers = await _numbers_for_new(context, configuration, line, instance) if service_of(instance) in line.latest else ()
        if numbers:
            found.extends[instance] = numbers
            await _compile(configuration, found, line, instance, await state_of(context, instance), numbers)
    for release in line.releases:
        members = [one for one, mine in found.parts.items() if release.number in mine and one not in found.extends]
        if together := sets(configuration, release, members) if members and not release.configures else {}:
            found.pairs[release.number] = together
    return found


async def _change(
    context: RequestContext,
    configuration: CompiledConfiguration,
    line: LineState,
    found: ReconfigurationRequest,
    instances: Iterable[str],
) -> None:
    """Compile with the new configuration what may run; only services for which that changes something are named."""
    known, differing = line.configured, set[str]()
    edited = {one for one, revision in found.revisions.items() if one in known and known[one].revision != revision}
    rode = set() if found.rides else {one for one in found.revisions if one in known and known[one].rode} - edited
    states = {one: await state_of(context, one) for one in instances if service_of(one) in found.revisions}
    impacts: dict[str, Impact] = {}
    for instance, state in states.items():
        service = service_of(instance)
        if service in edited | rode:
            impact = impacts[instance] = await _impact(configuration, found, line, instance, state)
            differing |= {service} if impact.takes or (service in edited and impact.differs) else set()
    found.changed = _with_fellows(configuration, found, known.keys(), differing)
    for instance, state in states.items():
        if service_of(instance) in found.changed:
            impact = impacts.get(instance) or await _impact(configuration, found, line, instance, state)
            found.shown[short_name(instance)] = impact.shown
        else:
            found.parts.pop(instance, None)
            found.lacking.pop(instance, None)


async def _impact(
    configuration: CompiledConfiguration, found: ReconfigurationRequest, line: LineState, instance: str, state: InstanceState
) -> Impact:
    """Compile for an instance what it may run, and compare."""
    await _compile(configuration, found, line, instance, state, _known(line, instance, state))
    return impact_of(state.life, configuration.policy(instance), found.parts[instance], found.lacking.get(instance, {}))


def _with_fellows(
    configuration: CompiledConfiguration, found: ReconfigurationRequest, known: Iterable[str], changed: set[str]
) -> list[str]:
    """§10.1: of services that move together, all are named."""
    for members in configuration.together(found.application).values():
        moving = {service_of(member) for member in members}
        if moving & changed:
            changed = changed | (moving & found.revisions.keys() & set(known))
    return sorted(changed)


def _known(line: LineState, instance: str, state: InstanceState) -> tuple[int, ...]:
    """Version releases that the instance knows, or will receive: it was named by them."""
    kept = {offer.release for offer in state.life.offers}
    newest = max(kept, default=0)
    coming = (release.number for release in line.releases if release.number > newest and _names(release, instance))
    return tuple(sorted({*kept, *coming}))


def _names(release: Release, instance: str, group: str = "") -> bool:
    _, service, channel = parse_instance(instance)
    if service not in release.services:
        return False
    return not release.channels or channel in release.channels or (bool(group) and group in release.groups)


async def _numbers_for_new(
    context: RequestContext, configuration: CompiledConfiguration, line: LineState, instance: str
) -> tuple[int, ...]:
    """§10.1: a release without ``--to``, or to a group, names instances that come later: the newest untroubled one, and newer."""
    policy = configuration.policy(instance)
    source = policy.mirror if policy.strategy is Strategy.MIRROR else instance
    group = configuration.labels(source).get("group", "")
    naming = [release for release in line.releases if _names(release, source, group) and not release.adopt]
    if policy.strategy is Strategy.MIRROR:
        good = (await state_of(context, source)).life.good.release
        return tuple(release.number for release in naming if release.number >= good)
    naming = [release for release in naming if not release.channels or release.groups]
    owner, service, _ = parse_instance(instance)
    states = [await state_of(context, one) for one in configuration.instances(owner) if service_of(one) == service]
    untroubled = [release.number for release in naming if not _is_troubled(release, service, line, states)]
    newest = max(untroubled, default=0)
    return tuple(release.number for release in naming if newest and release.number >= newest)


def _is_troubled(release: Release, service: str, line: LineState, states: Sequence[InstanceState]) -> bool:
    wanted = release.services[service]
    if release.number in line.cancelled or version_key(service, wanted.version.name) in line.bad:
        return True
    vetoes = (veto for state in states for veto in state.life.vetoes)
    return any(veto.scope == "version" and veto.version.same(wanted.version) for veto in vetoes)


async def _compile(
    configuration: CompiledConfiguration,
    found: ReconfigurationRequest,
    line: LineState,
    instance: str,
    state: InstanceState,
    numbers: Iterable[int],
) -> None:
    service = service_of(instance)
    changes = instance not in found.extends or service in found.changed
    in_force = line.configured.get(service)
    revision = found.revisions[service] if changes or in_force is None else in_force.identity
    released = {release.number: release.services.get(service) for release in line.releases}
    found.parts[instance] = {}
    for number in numbers:
        known = released.get(number) or _as_offered(state, number)
        if known is None:
            continue
        try:
            recompiled = await asyncio.to_thread(recompile, configuration, instance, known, revision)
        except Invalid as error:
            found.lacking.setdefault(instance, {})[number] = error.message
            continue
        found.compiled.append(recompiled)
        found.parts[instance][number] = recompiled.part


def _as_offered(state: InstanceState, number: int) -> ServiceVersion | None:
    """Of a release that the line has forgotten."""
    offer = version_offer(state.life, number)
    return ServiceVersion(offer.version, offer.parameters, offer.source, offer.images) if offer else None


async def submit_configuration(
    context: RequestContext,
    configuration: CompiledConfiguration,
    found: ReconfigurationRequest,
    revision: int,
    new: Iterable[str],
    starting: Iterable[str],
) -> int:
    """Store what may run, ask the line, and return the number of the configuration release; 0: none was made.

    A version that is released meanwhile is compiled with the new configuration too (§10.1).
    """
    request = configure_request(revision, found.application)
    for attempt in range(_TRIES):
        await context.stores.content.put([one.spec for one in found.compiled], [])
        for one in found.compiled:
            await context.stores.content.put([], one.files.values())
        fact = _fact(context.person, configuration, found, revision, request)
        dedup = f"{request}:{attempt}:{found.seen}"
        number = await number_of(context, fact, dedup=dedup, late=Unavailable(_LATE, _LATE_HINT))
        if number is not None:
            return number
        found = await reconfigure(context, configuration, found.application, new, starting)
    message = "The configuration is applied, but versions are released faster than it can be compiled for them."
    raise Unavailable(message, "Run `setpoint apply` again.")


def _fact(
    author: Person, configuration: CompiledConfiguration, found: ReconfigurationRequest, revision: int, request: str
) -> ConfigurationRequested:
    instances = [one for one in found.parts if one not in found.extends]
    release = Release(found.application, {}, author=author.name, reason=_WHY, automatic=True, revisions=found.revisions)
    return ConfigurationRequested(
        request=request,
        release=release,
        configured=revision,
        seen=found.seen,
        changed=tuple(found.changed),
        parts=found.parts,
        lacking=found.lacking,
        extends=found.extends,
        after={one: tuple(other.instance for other in configuration.policy(one).services) for one in found.parts},
        sets=_sets(configuration, found, instances),
        pairs=found.pairs,
        waves=rosters(configuration, instances),
        rides=found.rides,
    )


def _sets(
    configuration: CompiledConfiguration, found: ReconfigurationRequest, instances: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    named = [one for one in instances if configuration.policy(one).strategy is not Strategy.MIRROR]
    return sets(configuration, Release(found.application, {}), named)
