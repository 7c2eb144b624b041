"""What ends by the clock: orders of people that have an end (§10.8), and ``failAfter`` (§10.4).

The end of an order is a timer of the instance, a line of history, and that person's act. ``failAfter`` counts at most twice the
check's interval between two turns; and nothing while a person paused, froze or only observes the instance, or a rollout stands
still for a calendar.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.instance.gates import blockers
from setpoint.core.instance.state import Attempt, CheckProgress, InstanceState, Life, version_offer
from setpoint.core.instance.turn import Turn
from setpoint.model.people import By
from setpoint.model.policy import CheckUse, Policy
from setpoint.model.time import Duration, Instant


def expire_orders(turn: Turn) -> None:
    """End what is over before anything else is decided, and look again when the next order ends, by the wall clock (§10.17)."""
    life = turn.life
    if life.hold and _is_over(turn, life.hold.until):
        _record_end(turn, life.hold.by, "hold")
        turn.set(hold=None)
    if life.observing and _is_over(turn, life.observing.until):
        _record_end(turn, life.observing.by, "order to only observe")
        turn.set(observing=None)
    if life.pinned_by and _is_over(turn, life.pinned_until):
        pinned = version_offer(life, life.pin)
        _record_end(turn, life.pinned_by, f"pin to {pinned.version.name if pinned else f'release {life.pin}'}", life.pin)
        turn.set(pin=0, pinned_by=None, pinned_at=0, pinned_until=0)
    _skips(turn)
    turn.wake(life.wall.until(min((end for end in _ends(turn.life) if end), default=None)))


def _skips(turn: Turn) -> None:
    """A skip that ends before target moved does not count."""
    over = [skip for skip in turn.life.skips if _is_over(turn, skip.until)]
    for skip in over:
        what = "all gates" if skip.gate == "*" else skip.gate
        _record_end(turn, skip.by, f"skip of {what}", skip.release)
    if over:
        turn.set(skips=tuple(skip for skip in turn.life.skips if skip not in over))


def _ends(life: Life) -> Iterator[Instant]:
    yield life.pinned_until
    yield from (one.until for one in (life.hold, life.observing) if one)
    yield from (skip.until for skip in life.skips)


def _is_over(turn: Turn, until: Instant) -> bool:
    return 0 < until <= turn.life.wall.at(turn.now)


def _record_end(turn: Turn, by: By, what: str, release: int = 0) -> None:
    turn.record("expired", f"the {what} by {by.person} has ended{by.because}", release=release, by=by)


def count_undecided_checks(turn: Turn) -> None:
    """Add the time since the turn before to every gate that has no decisive result, and look again before too much has passed."""
    life = turn.life
    if not any(use.fail_after for use in turn.rules.checks):
        return
    if life.candidate:
        turn.set(candidate=_counted(turn, life.candidate))
    if life.rollout and not life.rollout.back and not life.rollout.doubt:
        turn.set_rollout(life.rollout, attempt=_counted(turn, life.rollout.attempt))


def wake_for_undecided_checks(turn: Turn) -> None:
    """Wake for what is counted, once every gate was requested that may be."""
    if turn.policy is None or not any(use.fail_after for use in turn.policy.checks):
        return
    if _stands_still(turn.policy, turn.life, turn.now):
        for reason in blockers.rollout_pauses(turn.policy, turn.life, turn.now):
            turn.wake(reason.until)
        return
    rollout = turn.life.rollout
    forward = rollout.attempt if rollout and not rollout.back and not rollout.doubt else None
    for attempt in (turn.life.candidate, forward):
        for use, gate in _with_deadline(turn.policy, attempt) if attempt else ():
            left = use.fail_after - gate.undecided
            if left > 0 and not gate.decisive:  # at 0 it fails, or the end of its task is an event
                since = min(gate.counted or gate.requested_at, turn.now)
                turn.wake(max(since + min(_most(use), left), turn.now + 1))


def _counted(turn: Turn, attempt: Attempt) -> Attempt:
    still = _stood_still(turn.before, turn.now)
    found = dict(attempt.gates)
    for use, gate in _with_deadline(turn.rules, attempt):
        if gate.decisive:
            found[use.name] = replace(gate, undecided=0, counted=0)
        else:
            found[use.name] = _later(gate, turn.now, 0 if still else _most(use))
    return attempt if found == attempt.gates else replace(attempt, gates=found)


def _later(gate: CheckProgress, now: Instant, most: Duration) -> CheckProgress:
    """A little while back the clock only seems to go, by a fact that came late; further back, it was set."""
    since = gate.counted or (now if gate.first else gate.requested_at)
    if since > now:
        return gate if since - now <= most else replace(gate, counted=now)
    return replace(gate, undecided=gate.undecided + min(now - since, most), counted=now)


def _most(use: CheckUse) -> Duration:
    return 2 * use.check.interval


def _with_deadline(policy: Policy, attempt: Attempt) -> Iterator[tuple[CheckUse, CheckProgress]]:
    """What is informational gates nothing, so it fails nothing."""
    for use in policy.checks:
        concerned = use.fail_after and use.phase is attempt.phase and not use.informational
        gate = attempt.gates.get(use.name) if concerned else None
        if gate is not None:
            yield use, gate


def _stood_still(before: InstanceState, now: Instant) -> bool:
    """Since the turn before: the facts of this turn count from now on."""
    return before.policy is not None and _stands_still(before.policy, before.life, now)


def _stands_still(policy: Policy, life: Life, now: Instant) -> bool:
    ordered = life.observing is not None or policy.drift.mode == "observe"
    return (
        ordered or any(status.pause or status.stop for status in life.scopes.values()) or blockers.stands_still(policy, life, now)
    )
