"""What is observed, and how it judges a rollout: shown or not, its deadlines, and the way back (§5).

Ends of applies and looks count by their numbers. A deadline counts observed time only, and is judged only on a look that was made
after it.
"""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.backoff import backoff
from setpoint.core.facts import Applied, Observed, Unobserved
from setpoint.core.instance import outcomes, reconcile
from setpoint.core.instance.gates import blockers
from setpoint.core.instance.state import Current, Rollout, is_conclusive, matches_spec
from setpoint.core.instance.transitions import Stage
from setpoint.core.instance.turn import Turn
from setpoint.model.observation import Observation
from setpoint.model.policy import Phase
from setpoint.model.reasons import Cause, Code
from setpoint.model.release import Offer
from setpoint.model.time import Duration, Instant, approximate_duration


def applied(turn: Turn, fact: Applied) -> None:
    """The apply in flight ended; one that is not in flight any more is stale."""
    applying = turn.life.applying
    if not applying.operation or fact.operation != applying.operation:
        return
    if not applying.spec:
        turn.set_applying(operation="", every=0)  # target moved meanwhile: this end is not about what is wanted now
        return
    if not fact.error:
        turn.set_applying(operation="", taken=turn.now, judges=applying.watch, errors=0, error="", terminal=False, retry_at=0)
        return
    errors = applying.errors + 1
    retry_at = turn.now + backoff(errors, turn.entity)
    turn.set_applying(operation="", taken=0, errors=errors, error=fact.error, terminal=fact.terminal, retry_at=retry_at, every=0)
    turn.record(
        "apply-failed",
        f"apply {applying.count} failed: {fact.error}",
        release=turn.life.target.release,
        outcome="terminal" if fact.terminal else "transient",
    )


def observed(turn: Turn, fact: Observed) -> None:
    """A look: an earlier one never replaces a later one."""
    before = turn.life.current
    if _is_late(turn, fact):
        return
    target = turn.offer(turn.life.target)
    seen = summary(fact, turn.now, target.spec if target else "")
    turn.set(current=seen)
    if fact.watch >= turn.life.applying.watch:
        turn.set_applying(look_requested=False)
    if turn.life.rollout:
        _count_time(turn, turn.life.rollout, before, seen, fact.gap)


def unobserved(turn: Turn, fact: Unobserved) -> None:
    """Record that the runtime is unreachable: what was seen last stays, with its age, and no time is counted."""
    before = turn.life.current
    if _is_late(turn, fact):
        return
    blind = before or Current(fact.look, fact.watch, turn.now)
    turn.set(current=replace(blind, look=fact.look, unreachable=fact.message or "the runtime cannot be reached"))


def _is_late(turn: Turn, fact: Observed | Unobserved) -> bool:
    """Whether a later look is known, or what was seen was forgotten since: then only looks of the present watch count."""
    before = turn.life.current
    return fact.look <= before.look if before is not None else fact.watch < turn.life.applying.watch


def summary(fact: Observed, now: Instant, spec: str) -> Current:
    """An observation in short, counted against the spec that is target."""
    observation: Observation = fact.observation
    active = [thing for thing in observation.objects if thing.active]
    return Current(
        fact.look,
        fact.watch,
        now,
        versions=observation.versions,
        digests=tuple(sorted({thing.digest for thing in active})),
        present=len(observation.objects),
        total=len(active),
        healthy=sum(thing.healthy is True for thing in active),
        unknown=sum(thing.healthy is None for thing in active),
        fresh=sum(thing.healthy is True and thing.digest == spec for thing in observation.objects),
        complete=observation.complete,
        difference=observation.difference,
        message=observation.message,
    )


def _count_time(turn: Turn, rollout: Rollout, before: Current | None, seen: Current, gap: Duration) -> None:
    offer = turn.offer(rollout.to)
    spec = offer.spec if offer else ""
    gap = 0 if blockers.stands_still(turn.rules, turn.life, turn.now) else gap
    hands_off = turn.life.observing or any(status.pause for status in turn.life.scopes.values())
    counted = 0 if hands_off else min(gap, max(turn.now - rollout.began, 0))
    settled_before = matches_spec(before, spec)
    if rollout.attempt.phase is Phase.POST_DEPLOYMENT and not rollout.back:
        sick = 0 if matches_spec(seen, spec) else rollout.sick + (0 if settled_before else counted)
        if sick != rollout.sick:
            turn.set_rollout(rollout, sick=sick)
        return
    applying = turn.life.applying
    fresh = seen.fresh if applying.spec == spec else 0
    if fresh > rollout.progress:
        turn.set_rollout(rollout, progress=fresh, idle=0)
    elif not settled_before:
        turn.set_rollout(rollout, idle=rollout.idle + counted)


def is_shown(turn: Turn, offer: Offer) -> bool:
    """Whether the runtime shows just this, by a look that started after the last apply ended."""
    return is_conclusive(turn.life) and matches_spec(turn.life.current, offer.spec)


def is_paused(turn: Turn) -> bool:
    """Whether what is under way stands still; the engine looks again when the calendar opens."""
    found = list(blockers.rollout_pauses(turn.rules, turn.life, turn.now))
    for reason in found:
        turn.wake(reason.until)
    return bool(found)


def judge_progress(turn: Turn, rollout: Rollout) -> None:
    """Fail a rollout in its deployment that has made no progress for too long."""
    if reconcile.hands_off(turn.life) or is_paused(turn):
        return
    deadline = turn.rules.progress_deadline
    if rollout.idle >= deadline:
        seen = turn.life.current
        detail = seen.message if seen and seen.message else "not every object is healthy at the version"
        outcomes.fail(
            turn,
            rollout,
            f"no progress for {approximate_duration(deadline)}: {turn.life.applying.error or detail}",
            Cause(Code.NOT_HEALTHY_YET),
        )
        return
    _look_after(turn, _last_look(turn, rollout.began) + deadline - rollout.idle)


def judge_health(turn: Turn, rollout: Rollout) -> None:
    """Fail a rollout that has been unhealthy after deployment for too long."""
    if reconcile.hands_off(turn.life) or is_paused(turn) or not is_conclusive(turn.life):
        return
    grace = turn.rules.grace
    if rollout.sick >= grace:
        seen = turn.life.current
        detail = f": {seen.message}" if seen and seen.message else ""
        outcomes.fail(
            turn,
            rollout,
            f"unhealthy after it was deployed, for longer than {approximate_duration(grace)}{detail}",
            Cause(Code.UNHEALTHY),
        )
        return
    _look_after(turn, _last_look(turn, rollout.began) + grace - rollout.sick)


def advance_rollback(turn: Turn, rollout: Rollout, offer: Offer) -> None:
    """The rollback ends when the runtime shows what it goes back to; one that makes no progress has failed."""
    if is_shown(turn, offer):
        outcomes.ended(turn, rollout)
        return
    applying, deadline = turn.life.applying, turn.rules.progress_deadline
    if reconcile.hands_off(turn.life):
        return
    if applying.terminal and not rollout.stuck:
        _stuck(turn, rollout, applying.error)
    elif rollout.idle >= deadline and not applying.operation:
        _stuck(turn, rollout, f"no progress for {approximate_duration(deadline)}")
        errors = applying.errors + 1
        turn.set_applying(spec="", errors=errors, retry_at=turn.now + backoff(errors, turn.entity))
    else:
        _look_after(turn, _last_look(turn, rollout.began) + deadline - rollout.idle)


def _stuck(turn: Turn, rollout: Rollout, reason: str) -> None:
    if not rollout.stuck:
        turn.move(rollout.attempt, Stage.ROLLBACK_FAILED)
        turn.record("rollback-failed", f"going back to {turn.name(rollout.to)} fails: {reason}", attempt=rollout.attempt)
    turn.set_rollout(rollout, stuck=reason, idle=0)


def _look_after(turn: Turn, due: Instant) -> None:
    """A deadline is judged only on an observation made after it."""
    if turn.now < due:
        turn.wake(due)
    elif not turn.life.applying.look_requested:
        turn.set_applying(every=0)


def _last_look(turn: Turn, otherwise: Instant) -> Instant:
    seen = turn.life.current
    return min(max(seen.at, otherwise), turn.now) if seen and not seen.unreachable else turn.now
