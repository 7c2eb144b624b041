"""Which attempt is the candidate: it begins with what selection wants, is kept, or is replaced (§3, §4)."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.instance import outcomes, selection
from setpoint.core.instance.gates import approval, task
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.context import halves, only_configures
from setpoint.core.instance.gates.verdict import ORDER, Tier, Verdicts
from setpoint.core.instance.selection import Want
from setpoint.core.instance.state import Attempt, Kind, Life
from setpoint.core.instance.transitions import Stage
from setpoint.core.instance.turn import Turn
from setpoint.model.policy import Phase, Policy, Strategy
from setpoint.model.release import Offer, Pair


def follow(turn: Turn, want: Want | None, *, keep_if_just_checked: bool) -> bool:
    """Begin what is wanted in place of the candidate, if that may be; whether only ``keep_if_just_checked`` kept it."""
    candidate = turn.life.candidate
    if candidate and _is_under_way(turn, candidate, want):
        return False
    if (
        candidate
        and want
        and candidate.pair == want.offer.pair
        and candidate.kind is want.kind
        and candidate.change == want.change
    ):
        return False
    if candidate and want and want.kind is candidate.kind is Kind.FORWARD and _may_be_kept(turn, candidate, want.offer):
        if _is_protected(turn, candidate):
            return False
        if keep_if_just_checked and _was_just_checked(turn, candidate):
            return True
    if candidate:
        offer = turn.offer(candidate.pair)
        ruled_out = selection.taken_out(turn.life, offer) if offer else ""
        why = ruled_out or (f"by {turn.name(want.offer.pair)}" if want else "nothing newer may start")
        outcomes.end_candidate(turn, Stage.CANCELLED if ruled_out else Stage.REPLACED, why)
    if want:
        _start(turn, want)
    return False


def veto_rejected(turn: Turn) -> bool:
    """Veto what a person rejected; whether the candidate ended by it."""
    life, ended = turn.life, False
    refused = {approval.release_of(topic) for topic, status in life.topics.items() if any(not vote.yes for vote in status.votes)}
    for offer in life.offers if refused else ():
        if refused.isdisjoint(half.release for half in halves(life, offer)):
            continue
        concerned = life.candidate is not None and life.candidate.pair == offer.pair
        started = offer.release <= life.frontier and offer.configured <= life.configuration_frontier
        if not concerned and (started or not selection.allowed_alone(turn.rules, turn.life, offer)):
            continue
        change = life.candidate.change if life.candidate else 0
        rejected = next(approval.rejections(turn.rules, life, offer, change, turn.now), None)
        if rejected and not selection.vetoed(turn.life, offer) and not _at_work(turn.life, offer.pair):
            half, reason = rejected
            outcomes.veto_release(turn, offer, half, reason.text)
            if turn.life.candidate and turn.life.candidate.pair == offer.pair:
                outcomes.end_candidate(turn, Stage.REJECTED, reason.text, reason.cause)
                ended = True
    return ended


def _at_work(life: Life, pair: Pair) -> bool:
    """Whether the candidate is this pair, and a task of its own is under way: nothing ends it before that has ended."""
    candidate = life.candidate
    return candidate is not None and candidate.pair == pair and bool(task.under_way(life, candidate))


def _is_under_way(turn: Turn, candidate: Attempt, want: Want | None) -> bool:
    """Since a task was started, or its set goes, only an urgent release replaces it, or a person; and not while a task runs."""
    life, offer = turn.life, turn.kept(candidate.pair)
    if candidate.tasks and task.under_way(life, candidate):
        return True
    if not candidate.committed or selection.vetoed(life, offer) or selection.taken_out(life, offer):
        return False
    if candidate.kind is Kind.FORWARD and offer.release < selection.floor(life):
        return False  # a person adopted something newer meanwhile (invariant 16 *forward*)
    if any(with_set.start(turn.context(offer, candidate))):
        return False  # its set gathers again: alone it would never start, so it follows when the others want something newer
    if want is None or want.offer.pair == candidate.pair:
        return life.pin in {0, candidate.release}
    urgent = want.offer.urgent and not only_configures(life, want.offer)  # §10.1: urgent stays with the version
    overtaken = urgent and want.offer.release > candidate.release
    return not overtaken and life.pin in {0, candidate.release}


def _may_be_kept(turn: Turn, candidate: Attempt, newer: Offer) -> bool:
    """An urgent release does not wait for a check of another, and none waits for one that is not taken here any more."""
    rules, life, offer = turn.rules, turn.life, turn.kept(candidate.pair)
    left_behind = rules.strategy is Strategy.EVERY and selection.left_behind(rules, life, offer)
    urgent = newer.urgent and not only_configures(life, newer)
    return not urgent and not left_behind and selection.allowed(rules, life, offer)


def _is_protected(turn: Turn, candidate: Attempt) -> bool:
    """Its first check runs and no gate fails, or it has requested admission, which has not made it wait: replaced each time, a
    slow gate and frequent releases would never meet.
    """
    reasons = _reasons(turn, candidate)
    pending = _first_runs(candidate)
    if reasons:
        return bool(pending) and all(reason.gate in pending for reason in reasons)
    return _was_checked(turn.rules) and _awaits_admission(candidate) and not _kept_waiting(turn, candidate)


def _was_just_checked(turn: Turn, candidate: Attempt) -> bool:
    """Its first checks ran until this turn, and nothing holds it any more."""
    before = turn.before.life.candidate
    ended = before is not None and before.number == candidate.number and bool(_first_runs(before))
    return ended and not _reasons(turn, candidate) and not _kept_waiting(turn, candidate)


def _reasons(turn: Turn, candidate: Attempt) -> Verdicts:
    return turn.unmet(turn.kept(candidate.pair), candidate)


def _kept_waiting(turn: Turn, candidate: Attempt) -> bool:
    gathering = replace(candidate, committed=False)
    return bool(turn.unmet(turn.kept(candidate.pair), gathering, Tier.BLOCKERS))


def _was_checked(policy: Policy) -> bool:
    """Whether an attempt that has come to admission's door has checks behind it, which the next one would have to wait for."""
    return any(ORDER[use.phase] < ORDER[Phase.DEPLOYMENT] for use in policy.checks)


def _awaits_admission(candidate: Attempt) -> bool:
    """It has requested admission, which has not made it wait: it is granted, or there is no reply yet."""
    request = candidate.admission
    return request is not None and not (request.returned or request.number)


def _first_runs(candidate: Attempt) -> set[str]:
    """Its checks of which no result has counted yet."""
    return {name for name, gate in candidate.gates.items() if not gate.counts and not gate.first}


def _start(turn: Turn, want: Want) -> None:
    turn.set(attempts=turn.life.attempts + 1)
    attempt = Attempt(
        turn.life.attempts,
        want.offer.release,
        want.kind,
        Phase.PRE_APPROVAL,
        turn.now,
        turn.now,
        change=want.change,
        configured=want.offer.configured,
    )
    turn.move(attempt, Stage.GATHERING)
    turn.set(candidate=attempt)
    turn.record("attempt-started", f"{_described(turn, want.offer)} is wanted", attempt=attempt)


def _described(turn: Turn, offer: Offer) -> str:
    configuration = offer.configuration
    if configuration is None or not only_configures(turn.life, offer):
        return turn.name(offer.pair)
    return f"the configuration of release {configuration.release} (stays {offer.version.name})"
