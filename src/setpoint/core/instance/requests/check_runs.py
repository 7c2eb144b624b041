"""Requests to attachments: each check of an attempt's phase gets a run that started after its gate, fresh ones when needed."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from setpoint.core.facts import CheckStatus, RunAssigned, RunRequested
from setpoint.core.instance.gates import check
from setpoint.core.instance.gates.context import definition
from setpoint.core.instance.state import Attempt, CheckProgress
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse, Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def request(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    """Request the checks of the phase that were not requested yet and whose delay is over; at a window's end, once more."""
    known = attempt.gates
    found: dict[str, CheckProgress] = {}
    changed = False
    for use in check.uses(turn.context(offer, attempt)):
        gate = known.get(use.name)
        if gate is not None:
            found[use.name] = gate
            if _window_ended(use, gate, turn.now):
                found[use.name] = _request_run_again(turn, use, offer, attempt, gate)
                changed = True
        elif turn.now >= attempt.entered + use.delay:
            found[use.name] = _request_run(turn, use, offer, attempt)
            changed = True
        else:
            turn.wake(attempt.entered + use.delay)
    return replace(attempt, gates=found) if changed or len(found) != len(known) else attempt


def request_stale(turn: Turn, offer: Offer, attempt: Attempt, reasons: Iterable[Reason]) -> Attempt:
    """Request results that have grown too old once more, when everything else passes."""
    stale = {reason.gate for reason in reasons}
    found = dict(attempt.gates)
    for use in check.uses(turn.context(offer, attempt)):
        gate = found.get(use.name)
        if use.name in stale and gate is not None and gate.counts:
            found[use.name] = _request_run_again(turn, use, offer, attempt, gate)
    return replace(attempt, gates=found)


def _window_ended(use: CheckUse, gate: CheckProgress, now: int) -> bool:
    """Whether it has passed for its whole window, as far as was published: only changes are, so one more run must confirm it."""
    if not use.window or not gate.counts or not gate.covered:
        return False
    end = check.window_start(use, gate) + use.window
    return gate.ended < end <= now


def _request_run(turn: Turn, use: CheckUse, offer: Offer, attempt: Attempt) -> CheckProgress:
    runnable = definition(use.check, turn.rules, turn.life, offer, attempt)
    attachment = runnable.attachment
    turn.set(last_request_id=turn.life.last_request_id + 1)
    turn.out.append(
        Send(attachment, RunRequested(requester=turn.entity, request_id=turn.life.last_request_id, definition=runnable))
    )
    return CheckProgress(attachment, turn.life.last_request_id, turn.now)


def _request_run_again(turn: Turn, use: CheckUse, offer: Offer, attempt: Attempt, gate: CheckProgress) -> CheckProgress:
    runnable = definition(use.check, turn.rules, turn.life, offer, attempt)
    turn.set(last_request_id=turn.life.last_request_id + 1)
    turn.out.append(
        Send(gate.attachment, RunRequested(requester=turn.entity, request_id=turn.life.last_request_id, definition=runnable))
    )
    return replace(gate, request_id=turn.life.last_request_id, requested_at=turn.now, run=0)


def record_run_assigned(attempt: Attempt, fact: RunAssigned) -> Attempt:
    """Return the attempt, with the first run that counts for its gate."""
    for name, gate in attempt.gates.items():
        if gate.attachment == fact.attachment and gate.request_id == fact.request_id and not gate.run:
            before = gate.failures_before if gate.first else fact.failures_total
            return _with(attempt, name, _with_window(replace(gate, run=fact.run, failures_before=before)))
    return attempt


def record_check_status(attempt: Attempt, fact: CheckStatus, policy: Policy | None) -> Attempt:
    """Return the attempt, with a later result for its gates on this attachment."""
    for name, gate in attempt.gates.items():
        if gate.attachment == fact.attachment and fact.run > gate.seen:
            since = gate.since if gate.outcome is fact.outcome else fact.at
            later = replace(
                gate,
                doubted=_doubted(gate, fact),
                seen=fact.run,
                outcome=fact.outcome,
                reason=fact.reason,
                ended=fact.ended,
                covered=fact.covered,
                answered=fact.answered,
                failures_total=fact.failures_total,
                since=since,
            )
            attempt = _with(attempt, name, _held(_with_window(later), name, attempt, policy))
    return attempt


def _doubted(gate: CheckProgress, fact: CheckStatus) -> Instant:
    """Since when there has been no decisive result; where there never was one, since it was requested."""
    if fact.outcome in {Outcome.PASSING, Outcome.BLOCKING}:
        return 0
    return gate.doubted or (gate.requested_at if gate.outcome is None else fact.at)


def _held(gate: CheckProgress, name: str, attempt: Attempt, policy: Policy | None) -> CheckProgress:
    """Before deployment a window with more failures than are tolerated starts again with the next result (§10.2)."""
    uses = policy.checks if policy else ()
    use = next((use for use in uses if use.name == name and use.phase is attempt.phase), None)
    if use is None or use.phase is Phase.POST_DEPLOYMENT or not (use.window and use.tolerate) or gate.failures <= use.tolerate:
        return gate
    return replace(gate, first=gate.ended if gate.outcome is Outcome.PASSING else 0, failures_before=gate.failures_total)


def _with(attempt: Attempt, name: str, gate: CheckProgress) -> Attempt:
    return replace(attempt, gates={**attempt.gates, name: gate})


def _with_window(gate: CheckProgress) -> CheckProgress:
    """Return the gate, its window started where its first result counts."""
    return replace(gate, first=gate.ended, failures_before=_failed_before(gate)) if gate.counts and not gate.first else gate


def _failed_before(gate: CheckProgress) -> int:
    """How many results had failed before the first run that counts: exact when that run's own result is there, else the most."""
    return gate.failures_total - (gate.outcome is Outcome.BLOCKING) if gate.seen == gate.run else gate.failures_before
