"""The line actor: one application's releases and their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core.facts import AnyFact, Offered, ReleaseRequested
from setpoint.core.instructions import AnyInstruction, Decision, Event, Record, Send
from setpoint.model.people import By
from setpoint.model.release import Offer, Release, ServiceVersion
from setpoint.model.time import Instant

KEPT_REQUESTS = 200
KEPT_RELEASES = 100


class LineState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last number given, recent releases oldest first, and which requests made them."""

    number: int = 0
    releases: tuple[Release, ...] = ()
    requests: dict[str, int] = {}
    """Request -> number, the most recent ones: the same request twice is one release."""
    latest: dict[str, ServiceVersion] = {}
    """Service -> what its newest release asks for; parameters are carried over from it."""


def decide(_entity: str, state: LineState | None, facts: Sequence[AnyFact], _now: Instant) -> Decision:
    """Number releases and offer them to the instances that they name."""
    state = state or LineState()
    out: list[AnyInstruction] = []
    for fact in facts:
        if isinstance(fact, ReleaseRequested) and fact.request not in state.requests:
            state = _number(state, fact, out)
    return Decision(state, tuple(out))


def _number(state: LineState, fact: ReleaseRequested, out: list[AnyInstruction]) -> LineState:
    release = replace(fact.release, number=state.number + 1, at=fact.at)
    versions = ", ".join(f"{service} {wanted.version.name}" for service, wanted in sorted(release.services.items()))
    out.append(
        Record(
            Event(
                "released", f"release {release.number}: {versions}", release=release.number, by=By(release.author, release.reason)
            )
        )
    )
    for instance, spec in sorted(fact.specs.items()):
        out.append(Send(f"instance:{instance}", Offered(offer=_offer(release, instance, spec, fact))))
    requests = dict(list({**state.requests, fact.request: release.number}.items())[-KEPT_REQUESTS:])
    return LineState(release.number, (*state.releases, release)[-KEPT_RELEASES:], requests, {**state.latest, **release.services})


def _offer(release: Release, instance: str, spec: str, fact: ReleaseRequested) -> Offer:
    service = instance.partition("/")[2].rpartition("@")[0]
    channel = instance.rpartition("@")[2]
    wanted = release.services[service]
    return Offer(
        release=release.number,
        version=wanted.version,
        spec=spec,
        parameters=fact.parameters.get(instance, wanted.parameters),
        source=wanted.source,
        author=release.author,
        reason=release.reason,
        labels=release.labels,
        urgent=release.urgent,
        automatic=release.automatic,
        addressed=channel in release.channels,
        at=release.at,
    )
