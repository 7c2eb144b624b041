"""The life of an instance, one turn at a time: the whole algorithm, read from top to bottom.

``decide`` records events, then moves what it remembers as far as it goes:

1. ``verify``     the rollout in progress is finalized, fails, or goes on waiting;
2. ``select``     what is desired becomes the candidate, or replaces it;
3. ``promote``    target becomes desired when every gate before deployment passes, all of them now;
4. reconcile      the runtime is brought to target, and kept there;
5. publish        others learn what changed.

Every step looks at what is so now, never at which event brought it (level-triggered). So folded, repeated and reordered
events change nothing that they should not. §4 has the phases and gates, §5 rollouts and rollbacks.
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
    clocks.end_orders(turn)
    clocks.count_undecided(turn)
    outcomes.taint(turn)
    if turn.life.adopting:
        adoption.advance(turn)
    verify(turn)
    select(turn)
    clocks.look_again(turn)
    if turn.life.joined:
        sets.vote(turn)
    if before.life.needs_admission or turn.life.needs_admission:
        admission.settle(turn)
    if turn.life.in_waves or before.life.in_waves:
        waves.tell(turn)
    if turn.removed and turn.life.rollout is None:
        removal.advance(turn)
    else:
        reconcile.advance(turn)
    status.settle_declined(turn)
    status.publish(turn, before)
    return Decision(turn.state(), tuple(turn.out), turn.wake_at, tuple(turn.moves))


# --- verify: the rollout in progress (§5) ------------------------------------------------------------------------------------


def verify(turn: Turn) -> None:
    """Finalize the rollout when it has converged and passes, fail it when a check, task or deadline does, else go on waiting."""
    under_way = turn.life.rollout
    if under_way is None:
        return
    offer = turn.kept(under_way.to)
    if under_way.back:
        observation.going_back(turn, under_way, offer)
    elif under_way.passed and not SET_PASSES.missing(turn.context(offer, under_way.attempt)):
        outcomes.finalize(turn, offer, under_way.attempt, under_way.began)
    elif not under_way.doubt:
        if under_way.attempt.phase is Phase.DEPLOYMENT:
            _deploy(turn, under_way, offer)
        after = turn.life.rollout
        if after is not None and not after.back and after.attempt.phase is Phase.POST_DEPLOYMENT:
            _verify_after_deployment(turn, after, offer)


def _deploy(turn: Turn, under_way: Rollout, offer: Offer) -> None:
    """Deployment ends when the runtime shows the version, healthy, and the checks and tasks of this phase pass (§5)."""
    under_way = _request_checks(turn, under_way, offer)
    if turn.life.applying.terminal:
        outcomes.fail(turn, under_way, f"the runtime refuses it: {turn.life.applying.error}", Cause(Code.APPLY_FAILED))
        return
    reasons = CHECKS.missing(turn.context(offer, under_way.attempt))
    if _fails(turn, under_way, offer, reasons):
        return
    if not observation.is_shown(turn, offer):
        observation.judge_progress(turn, under_way)
    elif reasons:
        _freshen(turn, under_way, offer, reasons)
    elif not _tasks_left(turn, under_way, offer):
        turn.move(under_way.attempt, Stage.VERIFYING)
        attempt = replace(under_way.attempt, phase=Phase.POST_DEPLOYMENT, entered=turn.now, gates={})
        turn.set_rollout(under_way, attempt=attempt, idle=0)


def _verify_after_deployment(turn: Turn, under_way: Rollout, offer: Offer) -> None:
    """The version stays healthy, and every check and task after deployment passes: then it is finalized (§4, invariant 19)."""
    entered_now = under_way.attempt.entered == turn.now and not under_way.attempt.gates
    under_way = _request_checks(turn, under_way, offer)
    if under_way.attempt.gates and entered_now:
        turn.record("phase-entered", f"{offer.version.name} runs and is verified", attempt=under_way.attempt)
    reasons = CHECKS.missing(turn.context(offer, under_way.attempt))
    if _fails(turn, under_way, offer, reasons):
        return
    if not observation.is_shown(turn, offer):
        observation.judge_health(turn, under_way)
    elif reasons:
        _freshen(turn, under_way, offer, reasons)
    elif not observation.is_paused(turn) and not _tasks_left(turn, under_way, offer):
        _pass(turn, under_way, offer)


def _pass(turn: Turn, under_way: Rollout, offer: Offer) -> None:
    """Finalized; or, in a set, waiting for the others to have passed as well (§3 Sets)."""
    if not SET_PASSES.missing(turn.context(offer, under_way.attempt)):
        outcomes.finalize(turn, offer, under_way.attempt, under_way.began)
    elif not under_way.passed:
        turn.set_rollout(under_way, passed=True)
        turn.record("passed", f"{offer.version.name} has passed and waits for its set", attempt=under_way.attempt)


def _fails(turn: Turn, under_way: Rollout, offer: Offer, reasons: Verdicts) -> bool:
    failed = reasons.failed or TASKS.missing(turn.context(offer, under_way.attempt)).failed
    if failed:
        outcomes.fail(turn, under_way, failed.text, failed.cause)
    return failed is not None


def _request_checks(turn: Turn, under_way: Rollout, offer: Offer) -> Rollout:
    attempt = _with_checks(turn, offer, under_way.attempt)
    return under_way if attempt is under_way.attempt else turn.set_rollout(under_way, attempt=attempt)


def _with_checks(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    return check_runs.ask_all(turn, offer, attempt) if turn.rules.checks or attempt.gates else attempt


def _with_tasks(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    return tasks.run(turn, offer, attempt) if turn.rules.tasks else attempt


def _tasks_left(turn: Turn, under_way: Rollout, offer: Offer) -> bool:
    """Whether the phase has tasks that have not succeeded; the next one starts, unless a person suspended all changes."""
    if not reconcile.hands_off(turn.life) and not turn.life.left and not observation.is_paused(turn):
        attempt = _with_tasks(turn, offer, under_way.attempt)
        under_way = under_way if attempt is under_way.attempt else turn.set_rollout(under_way, attempt=attempt)
    return bool(TASKS.missing(turn.context(offer, under_way.attempt)))


def _freshen(turn: Turn, under_way: Rollout, offer: Offer, reasons: Verdicts) -> None:
    """Results that grew too old are requested once more, when nothing else is missing (§4 Freshness)."""
    for reason in reasons:
        turn.wake(reason.until)
    if reasons.only_stale:
        turn.set_rollout(under_way, attempt=check_runs.ask_stale(turn, offer, under_way.attempt, reasons))


# --- select: desired -> candidate (§3) ---------------------------------------------------------------------------------------


def select(turn: Turn) -> None:
    """Begin, keep or replace the candidate, and move it on as far as it goes."""
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
    """Whether to look once more: a candidate ended – each one is newer than the last – or one whose first check ended just now
    was kept for that, and may be replaced after all if it came no further.
    """
    want = selection.wanted(turn.rules, turn.life, turn.now)
    kept = candidates.follow(turn, want, keep_if_just_checked=keep_if_just_checked)
    candidate = turn.life.candidate
    if candidate is None:
        return False
    promote(turn, turn.kept(candidate.pair), candidate)
    return kept or turn.life.candidate is None


# --- promote: candidate -> rollout (§4) --------------------------------------------------------------------------------------


def promote(turn: Turn, offer: Offer, candidate: Attempt) -> None:
    """Target becomes desired when every gate before deployment passes, all of them in this turn (invariant 3 *gated*).

    A phase is left when its own gates pass. The standing conditions of phases left must go on passing, or the attempt goes back.
    """
    came_with = candidate.phase
    for _ in range(4):
        if _fails_before_deployment(turn, offer, candidate):
            return
        candidate = _with_checks(turn, offer, candidate)
        missing = turn.missing(offer, candidate)
        earlier = missing.missing_phase(candidate)
        if earlier:
            candidate = replace(_enter(turn, candidate, earlier), committed=False, added=())
        elif missing or _ends_after_its_task(turn.life, offer, candidate):
            break
        elif candidate.phase is Phase.PRE_APPROVAL and _changes_nothing(turn.life, offer):
            outcomes.finalize(turn, offer, candidate, None)
            return
        elif candidate.phase is Phase.PRE_APPROVAL:
            candidate = _run_tasks(turn, offer, candidate)
            if TASKS.missing(turn.context(offer, candidate)):
                break
            candidate = _enter(turn, candidate, Phase.APPROVAL)
        elif candidate.phase is Phase.APPROVAL:
            candidate = _enter(turn, candidate, Phase.PRE_DEPLOYMENT)
        else:
            if turn.missing(offer, candidate, Tier.BLOCKERS):
                break
            candidate = _request_to_start(turn, offer, candidate)
            waiting = turn.missing(offer, candidate, Tier.SET, Tier.TOGETHER)
            if waiting:
                _wake_to_start(turn, candidate, waiting)
                break
            _begin(turn, offer, candidate)
            return
    candidate = _give_back(turn, offer, candidate, missing)
    _wait(turn, offer, candidate, missing)
    if candidate.phase is not came_with:
        turn.record("phase-entered", "; ".join(reason.text for reason in missing) or "waits", attempt=candidate)


def _fails_before_deployment(turn: Turn, offer: Offer, candidate: Attempt) -> bool:
    """A task that fails its attempt ends a candidate, as does ``failAfter`` (§10.4): it is vetoed like one that failed later."""
    context = turn.context(offer, candidate)
    failed = TASKS.missing(context).failed or CHECKS.missing(context).failed
    if failed is None or task.under_way(turn.life, candidate):
        return False
    outcomes.remember_failure(turn, candidate.pair, failed.text)
    outcomes.end_candidate(turn, Stage.FAILED, failed.text, failed.cause)
    return True


def _enter(turn: Turn, candidate: Attempt, phase: Phase) -> Attempt:
    return replace(candidate, phase=phase, entered=turn.now, gates={})


def _changes_nothing(life: Life, offer: Offer) -> bool:
    """What would run is what is finalized here."""
    good = life.good_offer
    return (
        good is not None
        and good.spec == offer.spec
        and life.target == life.good
        and life.rollout is None
        and life.failure is None
    )


def _ends_after_its_task(life: Life, offer: Offer, candidate: Attempt) -> bool:
    """It has come to change nothing, but a task that it started for that is in progress."""
    return _changes_nothing(life, offer) and bool(task.under_way(life, candidate))


def _run_tasks(turn: Turn, offer: Offer, candidate: Attempt) -> Attempt:
    """Those before approval run beside a rollout; nothing runs against a person's order."""
    if not turn.rules.tasks:
        return candidate
    blocked = (*blockers.operator_blocks(turn.rules, turn.life, committed=False), *task.left(turn.life, turn.now))
    return candidate if blocked else tasks.run(turn, offer, candidate)


def _request_to_start(turn: Turn, offer: Offer, candidate: Attempt) -> Attempt:
    """Request the next of what is missing to start, in this order: the set, admission, tasks.

    Each is requested only when all before it pass; for the members of a set, the set requests admission for all of them together.
    """
    if turn.missing(offer, candidate, Tier.SET, Tier.TASKS_ALONE):
        return candidate
    if candidate.admission or LIMITS.concerns(turn.context(offer, candidate)):
        candidate = admission.ask(turn, offer, candidate)
        if LIMITS.missing(turn.context(offer, candidate)):
            return candidate
    return _with_tasks(turn, offer, candidate)


def _wake_to_start(turn: Turn, candidate: Attempt, missing: Verdicts) -> None:
    """Look again when the first of these may have changed by the clock alone, and when a budget's window ends."""
    for reason in missing:
        turn.wake(reason.until)
    for need in candidate.admission.needs if candidate.admission else ():
        turn.wake_at_the_end_of(need)


def _give_back(turn: Turn, offer: Offer, candidate: Attempt, missing: Verdicts) -> Attempt:
    """A grant is for others where another gate does not pass any more; a check that passed may take the time to run once more."""
    if not candidate.granted:
        return candidate
    fails = any(not check.refreshing(candidate, reason) for reason in missing)
    if fails or any(blockers.start_blockers(turn.context(offer, replace(candidate, committed=False)))):
        return admission.give_back(turn, candidate)
    return candidate


def _wait(turn: Turn, offer: Offer, candidate: Attempt, missing: Verdicts) -> None:
    """Look again by the clock, and request once more what grew too old while everything else passes (§4 Freshness)."""
    for reason in missing:
        turn.wake(reason.until)
    if missing.only_stale and not turn.missing(offer, candidate, Tier.BLOCKERS):
        candidate = check_runs.ask_stale(turn, offer, candidate, missing)
    if turn.life.candidate != candidate:
        turn.set(candidate=candidate)


def _begin(turn: Turn, offer: Offer, candidate: Attempt) -> None:
    """Target moves; a rollout that did badly gives way (§5)."""
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
        begun=max(life.begun, offer.configured) if forward else life.begun,
        failure=None,
        breaker=None,
    )
    turn.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)
    turn.record("target-moved", f"{turn.name(offer.pair)} is rolled out", attempt=attempt)
    verify(turn)
