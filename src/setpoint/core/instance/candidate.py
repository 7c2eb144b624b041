"""An attempt that gathers its gates; when all of them hold at one moment, its version becomes target."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core import orders, scope
from setpoint.core.facts import ScopeStatus
from setpoint.core.instance import admission, asking, endings, gates, rollback, rollout, selection, starting, tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.facts_of import only_configures
from setpoint.core.instance.selection import Want
from setpoint.core.instance.state import Attempt, Hold, Kind, Life, Rollout, offer_of
from setpoint.model.policy import Phase, Policy, Strategy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant

_ORDER: dict[str, int] = {phase: number for number, phase in enumerate(Phase)}


def advance(draft: Draft) -> None:
    """Choose, replace and move the candidate on as far as it goes."""
    if draft.removed:
        endings.end_candidate(draft, "cancelled", "it left the configuration")
        return
    _veto_rejected(draft)
    again = _step(draft, goes_on=True)
    while again or _veto_rejected(draft):  # what was rejected before it became the candidate ends like any other
        again = _step(draft, goes_on=False)
    draft.wake(selection.soonest(draft.rules, draft.life, draft.now))
    candidate = draft.life.candidate
    if candidate:
        draft.wake(gates.expiry(draft.rules, draft.life, draft.kept(candidate.pair), candidate.change, draft.now))


def _step(draft: Draft, *, goes_on: bool) -> bool:
    """Whether to look once more: a candidate came to its end – each that does is newer than the last – or one whose first check
    ended just now was not replaced for that (``goes_on``), which it may be if it came no further.
    """
    spared = _follow(draft, selection.wanted(draft.rules, draft.life, draft.now), goes_on=goes_on)
    candidate = draft.life.candidate
    if candidate is None:
        return False
    _advance(draft, draft.kept(candidate.pair), candidate)
    return spared or draft.life.candidate is None


def _veto_rejected(draft: Draft) -> bool:
    """Veto what a person rejected; whether the candidate ended by it."""
    life, ended = draft.life, False
    if not any(not vote.yes for status in life.topics.values() for vote in status.votes):
        return False
    for offer in life.offers:
        concerned = life.candidate is not None and life.candidate.pair == offer.pair
        begun = offer.release <= life.frontier and offer.configured <= life.begun
        if not concerned and (begun or not selection.allowed(draft.rules, draft.life, offer, alone=True)):
            continue
        change = life.candidate.change if life.candidate else 0
        rejected = next(gates.rejections(draft.rules, life, offer, change, draft.now), None)
        if rejected and not selection.vetoed(draft.life, offer) and not _at_work(draft.life, offer.pair):
            half, refused = rejected
            endings.veto_release(draft, offer, half, refused.text)
            if draft.life.candidate and draft.life.candidate.pair == offer.pair:
                endings.end_candidate(draft, "rejected", refused.text)
                ended = True
    return ended


def _at_work(life: Life, pair: Pair) -> bool:
    """Whether the candidate is this pair, and a task of its own is under way: nothing ends it before that has ended."""
    candidate = life.candidate
    return candidate is not None and candidate.pair == pair and bool(gates.task.under_way(life, candidate))


def _follow(draft: Draft, want: Want | None, *, goes_on: bool) -> bool:
    """Begin what is wanted in place of the candidate, if that may be; whether only ``goes_on`` spared it."""
    candidate = draft.life.candidate
    if candidate and _under_way(draft, candidate, want):
        return False
    if (
        candidate
        and want
        and candidate.pair == want.offer.pair
        and candidate.kind is want.kind
        and candidate.change == want.change
    ):
        return False
    if candidate and want and want.kind is candidate.kind is Kind.FORWARD and _may_stay(draft, candidate, want.offer):
        if _stays(draft, candidate):
            return False
        if goes_on and _ended_now(draft, candidate):
            return True
    if candidate:
        offer = draft.offer(candidate.pair)
        ruled_out = selection.taken_out(draft.life, offer) if offer else ""
        why = ruled_out or (f"by {draft.name(want.offer.pair)}" if want else "nothing newer may start")
        endings.end_candidate(draft, "cancelled" if ruled_out else "replaced", why)
    if want:
        _start(draft, want)
    return False


def _under_way(draft: Draft, candidate: Attempt, want: Want | None) -> bool:
    """Since a task was started, or its set goes, only an urgent release replaces it, or a person; and not while a task runs."""
    life, offer = draft.life, draft.kept(candidate.pair)
    if gates.task.under_way(life, candidate):
        return True
    if not candidate.committed or selection.vetoed(life, offer) or selection.taken_out(life, offer):
        return False
    if any(gates.member.start(draft.rules, life, offer, candidate, draft.now)):
        return False  # its set gathers anew: alone it would never start, so it follows when the others want something newer
    if want is None or want.offer.pair == candidate.pair:
        return life.pin in {0, candidate.release}
    urgent = want.offer.urgent and not only_configures(life, want.offer)  # §10.1: urgent stays with the version
    overtaken = urgent and want.offer.release > candidate.release
    return not overtaken and life.pin in {0, candidate.release}


def _may_stay(draft: Draft, candidate: Attempt, newer: Offer) -> bool:
    """An urgent release does not wait for a check of another, and nobody waits for one that is taken here no more."""
    rules, life, offer = draft.rules, draft.life, draft.kept(candidate.pair)
    left_behind = rules.strategy is Strategy.EVERY and selection.left_behind(rules, life, offer)
    urgent = newer.urgent and not only_configures(life, newer)
    return not urgent and not left_behind and selection.allowed(rules, life, offer)


def _stays(draft: Draft, candidate: Attempt) -> bool:
    """Its first check runs and no gate says no, or it has asked admission, which has not made it wait: replaced each time, a
    slow gate and frequent releases would never meet.
    """
    reasons = _reasons(draft, candidate)
    pending = _first_runs(candidate)
    if reasons:
        return bool(pending) and all(reason.gate in pending for reason in reasons)
    return _was_checked(draft.rules) and _at_the_door(candidate) and not _kept_waiting(draft, candidate)


def _ended_now(draft: Draft, candidate: Attempt) -> bool:
    """Its first checks ran until this turn, and nothing holds it any more."""
    before = draft.before.life.candidate
    ended = before is not None and before.number == candidate.number and bool(_first_runs(before))
    return ended and not _reasons(draft, candidate) and not _kept_waiting(draft, candidate)


def _reasons(draft: Draft, candidate: Attempt) -> list[Reason]:
    return list(phase_reasons(draft.rules, draft.life, draft.kept(candidate.pair), candidate, draft.now))


def _kept_waiting(draft: Draft, candidate: Attempt) -> bool:
    return any(standing(draft.rules, draft.life, draft.kept(candidate.pair), draft.now))


def _was_checked(policy: Policy) -> bool:
    """Whether an attempt that has come to admission's door has checks behind it, which the next one would have to wait for."""
    return any(_ORDER[use.phase] < _ORDER[Phase.DEPLOYMENT] for use in policy.checks)


def _at_the_door(candidate: Attempt) -> bool:
    """It asked admission, which has not made it wait: it is granted, or has not been answered yet."""
    asked = candidate.admission
    return asked is not None and not (asked.returned or asked.number)


def _first_runs(candidate: Attempt) -> set[str]:
    """Its checks of which no result has counted yet."""
    return {name for name, gate in candidate.gates.items() if not gate.counts and not gate.first}


def _start(draft: Draft, want: Want) -> None:
    draft.set(attempts=draft.life.attempts + 1)
    attempt = Attempt(
        draft.life.attempts,
        want.offer.release,
        want.kind,
        Phase.PRE_APPROVAL,
        draft.now,
        draft.now,
        change=want.change,
        configured=want.offer.configured,
    )
    draft.set(candidate=attempt)
    draft.record("attempt-started", f"{_described(draft, want.offer)} is wanted", attempt=attempt)


def _described(draft: Draft, offer: Offer) -> str:
    configuration = offer.configuration
    if configuration is None or not only_configures(draft.life, offer):
        return draft.name(offer.pair)
    return f"the configuration of release {configuration.release} (stays {offer.version.name})"


def _advance(draft: Draft, offer: Offer, candidate: Attempt) -> None:
    came_with = candidate.phase
    for _ in range(4):
        if _gate_failed(draft, offer, candidate):
            return
        candidate = asking.ask_all(draft, offer, candidate)
        reasons = list(phase_reasons(draft.rules, draft.life, offer, candidate, draft.now))
        missing = _missing_phase(reasons, candidate)
        if missing:
            candidate = replace(_enter(draft, candidate, missing), committed=False, added=())
        elif reasons or _ends_after_its_task(draft.life, offer, candidate):
            break
        elif candidate.phase is Phase.PRE_APPROVAL and _changes_nothing(draft.life, offer):
            draft.set(candidate=None)
            endings.finalize(draft, offer, candidate, None)
            return
        elif candidate.phase is Phase.PRE_DEPLOYMENT:
            if any(standing(draft.rules, draft.life, offer, draft.now, committed=candidate.committed)):
                break
            candidate = starting.advance(draft, offer, candidate)
            missing_start = list(starting.reasons(draft.rules, draft.life, offer, candidate, draft.now))
            if missing_start:
                starting.wake(draft, candidate, missing_start)
                break
            _begin(draft, offer, candidate)
            return
        elif candidate.phase is Phase.PRE_APPROVAL:
            candidate = _run_tasks(draft, offer, candidate)
            if any(gates.tasks(draft.rules, draft.life, offer, candidate, draft.now)):
                break
            candidate = _enter(draft, candidate, Phase.APPROVAL)
        else:
            candidate = _enter(draft, candidate, Phase.PRE_DEPLOYMENT)
    candidate = _give_back(draft, offer, candidate, reasons)
    _wait(draft, offer, candidate, reasons)
    if candidate.phase is not came_with:
        draft.record("phase-entered", "; ".join(reason.text for reason in reasons) or "waits", attempt=candidate)


def _run_tasks(draft: Draft, offer: Offer, candidate: Attempt) -> Attempt:
    """Those before approval run beside a rollout; nothing runs against a person's word."""
    off = (*kept_off(draft.rules, draft.life, committed=False), *gates.task.left(draft.life, draft.now))
    return candidate if off else tasks.run(draft, offer, candidate)


def _gate_failed(draft: Draft, offer: Offer, candidate: Attempt) -> bool:
    """A task that fails its attempt ends a candidate, too, as does ``failAfter`` (§10.4): it is vetoed like one failed later."""
    about = (draft.rules, draft.life, offer, candidate, draft.now)
    found = (*gates.tasks(*about), *gates.checks(*about))
    failed = next((reason for reason in found if reason.failed), None)
    if failed is None or gates.task.under_way(draft.life, candidate):
        return False
    rollback.remember_failure(draft, candidate.pair, failed.text)
    endings.end_candidate(draft, "failed", failed.text)
    return True


def _wait(draft: Draft, offer: Offer, candidate: Attempt, reasons: list[Reason]) -> None:
    for reason in reasons:
        draft.wake(reason.until)
    if (
        reasons
        and all(reason.code is Code.CHECK_STALE for reason in reasons)
        and not any(standing(draft.rules, draft.life, offer, draft.now, committed=candidate.committed))
    ):
        candidate = asking.ask_stale(draft, offer, candidate, reasons)
    if draft.life.candidate != candidate:
        draft.set(candidate=candidate)


def _give_back(draft: Draft, offer: Offer, candidate: Attempt, reasons: list[Reason]) -> Attempt:
    """A grant is for others where another gate holds no more; a check that said yes may take the time to do so afresh."""
    if not gates.granted(candidate):
        return candidate
    says_no = any(not gates.refreshing(candidate, reason) for reason in reasons)
    if says_no or any(standing(draft.rules, draft.life, offer, draft.now)):
        return admission.give_back(draft, candidate)
    return candidate


def _enter(draft: Draft, candidate: Attempt, phase: Phase) -> Attempt:
    return replace(candidate, phase=phase, entered=draft.now, gates={})


def _missing_phase(reasons: list[Reason], candidate: Attempt) -> Phase | None:
    """The earlier phase that a standing condition takes the attempt back to."""
    if not reasons:
        return None
    here = _ORDER[candidate.phase]
    missing = [Phase(reason.phase) for reason in reasons if _ORDER[reason.phase] < here]
    return min(missing, key=_ORDER.__getitem__, default=None)


def phase_reasons(policy: Policy, life: Life, offer: Offer, candidate: Attempt, now: Instant) -> Iterator[Reason]:
    """Everything that holds the candidate in its phase, and standing conditions of phases left that hold no more."""
    yield from gates.earlier(policy, life, offer, now, committed=candidate.committed, added=candidate.added)
    if candidate.phase is not Phase.PRE_APPROVAL:
        went = gates.member.went(policy, life, offer, candidate)
        yield from gates.approvals(policy, life, offer, candidate.change, now, went=went)
    if candidate.phase is Phase.PRE_DEPLOYMENT:
        yield from (gates.pauses if candidate.committed else gates.times)(policy, life, offer, now)
    yield from gates.checks(policy, life, offer, candidate, now)


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
    """It has come to change nothing, but a task that it started for that is under way."""
    return _changes_nothing(life, offer) and bool(gates.task.under_way(life, candidate))


def standing(policy: Policy, life: Life, offer: Offer, now: Instant, *, committed: bool = False) -> Iterator[Reason]:
    """What keeps a candidate whose gates hold from starting: a hold, an observing instance, a rollout that does well."""
    yield from kept_off(policy, life, committed=committed)
    under_way = life.rollout
    if under_way and _goes_first(policy, life, under_way, offer, now):
        yield _busy(life, under_way)
    else:
        yield from gates.task.left(life, now)


def kept_off(policy: Policy, life: Life, *, committed: bool) -> Iterator[Reason]:
    """What people said; a line that is stopped lets finish what is ``committed``."""
    if life.hold:
        yield Reason(
            Code.HELD,
            f"held by {life.hold.by.person}{orders.ending(life.hold.until)}{orders.because(life.hold.by)}",
            since=life.hold.at,
            until=life.wall.until(life.hold.until or None),
            awaits="resume",
            unblock="resume",
        )
    yield from (reason for reason in stops(life) if reason.code is Code.PAUSED or not committed)
    if life.observing:
        yield observed(life, life.observing)
    if policy.drift.mode == "observe":
        yield Reason(
            Code.OBSERVED_ONLY,
            "this instance is only observed",
            awaits="a change of its drift mode",
            unblock="set drift.mode to heal or report",
        )


def observed(life: Life, order: Hold) -> Reason:
    """A person wants it only looked at."""
    text = f"only observed, says {order.by.person}{orders.ending(order.until)}{orders.because(order.by)}"
    until = life.wall.until(order.until or None)
    return Reason(Code.OBSERVED_ONLY, text, since=order.at, until=until, awaits="heal", unblock="heal")


def _goes_first(policy: Policy, life: Life, under_way: Rollout, offer: Offer, now: Instant) -> bool:
    """A rollback goes first until it fails; a rollout, until it does badly or the candidate is urgent – and not older than what
    a pin has brought under way.
    """
    if under_way.back:
        return not under_way.stuck
    forward = life.candidate is not None and life.candidate.kind is Kind.FORWARD
    urgent = offer.urgent and not only_configures(life, offer) and not (forward and offer.release < under_way.attempt.release)
    return not urgent and (under_way.passed or not rollout.failing(policy, life, under_way, now))


def stops(life: Life, *, under_way: bool = False) -> Iterator[Reason]:
    """Scopes above whose line is stopped, or that are paused."""
    for status in life.scopes.values():
        name = scope.name_of(status.scope)
        if status.stop and not (under_way and status.stop.in_flight == "finish"):
            told = f"{orders.ending(status.stop.until)}{orders.because(status.stop.by)}"
            text = f"{status.stop.by.person} stopped the line of {name}{told}"
            yield Reason(
                Code.FROZEN, text, subject=status.scope, since=status.stop.at, awaits="start-the-line", unblock="start the line"
            )
        if status.pause:
            yield paused(status)


def paused(status: ScopeStatus) -> Reason:
    """No apply at all below this scope."""
    assert status.pause is not None  # noqa: S101 - asked by the caller
    told = f"{orders.ending(status.pause.until)}{orders.because(status.pause.by)}"
    text = f"{status.pause.by.person} paused {scope.name_of(status.scope)}{told}"
    return Reason(Code.PAUSED, text, subject=status.scope, since=status.pause.at, awaits="unpause", unblock="unpause")


def _busy(life: Life, under_way: Rollout) -> Reason:
    offer = offer_of(life, under_way.attempt.pair)
    other = offer.version.name if offer else "another version"
    does = "is being rolled back" if under_way.back else "is being rolled out"
    return Reason(
        Code.ROLLOUT_IN_PROGRESS,
        f"waits until {other}, which {does}, is through",
        since=under_way.began,
        awaits=f"the end of the rollout of {other}",
    )


def _begin(draft: Draft, offer: Offer, candidate: Attempt) -> None:
    life = draft.life
    if life.rollout:
        text = f"{draft.name(life.rollout.attempt.pair)} gives way to {draft.name(offer.pair)}"
        draft.record("attempt-ended", text, attempt=life.rollout.attempt, outcome="replaced")
        tasks.leave(draft, life.rollout.attempt)
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
    rollout.advance(draft)
