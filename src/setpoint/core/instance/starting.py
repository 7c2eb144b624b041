"""The last steps before target moves, once every gate holds: the set, admission, tasks – in that order of asking.

Each is asked for only when all before it hold; then everything is evaluated once more, and target moves in that same turn.
For the members of a set, the set asks admission for all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from setpoint.core.instance import admission, gates, tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Attempt, Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def advance(draft: Draft, offer: Offer, candidate: Attempt) -> Attempt:
    """Ask for the next of these that is missing."""
    rules, now = draft.rules, draft.now
    if any(gates.member.start(rules, draft.life, offer, candidate, now)):
        return candidate
    if any(quiet(rules, draft.life, offer, candidate, now)):
        return candidate
    if not gates.member.concerns(draft.life, offer, candidate):
        candidate = admission.ask(draft, offer, candidate)
        if any(gates.limits(rules, draft.life, offer, candidate, now)):
            return candidate
    return tasks.run(draft, offer, candidate)


def quiet(policy: Policy, life: Life, offer: Offer, candidate: Attempt, now: Instant) -> Iterator[Reason]:  # noqa: ARG001 - as of every gate
    """A task starts only when nothing is rolled out or back: not beside what would give way to its attempt, either.

    But beside a rollback that has failed: else the fix could never come.
    """
    if life.rollout is None or life.rollout.stuck or gates.task.under_way(life, candidate):
        return
    use, _ = next(gates.task.pending(policy, life, offer, candidate), (None, ""))
    if use:
        which = f"release {life.rollout.attempt.release}"
        does = "is being rolled back" if life.rollout.back else "is being rolled out"
        yield Reason(
            Code.ROLLOUT_IN_PROGRESS,
            f"{use.name} runs once {which}, which {does}, is through",
            phase=use.phase,
            since=life.rollout.began,
            awaits=f"the end of the rollout of {which}",
            unblock="roll back, or cancel it",
        )


def reasons(policy: Policy, life: Life, offer: Offer, candidate: Attempt, now: Instant) -> Iterator[Reason]:
    """What is missing still."""
    with_set = (gates.member.start, quiet, gates.tasks, gates.member.go)
    for kind in with_set if gates.member.concerns(life, offer, candidate) else (quiet, gates.limits, gates.tasks):
        found = list(kind(policy, life, offer, candidate, now))
        yield from found
        if found:
            return


def wake(draft: Draft, candidate: Attempt, missing: Sequence[Reason]) -> None:
    """Look again when the first of these may have changed by the clock alone, and when a budget's window ends."""
    for reason in missing:
        draft.wake(reason.until)
    for need in candidate.admission.needs if candidate.admission else ():
        draft.wake_at_the_end_of(need)
