"""The attempt whose version is target: judged by what is observed and by its checks, then finalized or rolled back."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.backoff import backoff
from setpoint.core.instance import asking, endings, gates, rollback, steering, tasks, watching
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Attempt, Life, Rollout, offer_of
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant, approximate_duration


def advance(draft: Draft) -> None:
    """Move the rollout on as far as it goes."""
    rollout = draft.life.rollout
    if rollout is None:
        return
    offer = draft.kept(rollout.to)
    if rollout.back:
        _going_back(draft, rollout, offer)
        return
    if rollout.passed and not any(gates.member.end(draft.rules, draft.life, offer, rollout.attempt, draft.now)):
        endings.finalize(draft, offer, rollout.attempt, rollout.began)
        return
    if rollout.doubt:
        return
    if rollout.attempt.phase is Phase.DEPLOYMENT:
        _deployment(draft, rollout, offer)
    after = draft.life.rollout
    if after is not None and not after.back and after.attempt.phase is Phase.POST_DEPLOYMENT:
        _post_deployment(draft, after, offer)


def _deployment(draft: Draft, rollout: Rollout, offer: Offer) -> None:
    rollout = _ask(draft, rollout, offer)
    applying = draft.life.applying
    if applying.terminal:
        rollback.fail(draft, rollout, f"the runtime refuses it: {applying.error}")
        return
    reasons = list(gates.checks(draft.rules, draft.life, offer, rollout.attempt, draft.now))
    if _failed(draft, rollout, offer, reasons):
        return
    if not _shown(draft, offer):
        _deadline(draft, rollout)
    elif not reasons:
        if not _tasks(draft, rollout, offer):
            attempt = replace(rollout.attempt, phase=Phase.POST_DEPLOYMENT, entered=draft.now, gates={})
            draft.set_rollout(rollout, attempt=attempt, idle=0)
    else:
        _freshen(draft, rollout, offer, reasons)


def _post_deployment(draft: Draft, rollout: Rollout, offer: Offer) -> None:
    entered_now = rollout.attempt.entered == draft.now and not rollout.attempt.gates
    rollout = _ask(draft, rollout, offer)
    if rollout.attempt.gates and entered_now:
        draft.record("phase-entered", f"{offer.version.name} runs and is verified", attempt=rollout.attempt)
    reasons = list(gates.checks(draft.rules, draft.life, offer, rollout.attempt, draft.now))
    if _failed(draft, rollout, offer, reasons):
        return
    if not _shown(draft, offer):
        _sickness(draft, rollout)
    elif not reasons:
        if not _paused(draft) and not _tasks(draft, rollout, offer):
            _passed(draft, rollout, offer)
    else:
        _freshen(draft, rollout, offer, reasons)


def _tasks(draft: Draft, rollout: Rollout, offer: Offer) -> bool:
    """Whether the phase has tasks that have not succeeded; the next one starts, unless a person keeps everything off."""
    if not steering.hands_off(draft.life) and not draft.life.left and not _paused(draft):
        attempt = tasks.run(draft, offer, rollout.attempt)
        rollout = rollout if attempt is rollout.attempt else draft.set_rollout(rollout, attempt=attempt)
    return any(gates.tasks(draft.rules, draft.life, offer, rollout.attempt, draft.now))


def _passed(draft: Draft, rollout: Rollout, offer: Offer) -> None:
    """Finalized, or, in a set, waiting for the others to have passed as well."""
    if not any(gates.member.end(draft.rules, draft.life, offer, rollout.attempt, draft.now)):
        endings.finalize(draft, offer, rollout.attempt, rollout.began)
    elif not rollout.passed:
        draft.set_rollout(rollout, passed=True)
        draft.record("passed", f"{offer.version.name} has passed and waits for its set", attempt=rollout.attempt)


def _ask(draft: Draft, rollout: Rollout, offer: Offer) -> Rollout:
    attempt = asking.ask_all(draft, offer, rollout.attempt)
    return rollout if attempt is rollout.attempt else draft.set_rollout(rollout, attempt=attempt)


def _failed(draft: Draft, rollout: Rollout, offer: Offer, reasons: list[Reason]) -> bool:
    undone = gates.tasks(draft.rules, draft.life, offer, rollout.attempt, draft.now)
    failed = next((reason for reason in (*reasons, *undone) if reason.failed), None)
    if failed:
        rollback.fail(draft, rollout, failed.text)
    return failed is not None


def _freshen(draft: Draft, rollout: Rollout, offer: Offer, reasons: list[Reason]) -> None:
    for reason in reasons:
        draft.wake(reason.until)
    if all(reason.code is Code.CHECK_STALE for reason in reasons):
        draft.set_rollout(rollout, attempt=asking.ask_stale(draft, offer, rollout.attempt, reasons))


def _shown(draft: Draft, offer: Offer) -> bool:
    return watching.judges(draft.life) and watching.shows(draft.life.current, offer.spec)


def _look_after(draft: Draft, due: Instant) -> None:
    """A deadline is judged only on an observation made after it."""
    if draft.now < due:
        draft.wake(due)
    elif not draft.life.applying.asked:
        draft.set_applying(every=0)


def _deadline(draft: Draft, rollout: Rollout) -> None:
    if steering.hands_off(draft.life) or _paused(draft):
        return
    deadline = draft.rules.progress_deadline
    if rollout.idle >= deadline:
        seen = draft.life.current
        detail = seen.message if seen and seen.message else "not every object is healthy at the version"
        rollback.fail(draft, rollout, f"no progress for {approximate_duration(deadline)}: {draft.life.applying.error or detail}")
        return
    _look_after(draft, _last_look(draft, rollout.began) + deadline - rollout.idle)


def _sickness(draft: Draft, rollout: Rollout) -> None:
    if steering.hands_off(draft.life) or _paused(draft) or not watching.judges(draft.life):
        return
    grace = draft.rules.grace
    if rollout.sick >= grace:
        seen = draft.life.current
        detail = f": {seen.message}" if seen and seen.message else ""
        rollback.fail(draft, rollout, f"unhealthy after it was deployed, for longer than {approximate_duration(grace)}{detail}")
        return
    _look_after(draft, _last_look(draft, rollout.began) + grace - rollout.sick)


def _paused(draft: Draft) -> bool:
    """Whether what is under way stands still; the engine looks again when the calendar opens."""
    found = list(gates.rollout_pauses(draft.rules, draft.life, draft.now))
    for reason in found:
        draft.wake(reason.until)
    return bool(found)


def _last_look(draft: Draft, otherwise: Instant) -> Instant:
    seen = draft.life.current
    return min(max(seen.at, otherwise), draft.now) if seen and not seen.unreachable else draft.now


def _going_back(draft: Draft, rollout: Rollout, offer: Offer) -> None:
    if _shown(draft, offer):
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
        draft.record("rollback-failed", f"going back to {draft.name(rollout.to)} fails: {reason}", attempt=rollout.attempt)
    draft.set_rollout(rollout, stuck=reason, idle=0)


def failing(policy: Policy, life: Life, rollout: Rollout, now: Instant) -> bool:
    """Whether a rollout forward does badly enough to give way to a candidate whose gates hold."""
    seen = life.current
    if life.applying.error or (seen and watching.judges(life) and seen.healthy + seen.unknown < seen.total):
        return True
    offer = offer_of(life, rollout.attempt.pair)
    if offer is None:
        return False
    checks = gates.checks(policy, life, offer, rollout.attempt, now)
    return any(_says_no(rollout.attempt, reason) for reason in checks) or any(
        tasks.stuck(life, entity) for _, entity in gates.task.pending(policy, life, offer, rollout.attempt)
    )


def _says_no(attempt: Attempt, reason: Reason) -> bool:
    gate = attempt.gates.get(reason.gate)
    return gate is not None and gate.counts and gate.outcome is not None and gate.outcome != "passing"
