"""The line actor: one application's releases and their numbers, which versions are bad, which releases were cancelled."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.admission import ENTITY as ADMISSION
from setpoint.core.facts import (
    AnyFact,
    Cancelled,
    ConfigurationRequested,
    LineStatus,
    Marked,
    Offered,
    Part,
    Reconfigured,
    ReleaseRequested,
    SetFormed,
    StandingOrder,
    WaveMembersNamed,
)
from setpoint.core.instructions import AnyInstruction, Decision, Event, Publish, Record, Send
from setpoint.model.names import channel_of, format_set, instance_entity, key_of, service_of, version_key, with_configuration
from setpoint.model.people import By
from setpoint.model.release import Configuration, Offer, Release, RequiredVersion, ServiceVersion
from setpoint.model.time import Instant

KEPT_REQUESTS = 200
KEPT_RELEASES = 100
KEPT_CANCELLED = 200
KEPT_ABSOLVED = 100
KEPT_STALE = 20


class InForce(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The configuration of one service that releases carry from now on (§10.1)."""

    configured: int
    """Applied revision that changed it last; 0: it has been so from the beginning."""
    revision: str
    identity: str = ""
    """The revision that versions carry: the last one that changed what runs somewhere. A new channel does not count."""
    release: int = 0
    """The configuration release; 0: none was made, since nothing was released yet or the change rides on the next version."""

    @property
    def rode(self) -> bool:
        """Whether a change was put into force without a release of its own."""
        return self.configured > 0 and not self.release


class LineState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last number given, recent releases oldest first, and which requests made them."""

    number: int = 0
    releases: tuple[Release, ...] = ()
    requests: dict[str, int] = {}
    """Request -> number, the most recent ones: the same request twice is one release. 0: a configuration that made none."""
    latest: dict[str, ServiceVersion] = {}
    """Service -> the version of its newest release; parameters are carried over from it. What an automatic one brings to new
    channels only was released before."""
    configured: dict[str, InForce] = {}
    """Service that needs releases -> its configuration in force."""
    stale: tuple[str, ...] = ()
    """Requests that were compiled with something that is not in force any more: they must be compiled again."""
    published: int = 0
    bad: dict[str, StandingOrder] = {}
    """``service/version`` -> who marked it."""
    absolved: dict[str, Instant] = {}
    cancelled: dict[int, StandingOrder] = {}
    signals: tuple[str, ...] = ()


def decide(entity: str, state: LineState | None, facts: Sequence[AnyFact], _now: Instant) -> Decision:
    """Number releases and offer them to the instances that they name; publish marks and cancellations."""
    state = before = state or LineState()
    out: list[AnyInstruction] = []
    for fact in facts:
        if isinstance(fact, ReleaseRequested) and fact.request not in state.requests:
            state = _stale(state, fact.request) if _outdated(state, fact.release) else _number(state, fact, out)
        elif isinstance(fact, ConfigurationRequested) and fact.request not in state.requests:
            state = _configured(state, fact, out)
        elif isinstance(fact, Marked | Cancelled) and (signals := orders.remember(state.signals, fact.id)) is not None:
            state = _mark(state, fact, out) if isinstance(fact, Marked) else _cancel(state, fact, out)
            state = replace(state, signals=signals)
    if (state.bad, state.absolved, state.cancelled) != (before.bad, before.absolved, before.cancelled):
        state = replace(state, published=state.published + 1)
        out.append(Publish(status(entity, state)))
    return Decision(state, tuple(out))


def status(entity: str, state: LineState) -> LineStatus:
    """The whole status, numbered."""
    application = key_of(entity)
    return LineStatus(
        application=application, number=state.published, bad=state.bad, absolved=state.absolved, cancelled=state.cancelled
    )


def _mark(state: LineState, fact: Marked, out: list[AnyInstruction]) -> LineState:
    key = version_key(fact.service, fact.version)
    known = state.bad.get(key)
    if fact.bad and known and fact.by.why in {"", known.by.why}:
        return state
    word = "bad" if fact.bad else "good"
    out.append(
        Record(
            Event(
                "signal",
                f"{fact.by.person} marks {fact.service} {fact.version} {word}{fact.by.because}",
                version=fact.version,
                by=fact.by,
                service=fact.service,
            )
        )
    )
    absolved = {name: at for name, at in state.absolved.items() if name != key}
    if fact.bad:
        return replace(state, bad={**state.bad, key: StandingOrder(fact.by, known.at if known else fact.at)}, absolved=absolved)
    bad = {name: mark for name, mark in state.bad.items() if name != key}
    return replace(state, bad=bad, absolved=dict(list({**absolved, key: fact.at}.items())[-KEPT_ABSOLVED:]))


def _cancel(state: LineState, fact: Cancelled, out: list[AnyInstruction]) -> LineState:
    if fact.release in state.cancelled or not 0 < fact.release <= state.number:
        return state
    text = f"{fact.by.person} cancels release {fact.release}{fact.by.because}"
    out.append(Record(Event("signal", text, release=fact.release, by=fact.by)))
    cancelled = {**state.cancelled, fact.release: StandingOrder(fact.by, fact.at)}
    return replace(state, cancelled=dict(list(cancelled.items())[-KEPT_CANCELLED:]))


def _stale(state: LineState, request: str) -> LineState:
    return state if request in state.stale else replace(state, stale=(*state.stale, request)[-KEPT_STALE:])


def _outdated(state: LineState, release: Release) -> bool:
    """§10.1: a release carries the revision in force when it gets its number."""
    return any(
        (known := state.configured.get(service)) is not None and known.identity != wanted.version.revision
        for service, wanted in release.services.items()
    )


def _newer_releases(state: LineState, seen: int) -> bool:
    return any(release.number > seen and not release.configures for release in state.releases)


def _configured(state: LineState, fact: ConfigurationRequested, out: list[AnyInstruction]) -> LineState:
    """What comes after a newer configuration is in force makes no release: it would take everybody back (§10.1 Chosen)."""
    if any(known.configured > fact.configured for known in state.configured.values()):
        return replace(state, requests=_requested(state, fact.request, 0), stale=_without(state.stale, fact.request))
    return _stale(state, fact.request) if _newer_releases(state, fact.seen) else _configure(state, fact, out)


def _requested(state: LineState, request: str, number: int) -> dict[str, int]:
    return dict(list({**state.requests, request: number}.items())[-KEPT_REQUESTS:])


def _configure(state: LineState, fact: ConfigurationRequested, out: list[AnyInstruction]) -> LineState:
    """Put a configuration into force. What changes for services that were released becomes a release of its own (§10.1)."""
    released = () if fact.rides else tuple(service for service in fact.changed if service in state.latest)
    number = state.number + bool(released)
    in_force = {
        service: _in_force(state, fact, service, revision, number * (service in released))
        for service, revision in fact.release.revisions.items()
    }
    state = replace(
        state,
        number=number,
        configured={**state.configured, **in_force},
        stale=_without(state.stale, fact.request),
        requests=_requested(state, fact.request, number * bool(released)),
    )
    if released:
        revisions = {service: fact.release.revisions[service] for service in released}
        release = replace(fact.release, number=number, at=fact.at, revisions=revisions)
        by = By(release.author, release.reason)
        text = f"release {number}: configuration of {', '.join(sorted(released))}"
        out.append(Record(Event("released", text, release=number, by=by)))
        out.extend(_sets(number, fact))
        out.extend(_rosters(number, fact, fact.parts))
        state = replace(state, releases=(*state.releases, release)[-KEPT_RELEASES:])
        _reconfigure(release, fact, out)
    _extend(state, fact, out)
    return state


def _without(stale: tuple[str, ...], request: str) -> tuple[str, ...]:
    return tuple(known for known in stale if known != request)


def _in_force(state: LineState, fact: ConfigurationRequested, service: str, revision: str, release: int) -> InForce:
    known = state.configured.get(service)
    if service in fact.changed:
        return InForce(fact.configured, revision, revision, release)
    if known is None:
        return InForce(0, revision, revision)
    return replace(known, revision=revision, identity=known.identity if service in state.latest else revision)


def _reconfigure(release: Release, fact: ConfigurationRequested, out: list[AnyInstruction]) -> None:
    for number, found in sorted(fact.pairs.items()):
        for name, members in sorted(found.items()):
            formed = SetFormed(release=number, members=tuple(sorted(members)), after=_order(members, fact.after))
            out.append(Send(with_configuration(format_set(name, number), fact.configured), formed))
    for instance in sorted({*fact.parts, *fact.lacking}):
        if service_of(instance) in release.revisions:
            configuration = _configuration(release, instance, fact)
            parts, lacking = fact.parts.get(instance, {}), fact.lacking.get(instance, {})
            given = Reconfigured(configuration=configuration, parts=parts, lacking=lacking)
            out.append(Send(instance_entity(instance), given))


def _configuration(release: Release, instance: str, fact: ConfigurationRequested) -> Configuration:
    set_name = next((name for name, members in sorted(fact.sets.items()) if instance in members), "")
    fellows = fact.sets.get(set_name, ())  # their set starts them in order: neither waits for the other to be finalized
    others = (
        one
        for one in fact.after.get(instance, ())
        if service_of(one) in release.revisions and one in fact.parts and one not in fellows
    )
    return Configuration(
        release=release.number,
        configured=fact.configured,
        revision=release.revisions[service_of(instance)],
        author=release.author,
        reason=release.reason,
        at=release.at,
        after={other: release.revisions[service_of(other)] for other in others},
        set=format_set(set_name, release.number) if set_name else "",
        waves=next((group for group, instances in sorted(fact.waves.items()) if instance in instances), ""),
    )


def _extend(state: LineState, fact: ConfigurationRequested, out: list[AnyInstruction]) -> None:
    """§10.1: a release without ``--to``, or to a group, names instances that come later too."""
    for instance, numbers in sorted(fact.extends.items()):
        service = service_of(instance)
        for release in state.releases:
            part = fact.parts.get(instance, {}).get(release.number)
            if part is not None and release.number in numbers and service in release.services:
                out.append(Send(instance_entity(instance), Offered(offer=_later(state, release, instance, part))))


def _later(state: LineState, release: Release, instance: str, part: Part) -> Offer:
    service = service_of(instance)
    wanted, known = release.services[service], state.configured.get(service, InForce(0, ""))
    configuration = Configuration(known.release, known.configured, known.identity) if known.configured else None
    return Offer(
        release=release.number,
        version=part.version,
        spec=part.spec,
        parameters=part.parameters,
        source=wanted.source,
        author=release.author,
        reason=release.reason,
        labels=release.labels,
        urgent=release.urgent,
        at=release.at,
        not_below=part.not_below,
        configured=known.configured,
        configuration=configuration,
    )


def _number(state: LineState, fact: ReleaseRequested, out: list[AnyInstruction]) -> LineState:
    release = replace(fact.release, number=state.number + 1, at=fact.at)
    versions = ", ".join(f"{service} {wanted.version.name}" for service, wanted in sorted(release.services.items()))
    by = By(release.author, release.reason)
    out.append(Record(Event("released", f"release {release.number}: {versions}", release=release.number, by=by)))
    out.extend(_sets(release.number, fact))
    out.extend(_rosters(release.number, fact, fact.specs))
    waves = {instance: group for group, instances in sorted(fact.waves.items()) for instance in instances}
    for instance, spec in sorted(fact.specs.items()):
        offer = replace(_offer(state, release, instance, spec, fact), waves=waves.get(instance, ""))
        out.append(Send(instance_entity(instance), Offered(offer=offer)))
    extends = release.automatic and bool(release.channels)
    return replace(
        state,
        stale=_without(state.stale, fact.request),
        number=release.number,
        releases=(*state.releases, release)[-KEPT_RELEASES:],
        requests=_requested(state, fact.request, release.number),
        latest={**release.services, **state.latest} if extends else {**state.latest, **release.services},
    )


def _sets(number: int, fact: ReleaseRequested | ConfigurationRequested) -> Iterator[Send]:
    """Form the sets of a release: each owns the votes of the members that move as one."""
    for name, members in sorted(fact.sets.items()):
        after = _order(members, fact.after)
        yield Send(format_set(name, number), SetFormed(release=number, members=tuple(sorted(members)), after=after))


def _order(members: tuple[str, ...], after: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Member -> members that it starts after."""
    return {one: first for one in sorted(members) if (first := _among(after.get(one, ()), members))}


def _rosters(number: int, fact: ReleaseRequested | ConfigurationRequested, members: Container[str]) -> Iterator[Send]:
    """Name to admission the members of each group with waves; a release that goes through none sends nothing."""
    for group, instances in sorted(fact.waves.items()):
        named = tuple(instance for instance in instances if instance in members)
        if named:
            yield Send(ADMISSION, WaveMembersNamed(group=group, release=number, instances=named))


def _among(instances: tuple[str, ...], members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in instances if one in members)


def _offer(state: LineState, release: Release, instance: str, spec: str, fact: ReleaseRequested) -> Offer:
    wanted = release.services[service_of(instance)]
    name = next((name for name, members in sorted(fact.sets.items()) if instance in members), "")
    return Offer(
        release=release.number,
        version=wanted.version,
        spec=spec,
        parameters=fact.parameters.get(instance, wanted.parameters),
        source=wanted.source,
        images=wanted.images,
        author=release.author,
        reason=release.reason,
        labels=release.labels,
        urgent=release.urgent,
        automatic=release.automatic,
        adopt=release.adopt,
        addressed=channel_of(instance) in release.channels,
        at=release.at,
        beside=_beside(state, release, instance, fact, fact.sets.get(name, ())),
        set=format_set(name, release.number) if name else "",
        not_below=fact.floors.get(instance, ""),
        configured=known.configured if (known := state.configured.get(service_of(instance))) else 0,
    )


def _beside(
    state: LineState, release: Release, instance: str, fact: ReleaseRequested, fellows: tuple[str, ...]
) -> dict[str, RequiredVersion]:
    """What this release, or the latest before it that is not cancelled, requires of the instances that this one comes after."""
    found: dict[str, RequiredVersion] = {}
    for other in fact.after.get(instance, ()):
        if other in fact.specs:
            version = release.services[service_of(other)].version
            found[other] = RequiredVersion(release.number, version, together=other in fellows)
        elif required := _required_before(state, other):
            found[other] = required
    return found


def _required_before(state: LineState, instance: str) -> RequiredVersion | None:
    """Return what the newest remembered release requires: older ones are long finished."""
    service, channel = service_of(instance), channel_of(instance)
    for release in reversed(state.releases):
        named = service in release.services and (not release.channels or channel in release.channels)
        if named and release.number not in state.cancelled:
            return RequiredVersion(release.number, release.services[service].version)
    return None
