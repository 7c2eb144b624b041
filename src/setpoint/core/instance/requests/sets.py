"""Votes of a member: sent to its set whenever they change. This instance follows what the set publishes."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.facts import MemberState, Need, SetStage, SetStatus, SetVote
from setpoint.core.instance import outcomes, selection, status
from setpoint.core.instance.gates import limit, task
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.context import only_configures, set_of
from setpoint.core.instance.gates.verdict import Tier
from setpoint.core.instance.state import Attempt, Kind, Life, Rollout, offer_of, own_offer
from setpoint.core.instance.transitions import Stage
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.names import parse_set
from setpoint.model.policy import Phase, Policy, Strategy
from setpoint.model.reasons import Cause, Code, Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant


def join(turn: Turn, entity: str) -> None:
    """A release names this instance as a member: from now on its set receives its votes, and is listened to."""
    if entity and entity not in turn.life.joined:
        turn.set(joined={**turn.life.joined, entity: None})


def record_status(turn: Turn, fact: SetStatus) -> None:
    """What the set publishes: kept, and followed immediately where it goes back, or goes."""
    known = turn.life.sets.get(fact.set)
    if fact.set not in turn.life.joined or (known is not None and known.number >= fact.number):
        return
    turn.set(sets={**turn.life.sets, fact.set: fact})
    offer = offer_of_set(turn.life, fact.set)
    if offer is None or turn.policy is None:
        return
    is_known = known is not None and known.stage == fact.stage and known.epoch == fact.epoch
    if fact.stage is SetStage.GOING_BACK and not is_known:
        _go_back(turn, offer, fact.reason)
    elif fact.stage is SetStage.GOING and turn.instance in fact.went:
        _commit(turn, offer)


def offer_of_set(life: Life, entity: str) -> Offer | None:
    """What this member would bring with a set: a version release's own pair (``set:saas/production#7``), the version with a newer
    configuration (``#7.12``), or, with the set of a configuration release, *good* in that configuration.
    """
    _, release, configured = parse_set(entity)
    if configured:
        return offer_of(life, Pair(release, configured))
    reconfiguration = next((one.configuration for one in life.configurations if one.configuration.release == release), None)
    if reconfiguration is None:
        return own_offer(life, release)
    attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
    pairs = (attempt.pair for attempt in attempts if attempt and attempt.configured == reconfiguration.configured)
    moving = next((offer for pair in pairs if (offer := offer_of(life, pair)) and set_of(life, offer) == entity), None)
    return moving or offer_of(life, Pair(life.good.release, reconfiguration.configured))


def _go_back(turn: Turn, offer: Offer, reason: str) -> None:
    """What moved goes back; for the other members what the set would bring is vetoed as well."""
    life, why = turn.life, f"its set goes back: {reason}"
    rollout, whole = life.rollout, not only_configures(life, offer)
    if rollout and rollout.attempt.pair == offer.pair and rollout.attempt.kind is Kind.FORWARD:
        if not rollout.back:
            outcomes.fail(turn, rollout, why, Cause(Code.SET_FAILED), sure=True)
    elif life.candidate and life.candidate.pair == offer.pair and life.candidate.kind is Kind.FORWARD:
        outcomes.veto(turn, offer, why, whole=whole, failed=True)
        outcomes.end_candidate(turn, Stage.FAILED, why, Cause(Code.SET_FAILED))
    elif life.pin != offer.release and _is_ahead(life, offer) and not selection.vetoed(life, offer):
        outcomes.veto(turn, offer, why, whole=whole, failed=True)


def _is_ahead(life: Life, offer: Offer) -> bool:
    if offer.release == life.good.release:
        return offer.configured > selection.newest_configuration(life)
    return offer.release > selection.floor(life)


def _commit(turn: Turn, offer: Offer) -> None:
    """With its set this member is under way, even if it starts later: no calendar holds it, no newer release replaces it."""
    attempt = turn.life.candidate
    if attempt and not attempt.committed and with_set.concerns(turn.life, offer, attempt) and attempt.pair == offer.pair:
        turn.set(candidate=replace(attempt, committed=True))


# --- voting -------------------------------------------------------------------------------------------------------------------


def vote(turn: Turn) -> None:
    """Send a vote to the sets of this instance's releases, where it changed."""
    open_ones = {entity for entity in turn.life.joined if not _has_ended(turn.life, entity)}
    chosen = selection.chosen(turn.rules, turn.life) if open_ones else None
    for entity in sorted(turn.life.joined):
        if entity in open_ones:
            _send_vote(turn, entity, standing(turn, entity, turn.life.sets.get(entity), chosen))
        if offer_of_set(turn.life, entity) is None and not _is_pending(turn.life, entity):
            _leave(turn, entity)


def _has_ended(life: Life, entity: str) -> bool:
    status = life.sets.get(entity)
    return status is not None and status.stage is SetStage.ENDED


def _send_vote(turn: Turn, entity: str, vote: SetVote) -> None:
    if turn.life.joined[entity] != vote:
        turn.set(votes=turn.life.votes + 1, joined={**turn.life.joined, entity: vote})
        turn.out.append(Send(entity, replace(vote, number=turn.life.votes)))


def _leave(turn: Turn, entity: str) -> None:
    """Its offer is forgotten: it is done with this set."""
    life = turn.life
    turn.set(
        joined={key: vote for key, vote in life.joined.items() if key != entity},
        sets={key: status for key, status in life.sets.items() if key != entity},
    )


def _is_pending(life: Life, entity: str) -> bool:
    """Whether it is the set of a configuration that may still come, though nothing is good here that could take it."""
    return any(one.configuration.set == entity for one in life.configurations)


def standing(turn: Turn, entity: str, status: SetStatus | None, chosen: int | None) -> SetVote:
    """Return the vote of this member for one of its sets now; ``chosen``: the version release that its strategy chooses."""
    offer = offer_of_set(turn.life, entity)
    vote = SetVote(
        member=turn.instance,
        number=0,
        state=MemberState.WAITING,
        level=_level(turn.rules, turn.life, offer, turn.now, chosen) if offer else 0,
        back=status.epoch if status and status.stage is SetStage.GOING_BACK else 0,
    )
    rollout = turn.life.rollout
    elsewhere = offer is not None and set_of(turn.life, offer) != entity
    if rollout and offer and not elsewhere and rollout.attempt.pair == offer.pair:
        return _moved(vote, rollout)
    if turn.removed:
        return replace(vote, state=MemberState.LEFT, reason="left the configuration")
    if offer is None and _is_pending(turn.life, entity):
        return replace(vote, state=MemberState.ENDED, reason="has nothing that could take the configuration")
    if offer is None:
        return replace(vote, state=MemberState.OUT, reason=f"went on to release {turn.life.frontier}")
    if elsewhere:
        return replace(vote, state=MemberState.ENDED, reason="takes the configuration with what is good here")
    if offer.release == turn.life.good.release and not selection.changes_what_runs(turn.life, offer):
        return replace(vote, state=MemberState.ENDED, reason="nothing changes here")
    return _at_rest(turn, vote, entity, offer, status)


def _moved(vote: SetVote, rollout: Rollout) -> SetVote:
    if rollout.attempt.kind is not Kind.FORWARD:
        return replace(vote, state=MemberState.GONE, reason="a person moves it")
    if rollout.back or rollout.doubt:
        return replace(
            vote, state=MemberState.STUCK if rollout.stuck else MemberState.FAILED, reason=rollout.failure or rollout.doubt
        )
    if rollout.passed:
        return replace(vote, state=MemberState.PASSED, reason="has passed")
    return replace(vote, state=MemberState.STARTED, reason="is being verified" if _verifies(rollout) else "is being rolled out")


def _verifies(rollout: Rollout) -> bool:
    return rollout.attempt.phase is Phase.POST_DEPLOYMENT


def _at_rest(turn: Turn, vote: SetVote, entity: str, offer: Offer, status: SetStatus | None) -> SetVote:
    life, pair = turn.life, offer.pair
    if life.target == pair and pair in life.goods and not life.rollout:
        return replace(vote, state=MemberState.ENDED, reason="is finalized")
    never = _never(turn.rules, life, offer)
    if never:
        return replace(vote, state=MemberState.OUT, reason=never)
    veto = next((veto for veto in life.vetoes if selection.covers(life, veto, offer)), None)
    if veto:
        return replace(vote, state=MemberState.VETOED, reason=veto.reason)
    attempt = life.candidate
    if attempt and attempt.pair == pair and attempt.kind is Kind.FORWARD:
        return _gathering(turn, vote, entity, offer, attempt, status)
    return _not_wanted(turn, vote, offer)


def _never(policy: Policy, life: Life, offer: Offer) -> str:
    """Why this never comes here any more: a person took it out, or something newer was started."""
    out = selection.ruled_out(life, offer)
    keeps = offer.release == life.good.release
    if not out and not keeps and policy.strategy is Strategy.EVERY and selection.not_awaited(policy, life, offer):
        out = "the train left it behind"
    if not out and offer.release < selection.floor(life):
        newest = next((known for known in life.offers if known.release == selection.floor(life)), None)
        out = f"{newest.version.name if newest else 'a newer one'} was started (release {selection.floor(life)})"
    if not out and offer.configured < selection.newest_configuration(life):
        out = "a newer configuration was started"
    return out


def _not_wanted(turn: Turn, vote: SetVote, offer: Offer) -> SetVote:
    life = turn.life
    why = status.why_not(turn.rules, life, offer, turn.now)
    if not why and life.pin:
        why = "a person moves it"
    if not why and selection.vetoed(life, offer):
        why = f"{offer.version.name} failed there before"
    if not why and life.candidate:
        why = f"wants {turn.name(life.candidate.pair)}"
    return replace(vote, state=MemberState.GONE, reason=why or "has not chosen it")


def _gathering(turn: Turn, vote: SetVote, entity: str, offer: Offer, attempt: Attempt, status: SetStatus | None) -> SetVote:
    """``ready`` when every gate passes, ``locked`` when its tasks are done as well; what only grew old is requested again."""
    life, context = turn.life, turn.context(offer, attempt)
    vote = replace(vote, committed=attempt.committed)
    reasons = [*turn.unmet(offer, attempt), *turn.unmet(offer, attempt, Tier.BLOCKERS)]
    hard = next((reason for reason in reasons if not _patient(attempt, reason)), None)
    if attempt.phase is not Phase.PRE_DEPLOYMENT or hard:
        return replace(vote, reason=_short(hard))
    epoch = status.epoch if status else 0
    vote = replace(vote, epoch=epoch, needs=_needs(turn, offer, attempt))
    preparing = status is not None and status.stage in {SetStage.PREPARING, SetStage.GOING}
    todo = next(task.evaluate(context), None)
    last = life.joined[entity]
    was = last is not None and last.state is MemberState.LOCKED and last.epoch == epoch
    if preparing and not todo and (not reasons or was):
        return replace(vote, state=MemberState.LOCKED, reason="is locked")
    return replace(vote, state=MemberState.READY, reason=_short(todo) if todo else "is ready")


_STILL = {Code.PAUSED, Code.OBSERVED_ONLY, Code.ROLLOUT_IN_PROGRESS, Code.CALENDAR_CLOSED, Code.FROZEN}


def _patient(attempt: Attempt, reason: Reason) -> bool:
    """Whether a reason is not a failure: a result only grew old, or what is under way is paused: by a person, a rollout, a
    calendar or a stop that pauses what is in flight – others hold nothing that is under way.
    """
    gate = attempt.gates.get(reason.gate)
    if gate is not None and not gate.counts:
        return bool(gate.first) or attempt.committed
    return reason.code is Code.CHECK_STALE or (attempt.committed and reason.code in _STILL)


def _short(reason: Reason | None) -> str:
    """What does not change by the clock."""
    if reason is None:
        return "is not through its gates yet"
    return f"waits at {reason.gate}" if reason.gate else reason.text


def _needs(turn: Turn, offer: Offer, attempt: Attempt) -> tuple[Need, ...]:
    """What it needs of admission; the set requests it."""
    found = limit.needs(turn.context(offer, attempt))
    for need in found:
        turn.wake_at_the_end_of(need)
    return found


def _level(policy: Policy, life: Life, offer: Offer, now: Instant, chosen: int | None) -> int:
    """How ready this is here; 0 as well for what this member would not choose, so that others do not wait for it in vain."""
    under_way = life.rollout is not None and life.rollout.attempt.pair == offer.pair
    if life.pin or under_way or not selection.allowed_alone(policy, life, offer):
        return 0
    if policy.strategy is Strategy.NEWEST_READY or offer.release in {life.good.release, chosen}:
        return selection.level(policy, life, offer, now)
    return 0


__all__ = ["join", "offer_of_set", "record_status", "standing", "vote"]
