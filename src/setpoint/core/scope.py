"""The scope actor: an organization, application, group, channel or runtime that a person stops or pauses as a whole.

Whoever is below it subscribes; it owns nothing but the two acts that stand until they are withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core.facts import AnyFact, Paused, ScopeStatus, Signal, Standing, Started, Stopped, Unpaused
from setpoint.core.instructions import Decision, Event, Publish, Record
from setpoint.model.time import Instant

KEPT_SIGNALS = 20
_TEXTS: dict[type, str] = {
    Stopped: "stops the line",
    Started: "lets the line go on",
    Paused: "pauses everything",
    Unpaused: "ends the pause",
}


class ScopeState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What stands."""

    number: int = 0
    stop: Standing | None = None
    pause: Standing | None = None
    signals: tuple[str, ...] = ()
    """Identities of recent acts: one delivered again is dropped."""


def decide(entity: str, state: ScopeState | None, facts: Sequence[AnyFact], _now: Instant) -> Decision:
    """Take acts, publish what stands."""
    state = state or ScopeState()
    after, records = state, []
    for fact in facts:
        if isinstance(fact, Signal) and type(fact) in _TEXTS and not (fact.id and fact.id in after.signals):
            after = _take(after, fact)
            because = f": {fact.by.why}" if fact.by.why else ""
            records.append(Record(Event("signal", f"{fact.by.person} {_TEXTS[type(fact)]}{because}", by=fact.by)))
    if not records:
        return Decision(state)
    after = replace(after, number=state.number + 1)
    return Decision(after, (*records, Publish(status(entity, after))))


def _take(state: ScopeState, fact: Signal) -> ScopeState:
    standing = Standing(fact.by, fact.at)
    state = replace(state, signals=(*state.signals, fact.id)[-KEPT_SIGNALS:] if fact.id else state.signals)
    match fact:
        case Stopped(in_flight=in_flight):
            known = state.stop if state.stop and state.stop.in_flight == in_flight else None
            return replace(state, stop=known or replace(standing, in_flight=in_flight))
        case Started():
            return replace(state, stop=None)
        case Paused():
            return replace(state, pause=state.pause or standing)
        case _:
            return replace(state, pause=None)


def status(entity: str, state: ScopeState) -> ScopeStatus:
    """The whole status, numbered."""
    return ScopeStatus(scope=entity, number=state.number, stop=state.stop, pause=state.pause)


def above(labels: dict[str, str]) -> tuple[str, ...]:
    """Entity ids of the scopes that an instance with these labels is below."""
    application, channel, group = labels.get("application", ""), labels.get("channel", ""), labels.get("group", "")
    return (
        "scope:organization",
        f"scope:application:{application}",
        *([f"scope:group:{application}/{group}"] if group else []),
        f"scope:channel:{application}/{channel}",
        f"scope:runtime:{labels.get('runtime', '')}",
    )


def name_of(scope: str) -> str:
    """For people: ``channel acme``, ``the organization``."""
    kind, _, key = scope.partition(":")[2].partition(":")
    return f"{kind} {key.rpartition('/')[2]}" if key else "the organization"
