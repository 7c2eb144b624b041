"""Requests to admission: for leases, a place in a wave and in a budget; and their return when they are not needed any more."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.admission import ENTITY
from setpoint.core.facts import AdmissionRequested, Began, Ended, Granted, Queued, Returned
from setpoint.core.instance.gates import limit
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.state import Admission, Attempt, Life
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.policy import Phase
from setpoint.model.release import Offer


def request(turn: Turn, offer: Offer, candidate: Attempt) -> Attempt:
    """Request everything that the attempt needs, unless that was requested already."""
    known = candidate.admission
    if with_set.concerns(turn.life, offer, candidate) or (candidate.committed and candidate.granted):
        return candidate
    needs = limit.needs(turn.context(offer, candidate))
    if not needs or (known and known.needs == needs and not known.returned):
        return candidate if needs or known is None else _give_up(turn, candidate, known)
    number = turn.life.last_request_id + 1
    turn.set(last_request_id=number)
    fact = AdmissionRequested(
        requester=turn.entity, request_id=number, attempt=candidate.number, release=offer.release, needs=needs
    )
    turn.out.append(Send(ENTITY, fact))
    return replace(candidate, admission=Admission(number, needs, known.requested_at if known else turn.now))


def _give_up(turn: Turn, candidate: Attempt, known: Admission) -> Attempt:
    """Nothing is needed any more: a person skipped it, or the configuration changed."""
    turn.out.append(Send(ENTITY, Returned(requester=turn.entity, request_id=known.request_id, gone=True)))
    return replace(candidate, admission=None)


def give_back(turn: Turn, candidate: Attempt) -> Attempt:
    """Another gate stopped holding: the grant is for others, the place in the queue is kept. Not once a task has started."""
    known = candidate.admission
    if known is None or candidate.committed:
        return candidate
    turn.out.append(Send(ENTITY, Returned(requester=turn.entity, request_id=known.request_id)))
    return replace(candidate, admission=replace(known, granted=False, returned=True, reasons=()))


def begin(turn: Turn, candidate: Attempt) -> int:
    """Target moves: what was granted is used. The number to hold until the rollout left deployment; 0: nothing was granted."""
    known = candidate.admission
    if known is None or not known.granted:
        return 0
    turn.out.append(Send(ENTITY, Began(requester=turn.entity, request_id=known.request_id)))
    return known.request_id


def record_granted(turn: Turn, fact: Granted) -> None:
    """Record a grant. One that is not waited for any more was used, or returned when its attempt ended: returning it again
    could overtake the start, and undo what that spends of a budget.
    """
    candidate = turn.life.candidate
    if (
        candidate
        and candidate.admission
        and candidate.admission.request_id == fact.request_id
        and not candidate.admission.returned
    ):
        turn.set(candidate=replace(candidate, admission=replace(candidate.admission, granted=True, reasons=())))


def record_queued(turn: Turn, fact: Queued) -> None:
    """Record why the request waits."""
    candidate = turn.life.candidate
    if candidate is None or candidate.admission is None:
        return
    known = candidate.admission
    if known.request_id == fact.request_id and not known.granted and not known.returned and fact.number > known.number:
        queued = replace(known, number=fact.number, reasons=fact.reasons)
        turn.set(candidate=replace(candidate, admission=queued))


def settle(turn: Turn) -> None:
    """Free what is not used any more at the end of a turn: leases of rollouts that have left deployment, or whose rollback has
    failed and waits for a fix that may need them, and requests of attempts that have ended.

    Compared with the turn's beginning, so that no way in which an attempt can end has to think of it.
    """
    rollout = turn.life.rollout
    if rollout and rollout.lease and (rollout.stuck or rollout.attempt.phase is Phase.POST_DEPLOYMENT):
        turn.set_rollout(rollout, lease=0)
    before, started_with = turn.before.life, _started_with(turn)
    for held in dict.fromkeys((_leases(before), *started_with)):
        if held and held != _leases(turn.life):
            turn.out.append(Send(ENTITY, Ended(requester=turn.entity, request_id=held)))
    requested = _request_of(before)
    if requested and requested.request_id not in started_with and not _lives_on(before, turn.life):
        turn.out.append(Send(ENTITY, Returned(requester=turn.entity, request_id=requested.request_id, gone=True)))


def _started_with(turn: Turn) -> list[int]:
    """What was used for rollouts that began in this turn: one of them may have given way to another in the same turn."""
    return [given.fact.request_id for given in turn.out if isinstance(given, Send) and isinstance(given.fact, Began)]


def _leases(life: Life) -> int:
    return life.rollout.lease if life.rollout else 0


def _request_of(life: Life) -> Admission | None:
    return life.candidate.admission if life.candidate else None


def _lives_on(before: Life, after: Life) -> bool:
    """Whether the attempt with the request is still a candidate, or rolls out: what it does not need it has returned already."""
    living = [attempt.number for attempt in (after.candidate, after.rollout and after.rollout.attempt) if attempt]
    return before.candidate is not None and before.candidate.number in living


__all__ = ["begin", "give_back", "record_granted", "record_queued", "request", "settle"]
