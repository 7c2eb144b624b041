"""The set actor: instances of one release that move as one. It owns the votes of its members, and alone decides for all.

``gathering`` until the gates of every member pass; then admission is requested for all of them together; ``preparing`` until
each has run its tasks, evaluated everything once more and locked itself; ``going`` until each has passed; ``finalizing``. If one
fails before that: ``going-back``, until every member is informed and back; then it gathers again, for what a person retries.
What reaches the set first counts: a member that is not ready before the set goes takes it back to gathering, afterwards it
fails; one that fails after all had passed is finalized with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from setpoint.core import admission
from setpoint.core.facts import (
    AdmissionRequested,
    AnyFact,
    Began,
    Ended,
    Granted,
    MemberState,
    Need,
    Queued,
    Returned,
    SetFormed,
    SetStage,
    SetStatus,
    SetVote,
)
from setpoint.core.instructions import AnyInstruction, Decision, Event, Publish, Record, Send
from setpoint.model.names import channel_of, service_of, short_name
from setpoint.model.reasons import Reason
from setpoint.model.time import Instant

SHOWN = 5
"""So many members are named as those that are waited for."""
_READY = frozenset({MemberState.READY, MemberState.LOCKED})
_LOCKED = frozenset({MemberState.LOCKED})
THERE = frozenset({MemberState.ENDED, MemberState.LEFT})
"""Nothing is waited for from these."""
NEVER = THERE | {MemberState.OUT}
MOVED = frozenset({MemberState.STARTED, MemberState.PASSED, MemberState.FAILED, MemberState.STUCK})
UNDER_WAY = frozenset({MemberState.READY, MemberState.LOCKED, MemberState.STARTED, MemberState.PASSED, *THERE})
"""A member in any other state while the set goes has failed."""
GONE = frozenset({SetStage.GOING, SetStage.FINALIZING})
"""Stages in which only those that went count."""


class SetState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What it remembers."""

    release: int = 0
    members: tuple[str, ...] = ()
    """Empty: not formed yet; votes may come before."""
    after: dict[str, tuple[str, ...]] = {}
    votes: dict[str, SetVote] = {}
    stage: SetStage = SetStage.GATHERING
    epoch: int = 1
    reason: str = ""
    began: bool = False
    """It went since it gathered."""
    went: tuple[str, ...] = ()
    """Members that went with it: one that had left, or was finalized already, takes no part, even if it comes back meanwhile."""
    failed: tuple[str, ...] = ()
    """Members that had failed already when this gathering began."""
    last_request_id: int = 0
    """Id of the last request to admission."""
    needs: tuple[Need, ...] = ()
    """What was requested; empty: nothing is."""
    requested: bool = False
    """Whether admission has a request of it."""
    granted: bool = False
    queued: Queued | None = None
    rounds: int = 1
    """How often it gathered after a failure: to admission, each is an attempt."""
    status: SetStatus | None = None
    """As it was published last."""


class _Turn:
    """The working copy."""

    def __init__(self, entity: str, state: SetState) -> None:
        self.entity = entity
        self.state = state
        self.out: list[AnyInstruction] = []

    def change(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def record(self, text: str) -> None:
        self.out.append(Record(Event("set", text, release=self.state.release)))

    def state_of(self, member: str) -> MemberState | None:
        """Return what a member reported last."""
        vote = self.state.votes.get(member)
        return vote.state if vote else None

    def states(self) -> set[MemberState | None]:
        return {self.state_of(member) for member in self.state.members}


def decide(entity: str, state: SetState | None, facts: Sequence[AnyFact], _now: Instant) -> Decision:
    """Take votes and answers of admission, go on as far as they allow, publish what changed."""
    turn = _Turn(entity, state or SetState())
    for fact in facts:
        _record_fact(turn, fact)
    if turn.state.members:
        while _STAGES[turn.state.stage](turn):
            pass
        _publish(turn)
    return Decision(turn.state, tuple(turn.out))


def _record_fact(turn: _Turn, fact: AnyFact) -> None:
    state = turn.state
    match fact:
        case SetFormed(release=release, members=members, after=after) if not state.members:
            turn.change(release=release, members=members, after=after)
        case SetVote(member=member, number=number):
            known = state.votes.get(member)
            if known is None or known.number < number:
                turn.change(votes={**state.votes, member: fact})
        case Granted(request_id=ask) if ask == state.last_request_id and state.needs:
            turn.change(granted=True, queued=None)
        case Queued(request_id=ask, number=number) if ask == state.last_request_id and state.needs and not state.granted:
            if state.queued is None or state.queued.number < number:
                turn.change(queued=fact)


# --- stages: each returns whether the next one began ------------------------------------------------------------------


def _gathering(turn: _Turn) -> bool:
    if _failed(turn, _vetoed_since(turn)):
        return True
    if turn.states() <= THERE:
        return _end(turn)
    if not all(_stands(turn, member, _READY) for member in turn.state.members):
        if MemberState.OUT in turn.states():
            _free(turn)
        else:
            _give_back(turn)
        return False
    if not _admitted(turn):
        return False
    turn.change(stage=SetStage.PREPARING)
    return True


def _preparing(turn: _Turn) -> bool:
    members = turn.state.members
    if _failed(turn, _vetoed_since(turn)):
        return True
    if turn.states() <= THERE:
        return _end(turn)
    if all(_stands(turn, member, _LOCKED) for member in members):
        if turn.state.needs:
            turn.out.append(Send(admission.ENTITY, Began(requester=turn.entity, request_id=turn.state.last_request_id)))
        turn.change(
            stage=SetStage.GOING, began=True, went=tuple(member for member in members if turn.state_of(member) not in THERE)
        )
        turn.record(f"{_names(turn.state.went)} start together")
        return True
    if all(_stands(turn, member, _READY) for member in members):
        return False
    _give_back(turn)
    turn.change(stage=SetStage.GATHERING, epoch=turn.state.epoch + 1)
    return True


def _going(turn: _Turn) -> bool:
    went = tuple(member for member in turn.state.went if turn.state_of(member) not in THERE)
    if not went:
        return _end(turn)
    turn.change(went=went)
    if _failed(turn, next((member for member in went if turn.state_of(member) not in UNDER_WAY), "")):
        return True
    if all(turn.state_of(member) is MemberState.PASSED for member in went):
        turn.change(stage=SetStage.FINALIZING)
        turn.record(f"{_names(went)} have passed")
        return True
    return False


def _finalizing(turn: _Turn) -> bool:
    return not any(turn.state_of(member) in MOVED for member in turn.state.went) and _end(turn)


def _going_back(turn: _Turn) -> bool:
    """Wait until every member is informed, and those that had moved are back.

    One that fails to go back waits for a fix, which may need the leases.
    """
    epoch = turn.state.epoch
    late = [member for member in turn.state.members if not _back(turn.state.votes.get(member), epoch)]
    if all(turn.state_of(member) is MemberState.STUCK for member in late):
        _free(turn)
    if late:
        return False
    failed = tuple(member for member in turn.state.members if turn.state_of(member) is MemberState.VETOED)
    rounds = turn.state.rounds + 1
    turn.change(stage=SetStage.GATHERING, epoch=epoch + 1, reason="", failed=failed, began=False, went=(), rounds=rounds)
    return True


def _back(vote: SetVote | None, epoch: int) -> bool:
    if vote is None or vote.state in MOVED:
        return False
    return vote.state in NEVER or vote.back >= epoch


def _ended(_turn: _Turn) -> bool:
    return False


_STAGES: dict[SetStage, Callable[[_Turn], bool]] = {
    SetStage.GATHERING: _gathering,
    SetStage.PREPARING: _preparing,
    SetStage.GOING: _going,
    SetStage.FINALIZING: _finalizing,
    SetStage.GOING_BACK: _going_back,
    SetStage.ENDED: _ended,
}


def _stands(turn: _Turn, member: str, states: frozenset[MemberState]) -> bool:
    vote = turn.state.votes.get(member)
    return vote is not None and (vote.state in THERE or (vote.state in states and vote.epoch == turn.state.epoch))


def _vetoed_since(turn: _Turn) -> str:
    """A member that failed, or was rejected, since the gathering began; those that had failed before are waited for."""
    still = tuple(member for member in turn.state.failed if turn.state_of(member) is MemberState.VETOED)
    if still != turn.state.failed:
        turn.change(failed=still)
    return next(
        (member for member in turn.state.members if turn.state_of(member) is MemberState.VETOED and member not in still), ""
    )


def _failed(turn: _Turn, member: str) -> bool:
    if not member or member not in turn.state.votes:
        return False
    if not turn.state.began:
        _free(turn)
    reason = f"{_name(member, turn.state.members)}: {turn.state.votes[member].reason}"
    turn.change(stage=SetStage.GOING_BACK, reason=reason)
    turn.record(f"{_names(turn.state.members)} go back: {reason}")
    return True


def _end(turn: _Turn) -> bool:
    _free(turn)
    turn.change(stage=SetStage.ENDED)
    return True


# --- admission --------------------------------------------------------------------------------------------------------


def _admitted(turn: _Turn) -> bool:
    """All that the members need is granted. It is one request: with one per member, two sets could wait for each other."""
    state = turn.state
    needs = tuple(need for member in state.members if turn.state_of(member) not in THERE for need in state.votes[member].needs)
    if state.granted and _committed(turn):
        return True
    if not needs:
        _want_nothing(turn)
        return True
    if needs != state.needs:
        turn.change(last_request_id=state.last_request_id + 1, needs=needs, requested=True, granted=False, queued=None)
        ask = AdmissionRequested(
            requester=turn.entity,
            request_id=state.last_request_id + 1,
            attempt=state.rounds,
            release=state.release,
            needs=needs,
            members=state.members,
        )
        turn.out.append(Send(admission.ENTITY, ask))
    return turn.state.granted


def _want_nothing(turn: _Turn) -> None:
    """No member needs anything of admission any more: the place is given up, too."""
    if turn.state.requested:
        turn.out.append(Send(admission.ENTITY, Returned(requester=turn.entity, request_id=turn.state.last_request_id, gone=True)))
        turn.change(needs=(), requested=False, granted=False, queued=None)


def _give_back(turn: _Turn) -> None:
    """Return what is not needed now; the place in the queue is kept. Nothing is returned once a task was started."""
    state = turn.state
    if not state.needs or (state.granted and _committed(turn)):
        return
    turn.out.append(Send(admission.ENTITY, Returned(requester=turn.entity, request_id=state.last_request_id)))
    turn.change(needs=(), granted=False, queued=None)


def _committed(turn: _Turn) -> bool:
    return any(turn.state.votes[member].committed for member in turn.state.members if member in turn.state.votes)


def _free(turn: _Turn) -> None:
    """Free what was used, give up what was not: no member deploys any more."""
    state = turn.state
    if state.requested:
        report: AnyFact = Ended(requester=turn.entity, request_id=state.last_request_id)
        if not state.began:
            report = Returned(requester=turn.entity, request_id=state.last_request_id, gone=True)
        turn.out.append(Send(admission.ENTITY, report))
        turn.change(needs=(), requested=False, granted=False, queued=None)


# --- what members receive ---------------------------------------------------------------------------------------------


def _publish(turn: _Turn) -> None:
    status = _status(turn)
    if turn.state.status is None or replace(status, number=turn.state.status.number) != turn.state.status:
        turn.change(status=status)
        turn.out.append(Publish(status))


def _status(turn: _Turn) -> SetStatus:
    state = turn.state
    open_still = state.stage in {SetStage.GATHERING, SetStage.PREPARING}
    votes = state.votes
    return SetStatus(
        set=turn.entity,
        number=state.status.number + 1 if state.status else 1,
        epoch=state.epoch,
        stage=state.stage,
        start=_may_start(turn) if state.stage is SetStage.GOING else (),
        went=state.went if state.stage in GONE else (),
        level=min(_level(votes.get(member)) for member in state.members) if open_still else 2,
        reason=state.reason,
        out=_out(turn) if open_still else "",
        waiting=_waiting(turn),
        queued=state.queued.reasons if state.queued else (),
    )


def _out(turn: _Turn) -> str:
    state = turn.state
    member = next((member for member in state.members if turn.state_of(member) is MemberState.OUT), "")
    return f"{_name(member, state.members)}: {state.votes[member].reason}" if member else ""


def _may_start(turn: _Turn) -> tuple[str, ...]:
    """Of those that go, members all of whose predecessors have passed."""
    state = turn.state
    late = {member for member in state.went if turn.state_of(member) is not MemberState.PASSED}
    return tuple(member for member in state.went if late.isdisjoint(state.after.get(member, ())))


def _level(vote: SetVote | None) -> int:
    if vote is None:
        return 0
    return 2 if vote.state in THERE else vote.level


_DONE: dict[SetStage, frozenset[MemberState]] = {
    SetStage.GATHERING: _READY,
    SetStage.PREPARING: _LOCKED,
    SetStage.GOING: frozenset({MemberState.PASSED}),
    SetStage.FINALIZING: frozenset(),
    SetStage.GOING_BACK: frozenset({MemberState.VETOED, MemberState.GONE, MemberState.OUT, MemberState.WAITING}),
    SetStage.ENDED: frozenset(),
}


def _waiting(turn: _Turn) -> dict[str, str]:
    """The first of those that are not where the stage wants them."""
    state = turn.state
    if state.stage is SetStage.ENDED:
        return {}
    done = _DONE[state.stage] | THERE
    late = [member for member in (state.went if state.stage in GONE else state.members) if turn.state_of(member) not in done]
    return {member: state.votes[member].reason if member in state.votes else "" for member in late[:SHOWN]}


def _name(member: str, members: Iterable[str]) -> str:
    """``web``, or ``web@acme`` where members are in several channels."""
    channels = set(map(channel_of, members))
    return service_of(member) if len(channels) == 1 else short_name(member)


def _names(members: tuple[str, ...]) -> str:
    named = ", ".join(_name(member, members) for member in members[:SHOWN])
    return f"{named} and {len(members) - SHOWN} more" if len(members) > SHOWN else named


__all__ = ["Reason", "SetState", "decide"]
