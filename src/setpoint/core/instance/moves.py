"""The last move of target, for invariants of the user's own: when, of what, and with whose approval."""

from __future__ import annotations

from setpoint.core.facts import Move
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import approval, context
from setpoint.core.instance.state import Attempt, Kind, Life
from setpoint.model.policy import Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def note(draft: Draft, before: Life) -> None:
    """Keep the move that this turn made, if it did; and what is target, if nobody kept that."""
    life = draft.life
    offer = draft.offer(life.target) if life.target else None
    if offer is None:
        return
    if _moved(life, before):
        draft.set(moved=_move(draft.rules, life, offer, draft.now))
    elif life.moved is None:
        draft.set(moved=Move(offer.release, offer.version))


def _moved(life: Life, before: Life) -> bool:
    return life.target != before.target or _attempt(life) > _attempt(before)


def _attempt(life: Life) -> int:
    return life.rollout.attempt.number if life.rollout else 0


def _move(policy: Policy, life: Life, offer: Offer, now: Instant) -> Move:
    rollout = life.rollout
    back = rollout is None or rollout.back or rollout.attempt.kind is Kind.BACK
    approvals = {} if rollout is None or back else _approvals(policy, life, offer, rollout.attempt, now)
    return Move(offer.release, offer.version, now, context.labels(life, offer), approvals, back)


def _approvals(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> dict[str, int]:
    found: dict[str, int] = {}
    for use in policy.approvals:
        for half in context.halves(life, offer):
            votes = approval.countable(use, life, half.author, approval.topic(use, half.release, attempt.change)).values()
            given = sum(vote.yes and (not use.expires or life.wall.at(now) < vote.at + use.expires) for vote in votes)
            found[use.topic] = max(given, found.get(use.topic, 0))
    return found


def moving(life: Life) -> bool:
    """Whether a rollout is in its deployment, or goes back."""
    return life.rollout is not None and (life.rollout.back or life.rollout.attempt.phase is Phase.DEPLOYMENT)
