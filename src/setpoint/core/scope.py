"""The scope actor: an organization, application, group, channel or runtime that a person stops or pauses as a whole.

Instances below it subscribe; it owns only the two orders that stand until they are withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.facts import AnyFact, Order, Paused, ScopeStatus, Signal, StandingOrder, Started, Stopped, Unpaused
from setpoint.core.instructions import Decision, Event, Publish, Record
from setpoint.core.wall import Wall
from setpoint.model.names import key_of, kind_of, last_name, scope_entity, with_kind, within
from setpoint.model.time import Instant

_TEXTS: dict[type, str] = {
    Stopped: "stops the line",
    Started: "lets the line go on",
    Paused: "pauses everything",
    Unpaused: "ends the pause",
}


class ScopeState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What stands."""

    number: int = 0
    stop: StandingOrder | None = None
    pause: StandingOrder | None = None
    signals: tuple[str, ...] = ()
    """Identities of recent acts: one delivered again is dropped."""
    wall: Wall = Wall()
    """By which orders end."""


def decide(entity: str, state: ScopeState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Take acts, end what is over, publish what stands."""
    state = state or ScopeState()
    after, records = state, []
    for fact in facts:
        if not isinstance(fact, Signal) or type(fact) not in _TEXTS:
            continue
        if (signals := orders.remember(after.signals, fact.id)) is not None:
            before, after = after, replace(_take(after, fact), signals=signals)
            if (after.stop, after.pause) != (before.stop, before.pause):
                ends = orders.ending(fact.until) if isinstance(fact, Order) else ""
                text = f"{fact.by.person} {_TEXTS[type(fact)]}{ends}{fact.by.because}"
                records.append(Record(Event("signal", text, by=fact.by)))
    if (wall := after.wall.updated(facts)) is not after.wall:
        after = replace(after, wall=wall)
    after, ended = _expire(after, wall.at(now))
    wake_at = min((wall.steady(one.until) for one in (after.stop, after.pause) if one and one.until), default=None)
    if not records and not ended:
        return Decision(after, wake_at=wake_at)
    after = replace(after, number=state.number + 1)
    return Decision(after, (*records, *ended, Publish(status(entity, after))), wake_at)


def _expire(state: ScopeState, wall: Instant) -> tuple[ScopeState, list[Record]]:
    """What has an end that is over ends: as an act of whose it was (§10.8)."""
    ended = []
    for name in ("stop", "pause"):
        standing: StandingOrder | None = getattr(state, name)
        if standing and 0 < standing.until <= wall:
            text = f"the {name} by {standing.by.person} has ended{standing.by.because}"
            ended.append(Record(Event("expired", text, by=standing.by)))
            state = replace(state, **{name: None})
    return state, ended


def _take(state: ScopeState, fact: Signal) -> ScopeState:
    match fact:
        case Stopped(in_flight=in_flight):
            known = state.stop
            stop = _stands(fact, known)
            if known and known.in_flight != in_flight:
                stop = replace(stop, by=orders.restated(fact, known.by))
            return replace(state, stop=replace(stop, in_flight=in_flight))
        case Started():
            return replace(state, stop=None)
        case Paused():
            return replace(state, pause=_stands(fact, state.pause))
        case _:
            return replace(state, pause=None)


def _stands(fact: Order, known: StandingOrder | None) -> StandingOrder:
    """What stands from then on; what stood already keeps its beginning, and whose it is unless that is new (§10.10)."""
    if known is None:
        return StandingOrder(fact.by, fact.at, until=fact.until)
    if not orders.restates(fact, known.by, known.until):
        return known
    return StandingOrder(orders.restated(fact, known.by), known.at, until=fact.until)


def status(entity: str, state: ScopeState) -> ScopeStatus:
    """The whole status, numbered."""
    return ScopeStatus(scope=entity, number=state.number, stop=state.stop, pause=state.pause)


def above(labels: dict[str, str]) -> tuple[str, ...]:
    """Entity ids of the scopes that an instance with these labels is below."""
    application, channel, group = labels.get("application", ""), labels.get("channel", ""), labels.get("group", "")
    return (
        scope_entity("organization"),
        scope_entity(with_kind("application", application)),
        *([scope_entity(with_kind("group", within(application, group)))] if group else []),
        scope_entity(with_kind("channel", within(application, channel))),
        scope_entity(with_kind("runtime", labels.get("runtime", ""))),
    )


def name_of(scope: str) -> str:
    """For people: ``channel acme``, ``the organization``."""
    subject = key_of(scope)
    key = key_of(subject)
    return f"{kind_of(subject)} {last_name(key)}" if key else "the organization"
