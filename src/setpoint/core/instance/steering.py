"""Moving the runtime towards target: one apply at a time, retried with back-off, repeated until it shows; drift is healed."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import calendar
from setpoint.core.instance.state import Breaker, Life, Seen, is_conclusive, matches_spec
from setpoint.core.instructions import Apply, Watch
from setpoint.model.policy import Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import MINUTE, Duration

QUIET: Duration = 10 * MINUTE
"""A difference that comes back after having stayed away this long is counted from one again."""
NOTHING_RUNS = "nothing-runs"
OTHER_VERSION = "other-version"


def advance(draft: Draft) -> None:
    """Apply what must be applied, and look as often as it takes."""
    if draft.life.applying.operation:
        return
    offer = draft.offer(draft.life.target)
    if offer and draft.life.failure is None and not hands_off(draft.life):
        _apply_if_needed(draft, offer)
    if not draft.life.applying.operation:
        _watch(draft, offer)


def _stands_still(draft: Draft) -> bool:
    """A paused rollout applies nothing more; what it had deployed already is put right."""
    rollout = draft.life.rollout
    deploying = rollout is not None and rollout.attempt.phase is Phase.DEPLOYMENT
    return deploying and calendar.stands_still(draft.rules, draft.life, draft.now)


def hands_off(life: Life) -> bool:
    """Whether a person keeps every apply off, rollbacks included."""
    return life.observing is not None or any(status.pause for status in life.scopes.values())


def _apply_if_needed(draft: Draft, offer: Offer) -> None:
    applying, life = draft.life.applying, draft.life
    if _stands_still(draft):
        return
    if applying.spec != offer.spec or not applying.taken:
        if life.rollout is None and not applying.spec:
            return
        if draft.now >= applying.retry_at:
            _apply(draft, offer)
        else:
            draft.wake(applying.retry_at)
    elif life.rollout is not None:
        _repeat(draft, offer)
    else:
        _heal(draft, offer)


def _apply(draft: Draft, offer: Offer) -> None:
    applying = draft.life.applying
    count, number, every = applying.count + 1, applying.watch + 1, draft.rules.poll_moving
    operation = f"{draft.entity}/apply/{count}"
    draft.out.append(Apply(operation, offer.spec, Watch(number, every, offer.spec)))
    draft.set_applying(count=count, operation=operation, spec=offer.spec, taken=0, watch=number, every=every, asked=True)


def _repeat(draft: Draft, offer: Offer) -> None:
    """An apply of a rollout that has not shown within its grace period is made again."""
    if _drift(draft.life, offer) and is_conclusive(draft.life):
        due = draft.life.applying.taken + draft.rules.grace
        if draft.now >= due:
            _apply(draft, offer)
        else:
            draft.wake(due)


def _heal(draft: Draft, offer: Offer) -> None:
    if not is_conclusive(draft.life):
        return
    difference, breaker = _drift(draft.life, offer), draft.life.breaker
    if not difference:
        if breaker and breaker.tripped and matches_spec(draft.life.current, offer.spec):
            draft.set(breaker=None)
        elif breaker and not breaker.away and not _unreachable(draft.life):
            draft.set(breaker=replace(breaker, away=draft.now))
        return
    first = breaker is None or breaker.difference != difference
    if breaker and not first and breaker.away > draft.now - QUIET:
        draft.set(breaker=replace(breaker, away=0))
    if not first and draft.now < draft.life.applying.taken + draft.rules.grace:
        draft.wake(draft.life.applying.taken + draft.rules.grace)
        return
    _found(draft, offer, difference)


def _unreachable(life: Life) -> bool:
    """What cannot be asked shows neither that a difference is there nor that it is gone."""
    return life.current is not None and bool(life.current.unreachable)


def _found(draft: Draft, offer: Offer, difference: str) -> None:
    breaker, rule = draft.life.breaker, draft.rules.drift
    stayed_away = breaker is not None and not breaker.tripped and 0 < breaker.away <= draft.now - QUIET
    if breaker is None or breaker.difference != difference or stayed_away:
        breaker = Breaker(difference, 0, draft.now)
        text = _describe(draft.life.current, offer)
        draft.record("drift", f"drift: {text}", release=offer.release)
    if breaker.tripped or rule.mode != "heal":
        draft.set(breaker=replace(breaker, away=0))
        return
    if breaker.count >= rule.breaker:
        draft.set(breaker=Breaker(difference, breaker.count, breaker.since, tripped=True))
        draft.record(
            "breaker", f"the same difference came back {breaker.count} times: hands off until it changes or somebody resumes"
        )
        return
    draft.set(breaker=Breaker(difference, breaker.count + 1, breaker.since))
    _apply(draft, offer)


def _describe(seen: Seen | None, offer: Offer) -> str:
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


def _watch(draft: Draft, offer: Offer | None) -> None:
    applying = draft.life.applying
    every = _interval(draft.life, draft.rules, offer)
    if applying.every != every:
        draft.set_applying(watch=applying.watch + 1, every=every, asked=True)
        draft.out.append(Watch(applying.watch + 1, every, offer.spec if offer else ""))


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
