"""What an instance remembers, and whether it explains why it does not go on."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.model.reasons import Code, Reason
from setpoint.simulate.checker.requirements import waits_to_start
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule

KEPT_VETOES = 50
"""So many are kept for certain."""


@rule("remembered")
def remembered(step: Step) -> Iterator[Complaint]:
    """What people ordered and what failed is still known, however often the engine died meanwhile."""
    life, ledger = step.after.life, step.ledger
    if ledger.held and life.hold is None:
        yield "the hold of a person is forgotten"
    if ledger.observing and life.observing is None:
        yield "that a person wants it only observed is forgotten"
    for status in ledger.scopes.values():
        known = life.scopes.get(status.scope)
        if known is None or known.number < status.number:
            yield f"the status of {status.scope} is forgotten"
    newest = sorted(ledger.vetoed)[-KEPT_VETOES // 2 :]
    missing = set(newest) - {veto.pair for veto in life.vetoes}
    if missing and (len(life.vetoes) < KEPT_VETOES or missing & {offer.pair for offer in life.offers}):
        yield f"the vetoes of {sorted(missing)} are forgotten"
    for pair in missing:
        del ledger.vetoed[pair]  # so many are kept, and no more


def _waited(step: Step) -> bool:
    """Whether the candidate waited for its set, or at admission, before a window closed."""
    life, policy = step.after.life, step.after.policy
    offer = offer_of(life, life.candidate.pair) if life.candidate else None
    if policy is None or offer is None or life.candidate is None:
        return False
    return waits_to_start(policy, life, offer, life.candidate)


def _runs(reason: Reason) -> bool:
    """Whether it is a task under way, whose end is awaited although it is skipped."""
    return reason.code is Code.TASK_RUNNING


def _unfinished(state: InstanceState) -> Iterator[str]:
    """Checks that were requested for a gate of an open attempt and of which no result counts: a reason from its first moment."""
    rollout = state.life.rollout
    for attempt in (state.life.candidate, rollout.attempt if rollout and not rollout.back else None):
        for use in state.policy.checks if state.policy and attempt else ():
            requested = attempt.gates.get(use.name) if attempt and use.phase is attempt.phase else None
            if requested and not requested.counts and not use.informational:
                yield use.name


@rule("explained")
def explained(step: Step) -> Iterator[Complaint]:
    """Not converged: at least one reason, each with a time or an event; the engine wakes by the earliest time.

    Between turns a window may have closed: whatever was waited for before, an event or a later time, its turn will see to that.
    """
    word, reasons = step.explained()
    if word == "converged":
        return
    step.saw("explained")
    if not reasons:
        yield f"{word}, and no reason"
    for reason in reasons:
        if reason.until is None and not reason.awaits:
            yield f'"{reason.text}" names neither a time nor an event'
        if reason.gate and not reason.failed and reason.gate not in reason.unblock and not _runs(reason):
            yield f'"{reason.text}" does not offer to skip or approve {reason.gate}'
    shown = {reason.gate for reason in reasons}
    for name in _unfinished(step.after):
        if name not in shown:
            yield f"the check {name} has no result yet, and no reason names it"
    life, wake = step.after.life, step.turn.decision.wake_at
    if life.candidate and not life.rollout and not life.hold:
        times = [reason.until for reason in reasons if reason.until is not None and reason.phase == life.candidate.phase]
        unseen = step.still and (_waited(step) or any(reason.until is None for reason in reasons))
        due = max(times, default=0) if step.still else min(times, default=0)
        if times and not unseen and (wake is None or wake > max(due, step.now + 1)):
            yield f"looks again at {due}, but wakes at {wake}"
