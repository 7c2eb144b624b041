"""The invariant actor, one of an Invariant document: it owns the statuses that it watches, and publishes what violates it.

A violation that concerns several instances counts once it has lasted for ``SETTLE``: their statuses do not arrive together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core.facts import (
    AnyFact,
    InstanceStatus,
    InvariantConfigured,
    InvariantStatus,
    LineStatus,
    Stopped,
    Violation,
)
from setpoint.core.instructions import AnyInstruction, Decision, Event, Publish, Record, Send, Subscribe, Unsubscribe
from setpoint.core.invariants.violations import violations
from setpoint.model.invariants import Invariant
from setpoint.model.names import application_of, instance_entity, key_of, line_entity, scope_entity, with_kind, within
from setpoint.model.people import By
from setpoint.model.time import SECOND, Duration, Instant

SETTLE: Duration = 5 * SECOND
IMMEDIATE = frozenset({"runs", "approved", "open"})
"""Requirements that one status alone can violate."""


class InvariantState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The document, what it watches, and what violates it."""

    invariant: Invariant | None = None
    configured: int = 0
    seen: dict[str, InstanceStatus] = {}
    """Instance -> what it published last, as far as it matters here."""
    bad: dict[str, tuple[str, ...]] = {}
    """Application -> ``service/version`` marked bad."""
    lines: dict[str, int] = {}
    """Application -> number of its line's last status."""
    suspected: dict[str, Instant] = {}
    """Key of a violation that has not stood long enough -> since when it is seen."""
    violations: tuple[Violation, ...] = ()
    number: int = 0


def decide(entity: str, state: InvariantState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Record facts, and publish what violates the invariant."""
    before = state or InvariantState()
    after = before
    for fact in facts:
        after = _take(after, fact)
    out: list[AnyInstruction] = []
    old, new = _listened(before.invariant), _listened(after.invariant)
    out.extend(Subscribe(one) for one in sorted(new - old))
    out.extend(Unsubscribe(one) for one in sorted(old - new))
    after = _judge(entity, after, now, out)
    wake = min(after.suspected.values(), default=None)
    return Decision(before if after == before else after, tuple(out), None if wake is None else wake + SETTLE)


def _take(state: InvariantState, fact: AnyFact) -> InvariantState:
    if isinstance(fact, InvariantConfigured) and fact.number >= state.configured:
        watched = {key_of(one) for one in _listened(fact.invariant)}
        return replace(
            state,
            invariant=fact.invariant,
            configured=fact.number,
            seen={name: seen for name, seen in state.seen.items() if name in watched},
            bad={name: bad for name, bad in state.bad.items() if name in watched},
            lines={name: number for name, number in state.lines.items() if name in watched},
        )
    if isinstance(fact, InstanceStatus) and fact.number > _number(state, fact.instance):
        return replace(state, seen={**state.seen, fact.instance: seen(fact)})
    if isinstance(fact, LineStatus) and fact.number > state.lines.get(fact.application, 0):
        bad = {**state.bad, fact.application: tuple(sorted(fact.bad))}
        return replace(state, bad=bad, lines={**state.lines, fact.application: fact.number})
    return state


def _number(state: InvariantState, instance: str) -> int:
    before = state.seen.get(instance)
    return before.number if before else 0


def seen(status: InstanceStatus) -> InstanceStatus:
    """Of what an instance publishes (``instance.status.status``), what an invariant looks at."""
    return InstanceStatus(
        instance=status.instance,
        number=status.number,
        version=status.version,
        finalized=status.finalized,
        truncated=status.truncated,
        moving=status.moving,
        target_change=status.target_change,
    )


def _listened(invariant: Invariant | None) -> set[str]:
    if invariant is None:
        return set()
    names = {one for member in invariant.members for one in (member.instance, *member.others)}
    lines = {line_entity(application_of(member.instance)) for member in invariant.members if invariant.require.not_bad}
    return set(map(instance_entity, names)) | lines


def _judge(entity: str, state: InvariantState, now: Instant, out: list[AnyInstruction]) -> InvariantState:
    bad = {within(application, one) for application, marked in state.bad.items() for one in marked}
    found = {one.key: one for one in violations(state.invariant, state.seen, bad)} if state.invariant else {}
    known = {one.key: one for one in state.violations}
    suspected = {key: min(state.suspected.get(key, now), now) for key in found if key not in known}
    settled = {key for key, since in suspected.items() if found[key].what in IMMEDIATE or since + SETTLE <= now}
    standing = [replace(found[key], since=known[key].since) for key in found if key in known]
    new = [replace(found[key], since=suspected[key]) for key in found if key in settled]
    violated = tuple(sorted((*standing, *new), key=lambda one: (one.since, one.key)))
    after = replace(
        state,
        suspected={key: since for key, since in suspected.items() if key not in settled},
        violations=violated,
        number=state.number + ([one.key for one in violated] != [one.key for one in state.violations]),
    )
    if after.number != state.number:
        _report(entity, after, new, [known[key] for key in known if key not in found], out)
    return after


def _report(
    entity: str, state: InvariantState, new: Sequence[Violation], gone: Sequence[Violation], out: list[AnyInstruction]
) -> None:
    name = key_of(entity)
    for one in new:
        out.append(Record(Event("violated", f"{name}: {one.text}", release=one.release, version=one.version)))
        if state.invariant and state.invariant.stop:
            out.extend(_stops(name, one, state.invariant))
    out.extend(
        Record(Event("holds-again", f"{name} holds again: {one.text}", release=one.release, version=one.version)) for one in gone
    )
    out.append(Publish(InvariantStatus(invariant=name, number=state.number, violations=state.violations)))


def _stops(name: str, violation: Violation, invariant: Invariant) -> Iterator[Send]:
    """The line of every application concerned stops, once for each violation."""
    concerned = [violation.instance] if violation.instance else [member.instance for member in invariant.members]
    by = By(f"invariant {name}", violation.text)
    for application in sorted({application_of(instance) for instance in concerned}):
        act = f"{name}/{violation.key}/{violation.since}"
        yield Send(scope_entity(with_kind("application", application)), Stopped(by=by, id=act))
