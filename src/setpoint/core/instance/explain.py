"""Why an instance is not converged yet: the complete set of reasons, each with what would unblock it. Pure, at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.instance import adoption, reconcile, removal, selection
from setpoint.core.instance.gates import approval, blockers, calendar, check, task
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.context import Context
from setpoint.core.instance.gates.verdict import Tier, evaluate
from setpoint.core.instance.state import (
    InstanceState,
    Life,
    Rollout,
    is_conclusive,
    matches_spec,
    offer_of,
    version_offer,
)
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant, approximate_duration


class Condition(StrEnum):
    """One word for an instance, worst first."""

    ROLLBACK_FAILED = "rollback-failed"
    FAILED = "failed"
    ROLLING_BACK = "rolling-back"
    DEPLOYING = "deploying"
    VERIFYING = "verifying"
    DRIFTED = "drifted"
    UNHEALTHY = "unhealthy"
    UNREACHABLE = "unreachable"
    WAITING = "waiting"
    HELD = "held"
    VETOED = "vetoed"
    BAD = "bad"
    ORPHANED = "orphaned"
    CONVERGED = "converged"
    EMPTY = "empty"


def desired(state: InstanceState, now: Instant) -> Offer | None:
    """The release that selection wants; where nothing newer is wanted, the one that is target."""
    life, policy = state.life, state.policy
    if policy is None:
        return None
    if life.candidate:
        return offer_of(life, life.candidate.pair)
    want = selection.wanted(policy, life, now)
    return want.offer if want else offer_of(life, life.target)


def condition(state: InstanceState, now: Instant) -> Condition:  # noqa: ARG001 - the signature of every view of a state
    """What an overview shows."""
    life = state.life
    if life.rollout:
        return _under_way(life.rollout)
    if life.failure:
        return Condition.FAILED
    if state.policy is None or (not life.target and not life.candidate):
        return Condition.EMPTY
    if state.removed:
        return Condition.ORPHANED
    if life.candidate:
        return Condition.HELD if life.hold else Condition.WAITING
    return _at_rest(state.policy, life)


def _under_way(under_way: Rollout) -> Condition:
    if under_way.back:
        return Condition.ROLLBACK_FAILED if under_way.stuck else Condition.ROLLING_BACK
    return Condition.VERIFYING if under_way.attempt.phase is Phase.POST_DEPLOYMENT else Condition.DEPLOYING


def _at_rest(policy: Policy, life: Life) -> Condition:
    target = offer_of(life, life.target)
    if life.current and life.current.unreachable:
        return Condition.UNREACHABLE
    if target and not matches_spec(life.current, target.spec):
        return Condition.DRIFTED if reconcile.drifted(policy, life, target) else Condition.UNHEALTHY
    if life.target.release in life.tainted:
        return Condition.BAD
    nothing = selection.nothing_wanted(policy, life)
    if nothing and nothing.code in {Code.VETOED, Code.PINNED, Code.TRAIN_STOPPED}:
        return Condition.VETOED
    return Condition.HELD if life.hold else Condition.CONVERGED


def explain(state: InstanceState, now: Instant) -> tuple[Reason, ...]:
    """Every reason; empty only for an instance that is converged on what it wants."""
    if state.policy is None:
        return (
            Reason(Code.NOT_CONFIGURED, "it is not configured yet", awaits="apply", unblock="apply a configuration that has it"),
        )
    reasons = sorted(_all(state.policy, state, now), key=lambda reason: not reason.stuck)
    return tuple(_settle(state.life, reason, now) for reason in reasons)


def _settle(life: Life, reason: Reason, now: Instant) -> Reason:
    """Fill in since when, where the gate itself has no better value."""
    attempt = life.candidate if life.candidate and reason.phase in {"", life.candidate.phase} else None
    since = reason.since or (attempt.entered if attempt else 0) or (life.rollout.attempt.entered if life.rollout else now)
    return replace(reason, since=min(since, now))


def _all(policy: Policy, state: InstanceState, now: Instant) -> Iterator[Reason]:
    life = state.life
    if state.removed:
        yield from removal.reasons(life)
        if life.rollout is None:
            return
    yield from adoption.reasons(life)
    if life.rollout:
        yield from _rollout(policy, life, life.rollout, now)
    if life.failure:
        text = f"{life.failure.reason}; not rolled back: {life.failure.why_not}"
        yield Reason(
            Code.ROLLOUT_FAILED,
            text,
            since=life.failure.at,
            awaits="a newer release",
            unblock=f"retry release {life.failure.release}",
            failed=True,
        )
    yield from _runtime(policy, life)
    yield from _candidate(policy, state, now)


def _candidate(policy: Policy, state: InstanceState, now: Instant) -> Iterator[Reason]:
    life, attempt = state.life, state.life.candidate
    if attempt is None:
        nothing = selection.nothing_wanted(policy, life)
        if nothing and not life.rollout and not life.failure:
            yield nothing
        elif life.pin and not life.rollout:
            yield from _pinned(policy, life, now)
        if life.hold:
            yield from (reason for reason in blockers.operator_blocks(policy, life, committed=False) if reason.code is Code.HELD)
        yield from _marked_bad(life)
        return
    context = Context(policy, life, _kept(life, attempt.pair), attempt, now)
    gathering = [*evaluate(context), *evaluate(context, Tier.BLOCKERS)]
    yield from gathering
    if attempt.phase is Phase.PRE_DEPLOYMENT and not gathering:
        yield from (one for one in evaluate(context, Tier.SET_PREPARES, Tier.SET_STARTS) if one.code not in _OF_TASKS)
    yield from task.evaluate(context)
    yield from _ahead(context)


def _pinned(policy: Policy, life: Life, now: Instant) -> Iterator[Reason]:
    """What a pin at rest keeps away."""
    pinned, by = version_offer(life, life.pin), life.pinned_by
    freed = selection.wanted(policy, replace(life, pin=0), now)
    if pinned is None or by is None or freed is None or freed.offer.release == life.pin:
        return
    ending = f"{orders.ending(life.pinned_until)}{by.because}"
    text = f"pinned to {pinned.version.name} by {by.person}{ending}; {freed.offer.version.name} would be next"
    yield Reason(Code.PINNED, text, since=freed.offer.at, awaits="unpin", unblock="unpin")


def _marked_bad(life: Life) -> Iterator[Reason]:
    """A finalized version that was marked bad stays until a person acts."""
    offer = offer_of(life, life.target)
    if offer and life.target.release in life.tainted and not life.rollout:
        reason = selection.ruled_out(life, offer)
        yield Reason(
            Code.VERSION_BAD, f"runs on although {reason}", awaits="a newer release", unblock="roll back, or mark it good"
        )


def _kept(life: Life, pair: Pair) -> Offer:
    offer = offer_of(life, pair)
    assert offer is not None  # noqa: S101 - offers of candidates and rollouts are never forgotten
    return offer


_OF_TASKS = {Code.TASK_PENDING, Code.TASK_QUEUED, Code.TASK_RUNNING, Code.TASK_RETRYING, Code.TASK_FAILED, Code.TASK_UNKNOWN}


def _ahead(context: Context) -> Iterator[Reason]:
    """What later phases are known to wait for already: an approval is to be shown before a soak of a day, not after it."""
    phase = context.attempt.phase
    if phase is Phase.PRE_APPROVAL:
        yield from approval.evaluate(context)
    if phase is not Phase.PRE_DEPLOYMENT:
        yield from calendar.evaluate(context)
        yield from calendar.evaluate_cadence(context)


def _rollout(policy: Policy, life: Life, under_way: Rollout, now: Instant) -> Iterator[Reason]:
    offer = _kept(life, under_way.to)
    seen, name = life.current, offer.version.name
    if reconcile.hands_off(life):
        yield from _hands_off(life, under_way)
    yield from (replace(reason, phase=under_way.attempt.phase) for reason in blockers.rollout_pauses(policy, life, now))
    if under_way.back:
        yield Reason(
            Code.ROLLING_BACK, f"goes back to {name}: {under_way.failure}", since=under_way.began, awaits=f"{name} observed"
        )
    if under_way.stuck:
        yield Reason(
            Code.ROLLBACK_FAILED,
            f"going back to {name} fails: {under_way.stuck}",
            awaits="the next try",
            unblock="release a fix",
            failed=True,
        )
    still = (reconcile.hands_off(life) or blockers.stands_still(policy, life, now)) and not life.applying.operation
    if not still and not (matches_spec(seen, offer.spec) and is_conclusive(life)):
        yield _runtime_wait(policy, life, under_way, name)
    if not under_way.back:
        context = Context(policy, life, offer, under_way.attempt, now)
        yield from check.evaluate(context)
        yield from task.evaluate(context)
        yield from with_set.doubt(life, offer, under_way)
        if under_way.passed and not under_way.doubt:
            yield from with_set.end(context)


def _hands_off(life: Life, under_way: Rollout) -> Iterator[Reason]:
    what = "the rollback waits for resume: " if under_way.back else ""
    for status in life.scopes.values():
        if status.pause:
            found = blockers.paused(status)
            yield replace(found, text=what + found.text)
    if life.observing:
        found = blockers.observed_only(life, life.observing)
        yield replace(found, text=what + found.text)


def _runtime_wait(policy: Policy, life: Life, under_way: Rollout, name: str) -> Reason:
    applying, seen = life.applying, life.current
    phase = under_way.attempt.phase
    if applying.operation:
        again = f" once more; the last try failed: {applying.error}" if applying.error else ""
        return Reason(Code.APPLY_IN_PROGRESS, f"{name} is being applied{again}", phase=phase, awaits="the end of the apply")
    if applying.error:
        text = f"could not start {name}: {applying.error}"
        return Reason(Code.APPLY_FAILED, text, phase=phase, until=applying.retry_at, unblock="fix the runtime")
    done = f"{seen.fresh} healthy at {name}" if seen else "nothing seen yet"
    message = f" – {seen.message}" if seen and seen.message else ""
    left = approximate_duration(max(policy.progress_deadline - under_way.idle, 0))
    return Reason(
        Code.NOT_HEALTHY_YET,
        f"{name} is starting: {done}{message}; fails without progress in {left}",
        phase=phase,
        awaits="the next look at the runtime",
    )


def _runtime(policy: Policy, life: Life) -> Iterator[Reason]:
    seen, target = life.current, offer_of(life, life.target)
    if seen and seen.unreachable:
        yield Reason(
            Code.RUNTIME_UNREACHABLE,
            f"the runtime is unreachable: {seen.unreachable}",
            since=seen.at,
            awaits="the runtime to answer again",
        )
        return
    if target is None or life.rollout or life.failure:
        return
    drift = reconcile.drifted(policy, life, target)
    if life.breaker and life.breaker.tripped and drift:
        text = f"no longer healed: the same difference came back {life.breaker.count} times: {drift}"
        yield Reason(
            Code.BREAKER_OPEN, text, since=life.breaker.since, awaits="a change of the difference", unblock="resume", person=True
        )
    elif drift:
        yield Reason(Code.DRIFTED, f"drift: {drift}", since=_seen_at(life), awaits="the next look at the runtime")
    elif not matches_spec(seen, target.spec):
        yield Reason(
            Code.UNHEALTHY,
            _unwell(life, target),
            since=_seen_at(life),
            awaits="the next look at the runtime",
            unblock="fix the service, or roll back",
        )


def _seen_at(life: Life) -> Instant:
    """When what runs was first seen as it is: observations are posted when something changed."""
    return life.current.at if life.current else 0


def _unwell(life: Life, target: Offer) -> str:
    seen, applying = life.current, life.applying
    if applying.operation:
        return f"{target.version.name} is being applied again"
    if applying.error:
        return f"could not start {target.version.name}: {applying.error}"
    if seen is None:
        return f"{target.version.name} has not been observed yet"
    return f"{seen.healthy} of {seen.total} healthy at {target.version.name}" + (f": {seen.message}" if seen.message else "")


__all__ = ["Condition", "condition", "desired", "explain"]
