"""What is remembered and what is explained."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance import starting
from setpoint.core.instance.endings import KEPT_VETOES
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import offer_of
from setpoint.simulate.rules.base import Complaint, rule
from setpoint.simulate.step import Step


@rule("remembered")
def remembered(step: Step) -> Iterator[Complaint]:
    """What people said and what failed is still known, however often the engine died meanwhile."""
    life, ledger = step.after.life, step.ledger
    if ledger.held and life.hold is None:
        yield "the hold of a person is forgotten"
    if ledger.observing and life.observing is None:
        yield "that a person wants it only observed is forgotten"
    for status in ledger.scopes.values():
        known = life.scopes.get(status.scope)
        if known is None or known.number < status.number:
            yield f"what {status.scope} said is forgotten"
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
    return any(starting.reasons(policy, life, offer, life.candidate, step.now))


@rule("explained")
def explained(step: Step) -> Iterator[Complaint]:
    """Not converged: at least one reason, each with a time or an event; the engine wakes by the earliest time.

    Between turns a window may have closed: whatever was waited for before, an event or a later time, its turn will see to that.
    """
    word = condition(step.after, step.now)
    if word is Condition.CONVERGED:
        return
    step.saw("explained")
    reasons = explain(step.after, step.now)
    if not reasons:
        yield f"{word}, and no reason"
    for reason in reasons:
        if reason.until is None and not reason.awaits:
            yield f'"{reason.text}" names neither a time nor an event'
    life, wake = step.after.life, step.turn.decision.wake_at
    if life.candidate and not life.rollout and not life.hold:
        times = [reason.until for reason in reasons if reason.until is not None and reason.phase == life.candidate.phase]
        unseen = step.still and (_waited(step) or any(reason.until is None for reason in reasons))
        due = max(times, default=0) if step.still else min(times, default=0)
        if times and not unseen and (wake is None or wake > max(due, step.now + 1)):
            yield f"looks again at {due}, but wakes at {wake}"
