"""How a rollout is judged by what is observed: shown or not, its deadlines, and the way back (§5).

A deadline counts observed time only, and is judged only on an observation made after it.
"""

from __future__ import annotations

from setpoint.core.backoff import backoff
from setpoint.core.instance import rollback, steering
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import calendar
from setpoint.core.instance.state import Rollout, is_conclusive, matches_spec
from setpoint.core.instance.transitions import Stage
from setpoint.model.release import Offer
from setpoint.model.time import Instant, approximate_duration


def is_shown(draft: Draft, offer: Offer) -> bool:
    """Whether the runtime shows just this, by a look that started after the last apply ended."""
    return is_conclusive(draft.life) and matches_spec(draft.life.current, offer.spec)


def is_paused(draft: Draft) -> bool:
    """Whether what is under way stands still; the engine looks again when the calendar opens."""
    found = list(calendar.rollout_pauses(draft.rules, draft.life, draft.now))
    for reason in found:
        draft.wake(reason.until)
    return bool(found)


def judge_progress(draft: Draft, rollout: Rollout) -> None:
    """Fail a rollout in its deployment that has made no progress for too long."""
    if steering.hands_off(draft.life) or is_paused(draft):
        return
    deadline = draft.rules.progress_deadline
    if rollout.idle >= deadline:
        seen = draft.life.current
        detail = seen.message if seen and seen.message else "not every object is healthy at the version"
        rollback.fail(draft, rollout, f"no progress for {approximate_duration(deadline)}: {draft.life.applying.error or detail}")
        return
    _look_after(draft, _last_look(draft, rollout.began) + deadline - rollout.idle)


def judge_health(draft: Draft, rollout: Rollout) -> None:
    """Fail a rollout that has been unhealthy after deployment for too long."""
    if steering.hands_off(draft.life) or is_paused(draft) or not is_conclusive(draft.life):
        return
    grace = draft.rules.grace
    if rollout.sick >= grace:
        seen = draft.life.current
        detail = f": {seen.message}" if seen and seen.message else ""
        rollback.fail(draft, rollout, f"unhealthy after it was deployed, for longer than {approximate_duration(grace)}{detail}")
        return
    _look_after(draft, _last_look(draft, rollout.began) + grace - rollout.sick)


def going_back(draft: Draft, rollout: Rollout, offer: Offer) -> None:
    """The rollback ends when the runtime shows what it goes back to; one that makes no progress has failed."""
    if is_shown(draft, offer):
        rollback.ended(draft, rollout)
        return
    applying, deadline = draft.life.applying, draft.rules.progress_deadline
    if steering.hands_off(draft.life):
        return
    if applying.terminal and not rollout.stuck:
        _stuck(draft, rollout, applying.error)
    elif rollout.idle >= deadline and not applying.operation:
        _stuck(draft, rollout, f"no progress for {approximate_duration(deadline)}")
        errors = applying.errors + 1
        draft.set_applying(spec="", errors=errors, retry_at=draft.now + backoff(errors, draft.entity))
    else:
        _look_after(draft, _last_look(draft, rollout.began) + deadline - rollout.idle)


def _stuck(draft: Draft, rollout: Rollout, reason: str) -> None:
    if not rollout.stuck:
        draft.move(rollout.attempt, Stage.ROLLBACK_FAILED)
        draft.record("rollback-failed", f"going back to {draft.name(rollout.to)} fails: {reason}", attempt=rollout.attempt)
    draft.set_rollout(rollout, stuck=reason, idle=0)


def _look_after(draft: Draft, due: Instant) -> None:
    """A deadline is judged only on an observation made after it."""
    if draft.now < due:
        draft.wake(due)
    elif not draft.life.applying.asked:
        draft.set_applying(every=0)


def _last_look(draft: Draft, otherwise: Instant) -> Instant:
    seen = draft.life.current
    return min(max(seen.at, otherwise), draft.now) if seen and not seen.unreachable else draft.now
