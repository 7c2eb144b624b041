"""``failAfter`` (§10.4): how long a gate has been without a decisive result, as far as the engine looked.

Only gates with ``failAfter`` are counted: between two turns at most twice the check's interval, and nothing while a person
paused, froze or only observes the instance, or while a rollout stands still for a calendar.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import calendar
from setpoint.core.instance.state import Attempt, CheckProgress, InstanceState, Life
from setpoint.model.policy import CheckUse, Policy
from setpoint.model.time import Duration, Instant


def count(draft: Draft) -> None:
    """Add the time since the turn before to every gate that has no decisive result, and look again before too much has passed."""
    life = draft.life
    if not any(use.fail_after for use in draft.rules.checks):
        return
    if life.candidate:
        draft.set(candidate=_counted(draft, life.candidate))
    if life.rollout and not life.rollout.back and not life.rollout.doubt:
        draft.set_rollout(life.rollout, attempt=_counted(draft, life.rollout.attempt))


def look_again(draft: Draft) -> None:
    """Wake for what is counted, once every gate was requested that may be."""
    if draft.policy is None or not any(use.fail_after for use in draft.policy.checks):
        return
    if _stands_still(draft.policy, draft.life, draft.now):
        for reason in calendar.rollout_pauses(draft.policy, draft.life, draft.now):
            draft.wake(reason.until)
        return
    rollout = draft.life.rollout
    forward = rollout.attempt if rollout and not rollout.back and not rollout.doubt else None
    for attempt in (draft.life.candidate, forward):
        for use, gate in _with_deadline(draft.policy, attempt) if attempt else ():
            left = use.fail_after - gate.undecided
            if left > 0 and not gate.decisive:  # at 0 it fails, or the end of its task is an event
                since = min(gate.counted or gate.asked, draft.now)
                draft.wake(max(since + min(_most(use), left), draft.now + 1))


def _counted(draft: Draft, attempt: Attempt) -> Attempt:
    still = _stood_still(draft.before, draft.now)
    found = dict(attempt.gates)
    for use, gate in _with_deadline(draft.rules, attempt):
        if gate.decisive:
            found[use.name] = replace(gate, undecided=0, counted=0)
        else:
            found[use.name] = _later(gate, draft.now, 0 if still else _most(use))
    return attempt if found == attempt.gates else replace(attempt, gates=found)


def _later(gate: CheckProgress, now: Instant, most: Duration) -> CheckProgress:
    """A little while back the clock only seems to go, by a fact that came late; further back, it was set."""
    since = gate.counted or (now if gate.first else gate.asked)
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
    """Since the turn before: what this turn was told counts from now on."""
    return before.policy is not None and _stands_still(before.policy, before.life, now)


def _stands_still(policy: Policy, life: Life, now: Instant) -> bool:
    ordered = life.observing is not None or policy.drift.mode == "observe"
    return (
        ordered or any(status.pause or status.stop for status in life.scopes.values()) or calendar.stands_still(policy, life, now)
    )
