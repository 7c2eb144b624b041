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
    absorb,
    admission,
    adoption,
    asking,
    candidates,
    declining,
    endings,
    expiry,
    leaving,
    publishing,
    rollback,
    rollout,
    selection,
    sets,
    steering,
    tasks,
    undecided,
    waves,
)
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import approval, blockers, check, limit, task
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.verdict import Tier, Verdicts
from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life, Rollout, offer_of
from setpoint.core.instance.transitions import Stage
from setpoint.core.instructions import Decision
from setpoint.model.policy import Phase
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def decide(entity: str, state: InstanceState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Return the instance's next state, what to do, and when to look again."""
    before = state or InstanceState()
    draft = Draft(entity, before, now)
    absorb.record(draft, facts)
    if draft.policy is None:
        return Decision(draft.state())
    expiry.advance(draft)
    undecided.count(draft)
    rollback.taint(draft)
    adoption.advance(draft)
    verify(draft)
    select(draft)
    undecided.look_again(draft)
    sets.vote(draft)
    admission.settle(draft)
    waves.tell(draft)
    if draft.removed and draft.life.rollout is None:
        leaving.advance(draft)
    else:
        steering.advance(draft)
    declining.advance(draft)
    publishing.advance(draft, before)
    return Decision(draft.state(), tuple(draft.out), draft.wake_at, tuple(draft.moves))


# --- verify: the rollout in progress (§5) ------------------------------------------------------------------------------------


def verify(draft: Draft) -> None:
    """Finalize the rollout when it has converged and passes, fail it when a check, task or deadline does, else go on waiting."""
    under_way = draft.life.rollout
    if under_way is None:
        return
    offer = draft.kept(under_way.to)
    if under_way.back:
        rollout.going_back(draft, under_way, offer)
    elif under_way.passed and not any(with_set.end(draft.context(offer, under_way.attempt))):
        endings.finalize(draft, offer, under_way.attempt, under_way.began)
    elif not under_way.doubt:
        if under_way.attempt.phase is Phase.DEPLOYMENT:
            _deploy(draft, under_way, offer)
        after = draft.life.rollout
        if after is not None and not after.back and after.attempt.phase is Phase.POST_DEPLOYMENT:
            _verify_after_deployment(draft, after, offer)


def _deploy(draft: Draft, under_way: Rollout, offer: Offer) -> None:
    """Deployment ends when the runtime shows the version, healthy, and the checks and tasks of this phase pass (§5)."""
    under_way = _request_checks(draft, under_way, offer)
    if draft.life.applying.terminal:
        rollback.fail(draft, under_way, f"the runtime refuses it: {draft.life.applying.error}")
        return
    reasons = Verdicts(check.evaluate(draft.context(offer, under_way.attempt)))
    if _fails(draft, under_way, offer, reasons):
        return
    if not rollout.is_shown(draft, offer):
        rollout.judge_progress(draft, under_way)
    elif reasons:
        _freshen(draft, under_way, offer, reasons)
    elif not _tasks_left(draft, under_way, offer):
        draft.move(under_way.attempt, Stage.VERIFYING)
        attempt = replace(under_way.attempt, phase=Phase.POST_DEPLOYMENT, entered=draft.now, gates={})
        draft.set_rollout(under_way, attempt=attempt, idle=0)


def _verify_after_deployment(draft: Draft, under_way: Rollout, offer: Offer) -> None:
    """The version stays healthy, and every check and task after deployment passes: then it is finalized (§4, invariant 19)."""
    entered_now = under_way.attempt.entered == draft.now and not under_way.attempt.gates
    under_way = _request_checks(draft, under_way, offer)
    if under_way.attempt.gates and entered_now:
        draft.record("phase-entered", f"{offer.version.name} runs and is verified", attempt=under_way.attempt)
    reasons = Verdicts(check.evaluate(draft.context(offer, under_way.attempt)))
    if _fails(draft, under_way, offer, reasons):
        return
    if not rollout.is_shown(draft, offer):
        rollout.judge_health(draft, under_way)
    elif reasons:
        _freshen(draft, under_way, offer, reasons)
    elif not rollout.is_paused(draft) and not _tasks_left(draft, under_way, offer):
        _pass(draft, under_way, offer)


def _pass(draft: Draft, under_way: Rollout, offer: Offer) -> None:
    """Finalized; or, in a set, waiting for the others to have passed as well (§3 Sets)."""
    if not any(with_set.end(draft.context(offer, under_way.attempt))):
        endings.finalize(draft, offer, under_way.attempt, under_way.began)
    elif not under_way.passed:
        draft.set_rollout(under_way, passed=True)
        draft.record("passed", f"{offer.version.name} has passed and waits for its set", attempt=under_way.attempt)


def _fails(draft: Draft, under_way: Rollout, offer: Offer, reasons: Verdicts) -> bool:
    failed = reasons.failed or Verdicts(task.evaluate(draft.context(offer, under_way.attempt))).failed
    if failed:
        rollback.fail(draft, under_way, failed.text)
    return failed is not None


def _request_checks(draft: Draft, under_way: Rollout, offer: Offer) -> Rollout:
    attempt = asking.ask_all(draft, offer, under_way.attempt)
    return under_way if attempt is under_way.attempt else draft.set_rollout(under_way, attempt=attempt)


def _tasks_left(draft: Draft, under_way: Rollout, offer: Offer) -> bool:
    """Whether the phase has tasks that have not succeeded; the next one starts, unless a person suspended all changes."""
    if not steering.hands_off(draft.life) and not draft.life.left and not rollout.is_paused(draft):
        attempt = tasks.run(draft, offer, under_way.attempt)
        under_way = under_way if attempt is under_way.attempt else draft.set_rollout(under_way, attempt=attempt)
    return any(task.evaluate(draft.context(offer, under_way.attempt)))


def _freshen(draft: Draft, under_way: Rollout, offer: Offer, reasons: Verdicts) -> None:
    """Results that grew too old are requested once more, when nothing else is missing (§4 Freshness)."""
    for reason in reasons:
        draft.wake(reason.until)
    if reasons.only_stale:
        draft.set_rollout(under_way, attempt=asking.ask_stale(draft, offer, under_way.attempt, reasons))


# --- select: desired -> candidate (§3) ---------------------------------------------------------------------------------------


def select(draft: Draft) -> None:
    """Begin, keep or replace the candidate, and move it on as far as it goes."""
    if draft.removed:
        endings.end_candidate(draft, Stage.CANCELLED, "it left the configuration")
        return
    candidates.veto_rejected(draft)
    again = _step(draft, keep_if_just_checked=True)
    while again or candidates.veto_rejected(draft):  # what was rejected before it became the candidate ends like any other
        again = _step(draft, keep_if_just_checked=False)
    draft.wake(selection.soonest(draft.rules, draft.life, draft.now))
    candidate = draft.life.candidate
    if candidate:
        draft.wake(approval.expiry(draft.context(draft.kept(candidate.pair), candidate)))


def _step(draft: Draft, *, keep_if_just_checked: bool) -> bool:
    """Whether to look once more: a candidate ended – each one is newer than the last – or one whose first check ended just now
    was kept for that, and may be replaced after all if it came no further.
    """
    want = selection.wanted(draft.rules, draft.life, draft.now)
    kept = candidates.follow(draft, want, keep_if_just_checked=keep_if_just_checked)
    candidate = draft.life.candidate
    if candidate is None:
        return False
    promote(draft, draft.kept(candidate.pair), candidate)
    return kept or draft.life.candidate is None


# --- promote: candidate -> rollout (§4) --------------------------------------------------------------------------------------


def promote(draft: Draft, offer: Offer, candidate: Attempt) -> None:
    """Target becomes desired when every gate before deployment passes, all of them in this turn (invariant 3 *gated*).

    A phase is left when its own gates pass. The standing conditions of phases left must go on passing, or the attempt goes back.
    """
    came_with = candidate.phase
    for _ in range(4):
        if _fails_before_deployment(draft, offer, candidate):
            return
        candidate = asking.ask_all(draft, offer, candidate)
        missing = draft.missing(offer, candidate)
        earlier = missing.missing_phase(candidate)
        if earlier:
            candidate = replace(_enter(draft, candidate, earlier), committed=False, added=())
        elif missing or _ends_after_its_task(draft.life, offer, candidate):
            break
        elif candidate.phase is Phase.PRE_APPROVAL and _changes_nothing(draft.life, offer):
            endings.finalize(draft, offer, candidate, None)
            return
        elif candidate.phase is Phase.PRE_APPROVAL:
            candidate = _run_tasks(draft, offer, candidate)
            if any(task.evaluate(draft.context(offer, candidate))):
                break
            candidate = _enter(draft, candidate, Phase.APPROVAL)
        elif candidate.phase is Phase.APPROVAL:
            candidate = _enter(draft, candidate, Phase.PRE_DEPLOYMENT)
        else:
            if draft.missing(offer, candidate, Tier.BLOCKERS):
                break
            candidate = _request_to_start(draft, offer, candidate)
            waiting = draft.missing(offer, candidate, Tier.SET, Tier.TOGETHER)
            if waiting:
                _wake_to_start(draft, candidate, waiting)
                break
            _begin(draft, offer, candidate)
            return
    candidate = _give_back(draft, offer, candidate, missing)
    _wait(draft, offer, candidate, missing)
    if candidate.phase is not came_with:
        draft.record("phase-entered", "; ".join(reason.text for reason in missing) or "waits", attempt=candidate)


def _fails_before_deployment(draft: Draft, offer: Offer, candidate: Attempt) -> bool:
    """A task that fails its attempt ends a candidate, as does ``failAfter`` (§10.4): it is vetoed like one that failed later."""
    context = draft.context(offer, candidate)
    failed = Verdicts((*task.evaluate(context), *check.evaluate(context))).failed
    if failed is None or task.under_way(draft.life, candidate):
        return False
    rollback.remember_failure(draft, candidate.pair, failed.text)
    endings.end_candidate(draft, Stage.FAILED, failed.text)
    return True


def _enter(draft: Draft, candidate: Attempt, phase: Phase) -> Attempt:
    return replace(candidate, phase=phase, entered=draft.now, gates={})


def _changes_nothing(life: Life, offer: Offer) -> bool:
    """What would run is what is finalized here."""
    good = offer_of(life, life.good)
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


def _run_tasks(draft: Draft, offer: Offer, candidate: Attempt) -> Attempt:
    """Those before approval run beside a rollout; nothing runs against a person's order."""
    blocked = (*blockers.operator_blocks(draft.rules, draft.life, committed=False), *task.left(draft.life, draft.now))
    return candidate if blocked else tasks.run(draft, offer, candidate)


def _request_to_start(draft: Draft, offer: Offer, candidate: Attempt) -> Attempt:
    """Request the next of what is missing to start, in this order: the set, admission, tasks.

    Each is requested only when all before it pass; for the members of a set, the set requests admission for all of them together.
    """
    if draft.missing(offer, candidate, Tier.SET, Tier.TASKS_ALONE):
        return candidate
    if not with_set.concerns(draft.life, offer, candidate):
        candidate = admission.ask(draft, offer, candidate)
        if any(limit.evaluate(draft.context(offer, candidate))):
            return candidate
    return tasks.run(draft, offer, candidate)


def _wake_to_start(draft: Draft, candidate: Attempt, missing: Verdicts) -> None:
    """Look again when the first of these may have changed by the clock alone, and when a budget's window ends."""
    for reason in missing:
        draft.wake(reason.until)
    for need in candidate.admission.needs if candidate.admission else ():
        draft.wake_at_the_end_of(need)


def _give_back(draft: Draft, offer: Offer, candidate: Attempt, missing: Verdicts) -> Attempt:
    """A grant is for others where another gate does not pass any more; a check that passed may take the time to run once more."""
    if not limit.granted(candidate):
        return candidate
    fails = any(not check.refreshing(candidate, reason) for reason in missing)
    if fails or any(blockers.start_blockers(draft.context(offer, replace(candidate, committed=False)))):
        return admission.give_back(draft, candidate)
    return candidate


def _wait(draft: Draft, offer: Offer, candidate: Attempt, missing: Verdicts) -> None:
    """Look again by the clock, and request once more what grew too old while everything else passes (§4 Freshness)."""
    for reason in missing:
        draft.wake(reason.until)
    if missing.only_stale and not draft.missing(offer, candidate, Tier.BLOCKERS):
        candidate = asking.ask_stale(draft, offer, candidate, missing)
    if draft.life.candidate != candidate:
        draft.set(candidate=candidate)


def _begin(draft: Draft, offer: Offer, candidate: Attempt) -> None:
    """Target moves; a rollout that did badly gives way (§5)."""
    life = draft.life
    if life.rollout:
        text = f"{draft.name(life.rollout.attempt.pair)} gives way to {draft.name(offer.pair)}"
        draft.move(life.rollout.attempt, Stage.REPLACED)
        draft.record("attempt-ended", text, attempt=life.rollout.attempt, outcome=Stage.REPLACED)
        tasks.leave(draft, life.rollout.attempt)
    draft.move(candidate, Stage.ROLLING_OUT)
    lease = admission.begin(draft, candidate)
    attempt = replace(candidate, phase=Phase.DEPLOYMENT, entered=draft.now, gates={}, admission=None)
    forward = candidate.kind is Kind.FORWARD
    draft.set(
        candidate=None,
        rollout=Rollout(attempt, offer.pair, draft.now, life.wall.offset, lease=lease),
        target=offer.pair,
        frontier=max(life.frontier, offer.release) if forward else life.frontier,
        begun=max(life.begun, offer.configured) if forward else life.begun,
        failure=None,
        breaker=None,
    )
    draft.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)
    draft.record("target-moved", f"{draft.name(offer.pair)} is rolled out", attempt=attempt)
    verify(draft)
