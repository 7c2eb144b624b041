"""Sets: members start together, are finalized together, and go back together, by the votes they gave and received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.facts import Fact, MemberState, RolledBack, SetStage, SetStatus, SetVote
from setpoint.core.instance.state import InstanceState, Kind, Rollout, offer_of
from setpoint.core.instructions import Publish, Send
from setpoint.core.sets import GONE, THERE, SetState
from setpoint.model.names import instance_entity
from setpoint.model.release import Offer
from setpoint.model.time import Instant
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.requirements import set_of
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules.registry import Complaint, actor_rule, rule
from setpoint.simulate.world.host import TurnRecord


@dataclass
class Votes(FamilyLedger):
    """The votes that a member sent to its sets."""

    locked: dict[str, int] = field(default_factory=dict)
    """Set -> epoch in which it was locked last."""
    passed: set[str] = field(default_factory=set)
    """Sets of which this member's present or last rollout has passed."""
    last: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, SetStatus] = field(default_factory=dict)
    """Set -> its newest status that this member received."""

    def take(self, fact: Fact) -> None:
        """Statuses of sets."""
        if isinstance(fact, SetStatus) and (fact.set not in self.statuses or self.statuses[fact.set].number < fact.number):
            self.statuses[fact.set] = fact

    def write_down(self, step: Step) -> None:
        """Every vote given in this turn."""
        for given in step.turn.decision.instructions:
            if isinstance(given, Send) and isinstance(given.fact, SetVote):
                self._voted(given.to, given.fact)

    def _voted(self, entity: str, vote: SetVote) -> None:
        self.last[entity] = vote.state
        if vote.state is MemberState.LOCKED:
            self.locked[entity] = vote.epoch
        if vote.state is MemberState.PASSED:
            self.passed.add(entity)
        elif vote.state not in {MemberState.STARTED, *THERE}:
            self.passed.discard(entity)


FAMILY_LEDGERS.append(Votes)


@dataclass
class SetLedger:
    """What the sets of a world had received from their members, and which members they do not wait for."""

    votes: dict[str, dict[str, SetVote]] = field(default_factory=dict)
    """Set -> member -> its vote of the highest number that was delivered."""
    locked: dict[str, dict[str, Instant]] = field(default_factory=dict)
    """Set -> member -> when, by the wall clock, it sent the vote that the set went by last."""
    away: dict[str, set[str]] = field(default_factory=dict)
    """Set -> members that had left, or were there already, when it went last, or that reported so since: it goes without them."""

    def write_down(self, entity: str, turn: TurnRecord, before: SetState, after: SetState) -> None:
        """The votes that were delivered to a set, and as of when it goes who takes no part."""
        for fact in turn.facts:
            if isinstance(fact, SetVote):
                self._take(entity, fact)
        if after.stage in GONE and before.stage not in GONE:
            self.locked[entity] = {member: vote.wall for member, vote in self.votes.get(entity, {}).items()}
            self.away[entity] = self.elsewhere(entity)
        elif before.stage is SetStage.GOING:
            self.away[entity] |= self.elsewhere(entity)

    def _take(self, entity: str, vote: SetVote) -> None:
        votes = self.votes.setdefault(entity, {})
        if vote.member not in votes or votes[vote.member].number < vote.number:
            votes[vote.member] = vote

    def elsewhere(self, entity: str) -> set[str]:
        """Members that the set does not have to wait for, as far as it knows."""
        return {member for member, vote in self.votes.get(entity, {}).items() if vote.state in THERE}


def went_at(step: Step, offer: Offer) -> Instant | None:
    """When the set of this offer started, as far as this member could judge: what expires later counts still (§10.14)."""
    entity = set_of(step.judged, offer)
    status = step.ledger.of(Votes).statuses.get(entity) if entity else None
    if status is None or status.stage not in GONE or step.instance not in status.went:
        return None
    return step.memory.shared(SetLedger).locked.get(entity, {}).get(step.instance)


def _received(moment: Moment) -> tuple[SetLedger, SetState, SetState]:
    """What was received as of this turn, and the set before and after it."""
    received, after = moment.memory.shared(SetLedger), moment.turn.decision.state
    assert isinstance(after, SetState)  # noqa: S101 - for the type checker: this is a set
    before = moment.turn.before if isinstance(moment.turn.before, SetState) else SetState()
    received.write_down(moment.turn.entity, moment.turn, before, after)
    return received, before, after


@actor_rule("gated", "set")
def goes(moment: Moment) -> Iterator[Complaint]:
    """A set goes once each member has reported that it is locked in this epoch, or takes no part."""
    received, before, after = _received(moment)
    entity = moment.turn.entity
    if after.stage not in GONE:
        return
    away = received.away[entity]
    if before.stage not in GONE:
        moment.saw("gated")
        for member in after.members:
            vote = received.votes.get(entity, {}).get(member)
            if member not in away and not (vote and vote.state is MemberState.LOCKED and vote.epoch == after.epoch):
                yield f"goes in epoch {after.epoch} although {member} is not locked: {vote and (vote.state, vote.epoch)}"
    if set(after.went) != set(after.members) - away:
        yield f"goes with {after.went}, where {sorted(away)} take no part"


@actor_rule("gated", "set")
def lets_start_in_order(moment: Moment) -> Iterator[Complaint]:
    """A member that comes after others may start once each of those has reported that it has passed, or takes no part."""
    received, _, after = _received(moment)
    entity = moment.turn.entity
    for given in moment.turn.decision.instructions:
        if not isinstance(given, Publish) or not isinstance(given.fact, SetStatus):
            continue
        for member in given.fact.start:
            moment.saw("gated")
            for first in set(after.after.get(member, ())) - received.away[entity]:
                vote = received.votes[entity].get(first)
                if vote is None or vote.state is not MemberState.PASSED:
                    yield f"lets {member} start, which comes after {first}, and that has not passed: {vote and vote.state}"


def _members(step: Step, entity: str) -> Iterator[tuple[str, Votes]]:
    """The other members of a set that take part, and the votes they sent."""
    state = step.world.states.get(entity)
    away = step.memory.shared(SetLedger).away.get(entity, set())
    for member in state.members if isinstance(state, SetState) else ():
        ledger = step.memory.ledgers.get(instance_entity(member))
        if member != step.instance and member not in away:
            yield member, ledger.of(Votes) if ledger else Votes()


@rule("gated")
def started_together(step: Step) -> Iterator[Complaint]:
    """A member starts only once every other member was locked in the same epoch."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD or not set_of(step.judged, step.forward[1]):
        return
    entity = set_of(step.judged, step.forward[1])
    state = step.world.states.get(entity)
    if isinstance(state, SetState) and state.stage is SetStage.ENDED:
        return
    step.saw("gated")
    mine = step.ledger.of(Votes).locked.get(entity, 0)
    if not mine:
        yield f"started without having been locked in {entity}"
    for member, votes in _members(step, entity):
        if votes.locked.get(entity) != mine:
            yield f"started in epoch {mine} of {entity}, in which {member} was not locked: {votes.last.get(entity)}"


@rule("gated")
def started_in_order(step: Step) -> Iterator[Complaint]:
    """A member starts only when its set has let it; what happens to those before it meanwhile, it cannot know."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD or not set_of(step.judged, step.forward[1]):
        return
    entity = set_of(step.judged, step.forward[1])
    status = step.ledger.of(Votes).statuses.get(entity)
    if status is None or (status.stage is not SetStage.ENDED and step.instance not in status.start):
        yield f"started although {entity} has not let it start: {status and (status.stage, status.start)}"


@rule("safe-back")
def finalized_together(step: Step) -> Iterator[Complaint]:
    """No member is finalized before all have passed."""
    found = _set_rollout(step)
    if found is None or not any(step.ledger.pair(event) == found[0].pair for event in step.events("finalized")):
        return
    offer, _ = found
    entity = set_of(step.before.life, offer)
    state = step.world.states.get(entity)
    if isinstance(state, SetState) and state.stage is SetStage.ENDED:
        return
    step.saw("safe-back")
    if isinstance(state, SetState) and state.stage is not SetStage.FINALIZING:
        yield f"finalized {offer.version.name} while {entity} is {state.stage}"
    for member, votes in _members(step, entity):
        stopped = votes.last.get(entity) in {
            MemberState.OUT,
            MemberState.GONE,
            MemberState.VETOED,
            MemberState.FAILED,
            MemberState.STUCK,
        }
        if entity not in votes.passed and not stopped:
            yield f"finalized {offer.version.name} before {member} had passed: {votes.last.get(entity)}"


@rule("safe-back")
def goes_back_together(step: Step) -> Iterator[Complaint]:
    """A member that reported that it has passed goes back only by order of its set or of a person."""
    found = _set_rollout(step)
    rollout = step.went_back()
    if found is None or rollout is None or any(isinstance(fact, RolledBack) for fact in step.turn.facts):
        return
    offer, old = found
    entity = set_of(step.before.life, offer)
    state = step.world.states.get(entity)
    if not isinstance(state, SetState) or rollout.attempt.pair != offer.pair:
        return
    step.saw("safe-back")
    if old.passed and state.stage in {SetStage.FINALIZING, SetStage.ENDED}:
        yield f"went back from {offer.version.name} although {entity} is {state.stage}"


def _set_rollout(step: Step) -> tuple[Offer, Rollout] | None:
    """The rollout with a set that was under way before this turn."""
    old = step.before.life.rollout
    offer = offer_of(step.before.life, old.attempt.pair) if old else None
    if old is None or old.back or offer is None or not set_of(step.before.life, offer) or old.attempt.kind is not Kind.FORWARD:
        return None
    return offer, old


@actor_rule("safe-back", "set")
def no_member_runs_what_failed(moment: Moment) -> Iterator[Complaint]:
    """A set gathers again only when no member runs what failed any more, except one that cannot go back."""
    before, after = moment.turn.before, moment.turn.decision.state
    if not isinstance(before, SetState) or not isinstance(after, SetState):
        return
    if before.stage not in {SetStage.GOING, SetStage.GOING_BACK} or after.stage is not SetStage.GATHERING:
        return
    moment.saw("safe-back")
    for member in after.members:
        life = moment.world.states.get(instance_entity(member), InstanceState()).life
        offer = offer_of(life, life.rollout.attempt.pair) if life.rollout else None
        under_way = life.rollout is not None and offer is not None and set_of(life, offer) == moment.turn.entity
        if under_way and life.rollout and not life.rollout.back and life.rollout.attempt.kind is Kind.FORWARD:
            yield f"{member} still rolls release {after.release} out"
