"""What keeps an attempt whose gates pass from starting: orders of people, and what is in progress here already.

None of these is skipped or holds a phase: an attempt gathers its gates beside them, and starts when they are gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core import calendars, orders, scope
from setpoint.core.facts import ScopeStatus
from setpoint.core.instance.gates import check, task
from setpoint.core.instance.gates.context import Context, needed_by, only_configures
from setpoint.core.instance.state import Attempt, Hold, Kind, Life, Rollout, is_conclusive, offer_of
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def start_blockers(context: Context) -> Iterator[Reason]:
    """Everything that keeps an attempt from starting."""
    life = context.life
    yield from operator_blocks(context.policy, life, committed=context.attempt.committed)
    if life.rollout and _goes_first(context, life.rollout):
        yield _in_progress(life, life.rollout)
    elif life.abandoned_tasks or life.rollout:
        yield from task.abandoned(life, context.now)


def operator_blocks(policy: Policy, life: Life, *, committed: bool) -> Iterator[Reason]:
    """Orders of people; a line that is stopped lets finish what is ``committed``."""
    if life.hold:
        yield Reason(
            Code.HELD,
            f"held by {life.hold.by.person}{orders.ending(life.hold.until)}{life.hold.by.because}",
            since=life.hold.at,
            until=life.wall.until(life.hold.until or None),
            awaits="resume",
            unblock="resume",
        )
    yield from (reason for reason in scope_blocks(life) if reason.code is Code.PAUSED or not committed)
    if life.observing:
        yield observed_only(life, life.observing)
    if policy.drift.mode == "observe":
        yield Reason(
            Code.OBSERVED_ONLY,
            "this instance is only observed",
            awaits="a change of its drift mode",
            unblock="set drift.mode to heal or report",
        )


def observed_only(life: Life, order: Hold) -> Reason:
    """A person wants it only looked at."""
    text = f"only observed, by order of {order.by.person}{orders.ending(order.until)}{order.by.because}"
    until = life.wall.until(order.until or None)
    return Reason(Code.OBSERVED_ONLY, text, since=order.at, until=until, awaits="heal", unblock="heal")


def scope_blocks(life: Life, *, under_way: bool = False) -> Iterator[Reason]:
    """Scopes above whose line is stopped, or that are paused."""
    for status in life.scopes.values():
        name = scope.name_of(status.scope)
        if status.stop and not (under_way and status.stop.in_flight == "finish"):
            ending = f"{orders.ending(status.stop.until)}{status.stop.by.because}"
            text = f"{status.stop.by.person} froze {name}{ending}"
            yield Reason(
                Code.FROZEN, text, subject=status.scope, since=status.stop.at, awaits="start-the-line", unblock="start the line"
            )
        if status.pause:
            yield paused(status)


def paused(status: ScopeStatus) -> Reason:
    """No apply at all below this scope."""
    assert status.pause is not None  # noqa: S101 - checked by the caller
    ending = f"{orders.ending(status.pause.until)}{status.pause.by.because}"
    text = f"{status.pause.by.person} paused {scope.name_of(status.scope)}{ending}"
    return Reason(Code.PAUSED, text, subject=status.scope, since=status.pause.at, awaits="unpause", unblock="unpause")


def _goes_first(context: Context, under_way: Rollout) -> bool:
    """A rollback goes first until it fails; a rollout, until it does badly or the candidate is urgent – and not older than what
    a pin has brought under way.
    """
    if under_way.back:
        return not under_way.stuck
    life, offer = context.life, context.offer
    forward = life.candidate is not None and life.candidate.kind is Kind.FORWARD
    urgent = offer.urgent and not only_configures(life, offer) and not (forward and offer.release < under_way.attempt.release)
    return not urgent and (under_way.passed or not failing(context, under_way))


def failing(context: Context, rollout: Rollout) -> bool:
    """Whether a rollout forward does badly enough to give way to an attempt whose gates pass."""
    life, seen = context.life, context.life.current
    if life.applying.error or (seen and is_conclusive(life) and seen.healthy + seen.unknown < seen.total):
        return True
    offer = offer_of(life, rollout.attempt.pair)
    if offer is None:
        return False
    its = context._replace(offer=offer, attempt=rollout.attempt)
    no = any(_has_failed(rollout.attempt, reason) for reason in check.evaluate(its))
    return no or any(task.stuck(life, entity) for _, entity in task.pending(its))


def _has_failed(attempt: Attempt, reason: Reason) -> bool:
    progress = attempt.gates.get(reason.gate)
    return progress is not None and progress.counts and progress.outcome is not None and progress.outcome != "passing"


def _in_progress(life: Life, under_way: Rollout) -> Reason:
    offer = offer_of(life, under_way.attempt.pair)
    other = offer.version.name if offer else "another version"
    what = "rollback" if under_way.back else "rollout"
    return Reason(
        Code.ROLLOUT_IN_PROGRESS,
        f"waits for the {what} of {other} to end",
        since=under_way.began,
        awaits=f"the end of the rollout of {other}",
    )


def rollout_in_progress(context: Context) -> Iterator[Reason]:
    """Do not start a task while a rollout or rollback is in progress, even one this attempt could replace.

    Except during a rollback that has failed: otherwise the fix could never come.
    """
    life = context.life
    if life.rollout is None or life.rollout.stuck or task.under_way(life, context.attempt):
        return
    use, _ = next(task.pending(context), (None, ""))
    if use:
        which = f"release {life.rollout.attempt.release}"
        what = "rollback" if life.rollout.back else "rollout"
        yield Reason(
            Code.ROLLOUT_IN_PROGRESS,
            f"{use.name} runs once the {what} of {which} has ended",
            phase=use.phase,
            since=life.rollout.began,
            awaits=f"the end of the rollout of {which}",
            unblock="roll back, or cancel it",
        )


PAUSE = "pause"


def pauses(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """What makes an attempt at this offer stand still, once it is under way."""
    for status in life.scopes.values():
        if status.stop and status.stop.in_flight == PAUSE:
            because = f"{orders.ending(status.stop.until)}{status.stop.by.because}"
            text = f"paused: {status.stop.by.person} froze {scope.name_of(status.scope)}{because}"
            yield Reason(
                Code.FROZEN,
                text,
                phase=Phase.PRE_DEPLOYMENT,
                subject=status.scope,
                since=status.stop.at,
                awaits="start-the-line",
                unblock="start the line",
            )
    for use in policy.calendars:
        if use.calendar.in_flight != PAUSE:
            continue
        opening = calendars.opening(use.calendar, use.timezone, life.wall.at(now))
        if not opening.open and needed_by(use.when, use.name, policy, life, offer):
            awaits = "" if opening.until else f"a change of the calendar {use.name}"
            text = f"paused: {use.name} is {opening.reason}"
            yield Reason(
                Code.CALENDAR_CLOSED,
                text,
                phase=Phase.PRE_DEPLOYMENT,
                gate=use.name,
                until=life.wall.until(opening.until),
                awaits=awaits,
                unblock=f"skip {use.name}",
            )


def stands_still(policy: Policy, life: Life, now: Instant) -> bool:
    """Whether the rollout forward that is under way pauses."""
    return any(rollout_pauses(policy, life, now))


def rollout_pauses(policy: Policy, life: Life, now: Instant) -> Iterator[Reason]:
    """What makes the rollout that is under way stand still; one that goes back never does."""
    rollout = life.rollout
    if rollout is None or rollout.back:
        return
    offer = offer_of(life, rollout.attempt.pair)
    if offer is not None:
        yield from pauses(policy, life, offer, now)
