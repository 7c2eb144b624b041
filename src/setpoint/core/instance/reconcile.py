"""Moving the runtime towards target: one apply at a time, retried with back-off, repeated until it shows; drift is healed."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.instance.gates import blockers
from setpoint.core.instance.state import Breaker, Current, Life, is_conclusive, matches_spec
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Apply, Watch
from setpoint.model.names import format_operation
from setpoint.model.policy import Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import MINUTE, Duration

QUIET: Duration = 10 * MINUTE
"""A difference that comes back after having stayed away this long is counted from one again."""
NOTHING_RUNS = "nothing-runs"
OTHER_VERSION = "other-version"


def advance(turn: Turn) -> None:
    """Apply what must be applied, and look as often as it takes."""
    if turn.life.applying.operation:
        return
    offer = turn.offer(turn.life.target)
    if offer and turn.life.failure is None and not hands_off(turn.life):
        _apply_if_needed(turn, offer)
    if not turn.life.applying.operation:
        _watch(turn, offer)


def _stands_still(turn: Turn) -> bool:
    """A paused rollout applies nothing more; what it had deployed already is put right."""
    rollout = turn.life.rollout
    deploying = rollout is not None and rollout.attempt.phase is Phase.DEPLOYMENT
    return deploying and blockers.stands_still(turn.rules, turn.life, turn.now)


def hands_off(life: Life) -> bool:
    """Whether a person keeps every apply off, rollbacks included."""
    return life.observing is not None or any(status.pause for status in life.scopes.values())


def _apply_if_needed(turn: Turn, offer: Offer) -> None:
    applying, life = turn.life.applying, turn.life
    if _stands_still(turn):
        return
    if applying.spec != offer.spec or not applying.taken:
        if life.rollout is None and not applying.spec:
            return
        if turn.now >= applying.retry_at:
            _apply(turn, offer)
        else:
            turn.wake(applying.retry_at)
    elif life.rollout is not None:
        _repeat(turn, offer)
    else:
        _heal(turn, offer)


def _apply(turn: Turn, offer: Offer) -> None:
    applying = turn.life.applying
    count, number, every = applying.count + 1, applying.watch + 1, turn.rules.poll_moving
    operation = format_operation(turn.entity, "apply", count)
    turn.out.append(Apply(operation, offer.spec, Watch(number, every, offer.spec)))
    turn.set_applying(count=count, operation=operation, spec=offer.spec, taken=0, watch=number, every=every, look_requested=True)


def _repeat(turn: Turn, offer: Offer) -> None:
    """An apply of a rollout that has not shown within its grace period is made again."""
    if _drift(turn.life, offer) and is_conclusive(turn.life):
        due = turn.life.applying.taken + turn.rules.grace
        if turn.now >= due:
            _apply(turn, offer)
        else:
            turn.wake(due)


def _heal(turn: Turn, offer: Offer) -> None:
    if not is_conclusive(turn.life):
        return
    difference, breaker = _drift(turn.life, offer), turn.life.breaker
    if not difference:
        if breaker and breaker.tripped and matches_spec(turn.life.current, offer.spec):
            turn.set(breaker=None)
        elif breaker and not breaker.away and not _unreachable(turn.life):
            turn.set(breaker=replace(breaker, away=turn.now))
        return
    first = breaker is None or breaker.difference != difference
    if breaker and not first and breaker.away > turn.now - QUIET:
        turn.set(breaker=replace(breaker, away=0))
    if not first and turn.now < turn.life.applying.taken + turn.rules.grace:
        turn.wake(turn.life.applying.taken + turn.rules.grace)
        return
    _found(turn, offer, difference)


def _unreachable(life: Life) -> bool:
    """Whether the runtime is unreachable: then it shows neither that a difference is there nor that it is gone."""
    return life.current is not None and bool(life.current.unreachable)


def _found(turn: Turn, offer: Offer, difference: str) -> None:
    breaker, rule = turn.life.breaker, turn.rules.drift
    stayed_away = breaker is not None and not breaker.tripped and 0 < breaker.away <= turn.now - QUIET
    if breaker is None or breaker.difference != difference or stayed_away:
        breaker = Breaker(difference, 0, turn.now)
        text = _describe(turn.life.current, offer)
        turn.record("drift", f"drift: {text}", release=offer.release)
    if breaker.tripped or rule.mode != "heal":
        turn.set(breaker=replace(breaker, away=0))
        return
    if breaker.count >= rule.breaker:
        turn.set(breaker=Breaker(difference, breaker.count, breaker.since, tripped=True))
        turn.record(
            "breaker", f"the same difference came back {breaker.count} times: not healed until it changes or a person resumes"
        )
        return
    turn.set(breaker=Breaker(difference, breaker.count + 1, breaker.since))
    _apply(turn, offer)


def _describe(seen: Current | None, offer: Offer) -> str:
    if seen is None or not seen.total:
        return f"nothing runs, {offer.version.name} is wanted"
    return seen.message or f"{', '.join(seen.versions) or 'something else'} runs, {offer.version.name} is wanted"


def _drift(life: Life, offer: Offer) -> str:
    """What differs from target in a way that nothing under way will mend; empty: nothing."""
    seen = life.current
    if seen is None or seen.unreachable:
        return ""
    if seen.difference:
        return seen.difference
    if not seen.present:
        return "" if seen.complete else NOTHING_RUNS
    if life.rollout is None and seen.digests and seen.digests != (offer.spec,):
        return OTHER_VERSION
    return ""


def drifted(policy: Policy, life: Life, offer: Offer) -> str:
    """The present drift in words; empty: there is none."""
    if life.rollout or life.applying.operation or not life.applying.taken or not _drift(life, offer):
        return ""
    mode = "" if policy.drift.mode == "heal" else f" (drift mode {policy.drift.mode}: nothing is done about it)"
    return _describe(life.current, offer) + mode


def _watch(turn: Turn, offer: Offer | None) -> None:
    applying = turn.life.applying
    every = _interval(turn.life, turn.rules, offer)
    if applying.every != every:
        turn.set_applying(watch=applying.watch + 1, every=every, look_requested=True)
        turn.out.append(Watch(applying.watch + 1, every, offer.spec if offer else ""))


def _interval(life: Life, policy: Policy, offer: Offer | None) -> Duration:
    healing = (
        offer is not None
        and life.breaker is not None
        and not life.breaker.tripped
        and policy.drift.mode == "heal"
        and not matches_spec(life.current, offer.spec)
    )
    adopting = life.adopting is not None and not life.adopting.failed
    return policy.poll_moving if life.rollout or healing or adopting else policy.poll_settled
