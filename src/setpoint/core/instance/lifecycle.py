"""The life of an instance: the algorithm, one turn at a time, read from top to bottom.

``decide`` records events, then takes each part of the state as far as it goes:

1. ``verify``   the rollout in progress is finalized, or fails and is rolled back, or goes on waiting;
2. ``select``   the desired release becomes the candidate, or replaces it;
3. ``promote``  the candidate passes its phases; then target moves to it, and a rollout starts;
4. vote         sets, admission and waves learn where this instance stands, if they concern it;
5. reconcile    the runtime is brought to target and kept there, or taken down where the instance was removed;
6. publish      other instances learn what changed.

Every step looks at the state as it is, never at the event that changed it: events that come together, twice or out of order do no
harm.

What holds whatever happens, with the number of the invariant in docs/design/law.md (paragraphs such as §5 are of that page, too):

*gated* (1)
    Target moves forward only in ``promote``: when no standing condition, no check or task of the last phase, no order of a
    person, no set and no limit is unmet, all in that very turn. Checks and tasks of the phases before have passed earlier. (What
    runs already is made *good* without a rollout: the same spec in a newer release, and what a person adopts.)
*safe-back* (5)
    A rollout that fails is rolled back to *good*, the last finalized version (``outcomes.fail``). Target stays instead, and the
    attempt is shown as failed, where there is no *good*, automatic rollback is off, or ``notBelow`` or a task that cannot be
    undone bars the way. Only this instance goes back, and what failed is vetoed here.
*unhindered* (9)
    A rollback waits for no gate and no lease: ``verify`` evaluates none for it. Only the runtime and a person's pause hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from setpoint.core.facts import AnyFact
from setpoint.core.instance import (
    adoption,
    candidates,
    clocks,
    events,
    observation,
    outcomes,
    reconcile,
    removal,
    selection,
    status,
)
from setpoint.core.instance.gates import approval, blockers, check, task
from setpoint.core.instance.gates.verdict import CHECKS, LIMITS, SET_PASSES, TASKS, Tier, Verdicts
from setpoint.core.instance.requests import admission, check_runs, sets, tasks, waves
from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life, Rollout
from setpoint.core.instance.transitions import Stage
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Decision
from setpoint.model.policy import Phase
from setpoint.model.reasons import Cause, Code
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def decide(entity: str, state: InstanceState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Return the instance's next state, what to do, and when to look again."""
    before = state or InstanceState()
    turn = Turn(entity, before, now)
    events.record(turn, facts)
    if turn.policy is None:
        return Decision(turn.state())
    clocks.expire_orders(turn)
    clocks.count_undecided_checks(turn)
    outcomes.give_up_bad_versions(turn)
    if turn.life.adopting:
        adoption.advance(turn)
    verify(turn)
    select(turn)
    clocks.wake_for_undecided_checks(turn)
    if turn.life.joined:
        sets.vote(turn)
    if before.life.needs_admission or turn.life.needs_admission:
        admission.settle(turn)
    if before.life.in_waves or turn.life.in_waves:
        waves.vote(turn)
    if turn.removed and turn.life.rollout is None:
        removal.advance(turn)
    else:
        reconcile.advance(turn)
    status.update_declined(turn)
    status.publish(turn, before)
    return Decision(turn.state(), tuple(turn.out), turn.wake_at, tuple(turn.moves))


# --- verify: the rollout in progress (§5) ------------------------------------------------------------------------------------


def verify(turn: Turn) -> None:
    """Take the rollout in progress to its end: finalized, or failed and rolled back.

    No gate before deployment holds what has started. What does: the runtime, the checks and tasks of the phases after target
    moved, and – before it is finalized – the other members of its set (§4). A pause starts no task and passes nothing, but fails
    what fails; a person's suspension, or a task that an earlier attempt left running, starts no task.
    """
    rollout = turn.life.rollout
    if rollout is None:
        return
    offer = turn.kept(rollout.to)
    if rollout.back:
        observation.advance_rollback(turn, rollout, offer)
    elif rollout.passed and _set_has_passed(turn, rollout, offer):
        outcomes.finalize(turn, offer, rollout.attempt, rollout.began)
    elif rollout.doubt:
        return  # it failed after it had passed: its set answers whether others are finalized by now, or all go back (§3 Sets)
    elif rollout.attempt.phase is Phase.DEPLOYMENT:
        _deploy(turn, rollout, offer)
    else:
        _verify_after_deployment(turn, rollout, offer)


def _deploy(turn: Turn, rollout: Rollout, offer: Offer) -> None:
    """Deployment ends when the runtime shows the version, healthy, and the checks and tasks of this phase pass (§5)."""
    rollout = _request_checks_of(turn, rollout, offer)
    if turn.life.applying.terminal:
        outcomes.fail(turn, rollout, f"the runtime refuses it: {turn.life.applying.error}", Cause(Code.APPLY_FAILED))
        return
    unmet = CHECKS.unmet(turn.context(offer, rollout.attempt))
    if _fails(turn, rollout, offer, unmet):
        return
    if not observation.is_shown(turn, offer):
        observation.judge_progress(turn, rollout)
    elif unmet:
        _refresh_checks(turn, rollout, offer, unmet)
    elif not _awaits_tasks(turn, rollout, offer):
        turn.move(rollout.attempt, Stage.VERIFYING)
        attempt = replace(rollout.attempt, phase=Phase.POST_DEPLOYMENT, entered=turn.now, gates={})
        _verify_after_deployment(turn, turn.set_rollout(rollout, attempt=attempt, idle=0), offer)


def _verify_after_deployment(turn: Turn, rollout: Rollout, offer: Offer) -> None:
    """The version stays healthy, and every check and task after deployment passes: then it is finalized (§4, invariant 19)."""
    entered_now = rollout.attempt.entered == turn.now and not rollout.attempt.gates
    rollout = _request_checks_of(turn, rollout, offer)
    if rollout.attempt.gates and entered_now:
        turn.record("phase-entered", f"{offer.version.name} runs and is verified", attempt=rollout.attempt)
    unmet = CHECKS.unmet(turn.context(offer, rollout.attempt))
    if _fails(turn, rollout, offer, unmet):
        return
    if not observation.is_shown(turn, offer):
        observation.judge_health(turn, rollout)
    elif unmet:
        _refresh_checks(turn, rollout, offer, unmet)
    elif not observation.is_paused(turn) and not _awaits_tasks(turn, rollout, offer):
        _pass(turn, rollout, offer)


def _pass(turn: Turn, rollout: Rollout, offer: Offer) -> None:
    """Finalized; in a set, once every member has passed. Until then it is verified on (§3 Sets)."""
    if _set_has_passed(turn, rollout, offer):
        outcomes.finalize(turn, offer, rollout.attempt, rollout.began)
    elif not rollout.passed:
        turn.set_rollout(rollout, passed=True)
        turn.record("passed", f"{offer.version.name} has passed and waits for its set", attempt=rollout.attempt)


def _set_has_passed(turn: Turn, rollout: Rollout, offer: Offer) -> bool:
    return not SET_PASSES.unmet(turn.context(offer, rollout.attempt))


def _fails(turn: Turn, rollout: Rollout, offer: Offer, unmet: Verdicts) -> bool:
    """Whether a check or task failed for good, so that the rollout did: ``Verdicts.failed`` distinguishes that from waiting."""
    failed = unmet.failed or TASKS.unmet(turn.context(offer, rollout.attempt)).failed
    if failed:
        outcomes.fail(turn, rollout, failed.text, failed.cause)
    return failed is not None


def _request_checks_of(turn: Turn, rollout: Rollout, offer: Offer) -> Rollout:
    attempt = _request_checks(turn, offer, rollout.attempt)
    return rollout if attempt is rollout.attempt else turn.set_rollout(rollout, attempt=attempt)


def _refresh_checks(turn: Turn, rollout: Rollout, offer: Offer, unmet: Verdicts) -> None:
    """Request results that grew too old once more, when nothing else is unmet (§4 Freshness)."""
    for reason in unmet:
        turn.wake(reason.until)
    if unmet.only_stale:
        turn.set_rollout(rollout, attempt=check_runs.request_stale(turn, offer, rollout.attempt, unmet))


def _awaits_tasks(turn: Turn, rollout: Rollout, offer: Offer) -> bool:
    """Start the next task of the phase, if no person suspended changes and nothing else runs; whether any has not succeeded."""
    if not reconcile.hands_off(turn.life) and not turn.life.abandoned_tasks and not observation.is_paused(turn):
        attempt = _run_task(turn, offer, rollout.attempt)
        rollout = rollout if attempt is rollout.attempt else turn.set_rollout(rollout, attempt=attempt)
    return bool(TASKS.unmet(turn.context(offer, rollout.attempt)))


# --- what both halves request --------------------------------------------------------------------------------------------------


def _request_checks(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    return check_runs.request(turn, offer, attempt) if turn.rules.checks or attempt.gates else attempt


def _run_task(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    return tasks.run(turn, offer, attempt) if turn.rules.tasks else attempt


# --- select: desired -> candidate (§3) ---------------------------------------------------------------------------------------


def select(turn: Turn) -> None:
    """Begin, keep or replace the candidate, and take it as far as it goes."""
    if turn.removed:
        outcomes.end_candidate(turn, Stage.CANCELLED, "it left the configuration")
        return
    candidates.veto_rejected(turn)
    again = _step(turn, keep_if_just_checked=True)
    while again or candidates.veto_rejected(turn):  # what was rejected before it became the candidate ends like any other
        again = _step(turn, keep_if_just_checked=False)
    turn.wake(selection.soonest(turn.rules, turn.life, turn.now))
    candidate = turn.life.candidate
    if candidate and turn.rules.approvals:
        turn.wake(approval.expiry(turn.context(turn.kept(candidate.pair), candidate)))


def _step(turn: Turn, *, keep_if_just_checked: bool) -> bool:
    """Select and promote once. Return whether to do so again: the candidate ended or started, so that a newer one may follow; or
    it was kept only because its first check has just ended, and may be replaced now that it came no further.
    """
    want = selection.wanted(turn.rules, turn.life, turn.now)
    only_just_checked = candidates.follow(turn, want, keep_if_just_checked=keep_if_just_checked)
    candidate = turn.life.candidate
    if candidate is None:
        return False
    promote(turn, turn.kept(candidate.pair), candidate)
    return only_just_checked or turn.life.candidate is None


# --- promote: candidate -> rollout (§4) --------------------------------------------------------------------------------------


def promote(turn: Turn, offer: Offer, candidate: Attempt) -> None:
    """Take the candidate through its phases; move target to it when nothing is unmet in the last one (invariant 1 *gated*).

    Gates are standing conditions (orderings, dependencies, approvals, calendars, the cadence) or checks and tasks of a phase.
    A phase is left when its own gates pass. Standing conditions are evaluated again in every later phase: one that does not pass
    any more takes the candidate back to its phase, and from there through all later ones again. Checks of a phase that was left
    are not repeated: a check that must pass when target moves belongs to ``pre-deployment``.

    What is unmet is looked for tier by tier, in the order of ``Tier``: conditions (standing ones, and checks), blockers, set,
    limits, tasks, set. The first tier with anything unmet ends it: what a later one needs is requested only when all before pass.
    """
    came_with = candidate.phase
    for _ in range(4):  # at most back to a phase, on through the two after it, and the start
        if _fails_before_deployment(turn, offer, candidate):
            return
        candidate = _request_checks(turn, offer, candidate)
        unmet = turn.unmet(offer, candidate, Tier.CONDITIONS)
        earlier = unmet.earlier_phase(candidate)
        if earlier:
            # what its tasks or its set had committed it to is open again: orderings and calendars hold it as before (§10.14)
            candidate = replace(_enter(turn, candidate, earlier), committed=False, added=())
        elif unmet or _awaits_its_task(turn.life, offer, candidate):
            break
        elif candidate.phase is Phase.PRE_APPROVAL and _changes_nothing(turn.life, offer):
            outcomes.finalize(turn, offer, candidate, None)  # it runs already: there is nothing to approve or deploy
            return
        elif candidate.phase is Phase.PRE_APPROVAL:
            candidate = _run_task_beside(turn, offer, candidate)
            if TASKS.unmet(turn.context(offer, candidate)):
                break
            candidate = _enter(turn, candidate, Phase.APPROVAL)
        elif candidate.phase is Phase.APPROVAL:
            candidate = _enter(turn, candidate, Phase.PRE_DEPLOYMENT)
        else:
            if turn.unmet(offer, candidate, Tier.BLOCKERS):
                break
            candidate = _request_to_start(turn, offer, candidate)
            waiting = turn.unmet(offer, candidate, first=Tier.SET_PREPARES, last=Tier.SET_STARTS)
            if waiting:
                _wake_to_start(turn, candidate, waiting)
                break
            _start_rollout(turn, offer, candidate)
            return
    candidate = _return_grant(turn, offer, candidate, unmet)
    _keep_waiting(turn, offer, candidate, unmet)
    if candidate.phase is not came_with:
        turn.record("phase-entered", "; ".join(reason.text for reason in unmet) or "waits", attempt=candidate)


def _fails_before_deployment(turn: Turn, offer: Offer, candidate: Attempt) -> bool:
    """Whether a task failed, or a check had no result for ``failAfter`` (§10.4): the candidate ends, and its release is vetoed
    here like one whose rollout failed. That waits for the end of a task that is running.
    """
    context = turn.context(offer, candidate)
    failed = TASKS.unmet(context).failed or CHECKS.unmet(context).failed
    if failed is None or task.under_way(turn.life, candidate):
        return False
    outcomes.remember_failure(turn, candidate.pair, failed.text)
    outcomes.end_candidate(turn, Stage.FAILED, failed.text, failed.cause)
    return True


def _enter(turn: Turn, candidate: Attempt, phase: Phase) -> Attempt:
    return replace(candidate, phase=phase, entered=turn.now, gates={})


def _changes_nothing(life: Life, offer: Offer) -> bool:
    """Whether what it would run is what is finalized here, and nothing else is in progress."""
    good = life.good_offer
    return (
        good is not None
        and good.spec == offer.spec
        and life.target == life.good
        and life.rollout is None
        and life.failure is None
    )


def _awaits_its_task(life: Life, offer: Offer, candidate: Attempt) -> bool:
    """Whether it came to change nothing while a task that it had started runs: it ends after that."""
    return _changes_nothing(life, offer) and bool(task.under_way(life, candidate))


def _run_task_beside(turn: Turn, offer: Offer, candidate: Attempt) -> Attempt:
    """Tasks before approval run beside a rollout; no task runs against a person's order."""
    if not turn.rules.tasks:
        return candidate
    blocked = (*blockers.operator_blocks(turn.rules, turn.life, committed=False), *task.abandoned(turn.life, turn.now))
    return candidate if blocked else tasks.run(turn, offer, candidate)


def _request_to_start(turn: Turn, offer: Offer, candidate: Attempt) -> Attempt:
    """Request what it needs to start, each only when all before it pass: its set prepares, admission grants, its tasks run.

    For the members of a set, the set requests admission for all of them together.
    """
    if turn.unmet(offer, candidate, first=Tier.SET_PREPARES, last=Tier.NOTHING_MOVES):
        return candidate
    if candidate.admission or LIMITS.concerns(turn.context(offer, candidate)):
        candidate = admission.request(turn, offer, candidate)
        if LIMITS.unmet(turn.context(offer, candidate)):
            return candidate
    return _run_task(turn, offer, candidate)


def _wake_to_start(turn: Turn, candidate: Attempt, unmet: Verdicts) -> None:
    """Look again when the first of these may have changed by the clock alone, and when a budget's window ends."""
    for reason in unmet:
        turn.wake(reason.until)
    for need in candidate.admission.needs if candidate.admission else ():
        turn.wake_at_the_end_of(need)


def _return_grant(turn: Turn, offer: Offer, candidate: Attempt, unmet: Verdicts) -> Attempt:
    """Return what admission granted, so that others can use it, if another gate does not pass any more. Keep it while a check
    that passed only runs once more.
    """
    if not candidate.granted:
        return candidate
    fails = any(not check.refreshing(candidate, reason) for reason in unmet)
    if fails or any(blockers.start_blockers(turn.context(offer, replace(candidate, committed=False)))):
        return admission.give_back(turn, candidate)
    return candidate


def _keep_waiting(turn: Turn, offer: Offer, candidate: Attempt, unmet: Verdicts) -> None:
    """Store the candidate as it waits. Wake when the clock may change that; refresh results that grew too old (§4 Freshness)."""
    for reason in unmet:
        turn.wake(reason.until)
    if unmet.only_stale and not turn.unmet(offer, candidate, Tier.BLOCKERS):
        candidate = check_runs.request_stale(turn, offer, candidate, unmet)
    if turn.life.candidate != candidate:
        turn.set(candidate=candidate)


def _start_rollout(turn: Turn, offer: Offer, candidate: Attempt) -> None:
    """Move target, and start to verify. A rollout still in progress is replaced: ``blockers`` let nothing start beside one that
    does well, nor beside a rollback that makes progress (§2, §5).
    """
    life = turn.life
    if life.rollout:
        text = f"{turn.name(life.rollout.attempt.pair)} gives way to {turn.name(offer.pair)}"
        turn.move(life.rollout.attempt, Stage.REPLACED)
        turn.record("attempt-ended", text, attempt=life.rollout.attempt, outcome=Stage.REPLACED)
        tasks.leave(turn, life.rollout.attempt)
    turn.move(candidate, Stage.ROLLING_OUT)
    lease = admission.begin(turn, candidate) if candidate.granted else 0
    attempt = replace(candidate, phase=Phase.DEPLOYMENT, entered=turn.now, gates={}, admission=None)
    forward = candidate.kind is Kind.FORWARD
    turn.set(
        candidate=None,
        rollout=Rollout(attempt, offer.pair, turn.now, life.wall.offset, lease=lease),
        target=offer.pair,
        frontier=max(life.frontier, offer.release) if forward else life.frontier,
        configuration_frontier=max(life.configuration_frontier, offer.configured) if forward else life.configuration_frontier,
        failure=None,
        breaker=None,
    )
    turn.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)
    turn.record("target-moved", f"rollout of {turn.name(offer.pair)} started", attempt=attempt)
    verify(turn)
