"""The topic actor: the votes of people on one release at one subject. One inbox orders two people who act in the same second."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setpoint.core.facts import AnyFact, TopicStatus, Vote, Voted
from setpoint.core.instructions import Decision, Event, Publish, Record
from setpoint.model.names import parse_topic
from setpoint.model.people import By
from setpoint.model.time import Instant


class TopicState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Votes in the order in which they came. Whether one counts is the business of each gate with the topic."""

    votes: tuple[Vote, ...] = ()


def decide(entity: str, state: TopicState | None, facts: Sequence[AnyFact], _now: Instant) -> Decision:
    """Take votes; the same one delivered twice, however late, is one."""
    state = state or TopicState()
    votes, records = state.votes, []
    for fact in facts:
        if isinstance(fact, Voted) and not _repeated(votes, fact):
            votes = (*votes, Vote(fact.person, fact.yes, fact.wall, fact.why, fact.id))
            records.append(Record(_event(entity, fact)))
    if not records:
        return Decision(state)
    status = TopicStatus(topic=entity, number=len(votes), votes=votes)
    return Decision(TopicState(votes), (*records, Publish(status)))


def _repeated(votes: tuple[Vote, ...], fact: Voted) -> bool:
    if fact.id:
        return any(vote.id == fact.id for vote in votes)
    return any((vote.person.name, vote.yes, vote.at) == (fact.person.name, fact.yes, fact.wall) for vote in votes)


def _event(entity: str, fact: Voted) -> Event:
    _, topic, release, _ = parse_topic(entity)
    does = "approves" if fact.yes else "rejects"
    by = By(fact.person.name, fact.why)
    return Event(
        "vote",
        f"{by.person} {does} release {release} for {topic}{by.because}",
        release=release,
        by=by,
    )
