"""What must always hold, one function per invariant: each yields what is wrong with a turn. Names are those of the design.

They compare a turn with the world's own records (runs of checks, applies, looks) and with the checker's ledger; no decision of
the core is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from setpoint.core.calendars import occurrence, opening
from setpoint.core.instance import gates
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import Attempt, Kind, Rollout, offer_of
from setpoint.core.instance.steering import QUIET
from setpoint.core.instructions import Apply
from setpoint.model.checks import Outcome
from setpoint.model.people import Person
from setpoint.model.policy import ApprovalUse, Cadence, CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.release import Offer
from setpoint.model.time import SECOND, Instant
from setpoint.simulate.checks import Run
from setpoint.simulate.step import Step

Complaint = str

LATE = 60 * SECOND
"""Facts may be delivered that late by the world's own delays."""


def gated(step: Step) -> Iterator[Complaint]:
    """Every gate before deployment passed or was skipped, all at one moment."""
    if step.forward is None:
        return
    step.saw("gated")
    attempt, offer, policy = step.forward
    candidate = step.before.life.candidate
    same = candidate is not None and candidate.number == attempt.number and candidate.phase is Phase.PRE_DEPLOYMENT
    for use in _uses(step, policy, offer, Phase.PRE_DEPLOYMENT):
        if not same or candidate is None:
            yield f"{use.name} was not even asked: the attempt came straight to its start"
        else:
            yield from _passed(step, use, candidate, candidate.entered)
    for calendar in policy.calendars:
        concerns = applies(calendar.when, policy, step.before.life, offer) and not step.skipped(offer.release, calendar.name)
        if concerns and not opening(calendar.calendar, calendar.timezone, step.now).open:
            yield f"the calendar {calendar.name} is closed"
    if policy.cadence and not step.skipped(offer.release, "cadence"):
        yield from _cadence(step, policy.cadence)


def _uses(step: Step, policy: Policy, offer: Offer, phase: Phase) -> Iterator[CheckUse]:
    for use in policy.checks:
        concerns = use.phase is phase and not use.informational and applies(use.when, policy, step.before.life, offer)
        if concerns and not step.skipped(offer.release, use.name):
            yield use


def _passed(step: Step, use: CheckUse, attempt: Attempt, since: Instant) -> Iterator[Complaint]:
    """A fresh pass that started after ``since``, preceded by passes for the whole window."""
    gate = attempt.gates.get(use.name)
    if gate is None:
        yield f"{use.name} was never asked"
        return
    runs = [run for run in step.world.checks.runs[gate.attachment] if run.started >= since]
    fresh = [run for run in runs if run.outcome is Outcome.PASSING and step.now - run.ended <= use.check.max_age + _slack(step)]
    if not fresh:
        yield f"{use.name} had no fresh pass since its gate began: {runs[-3:]}"
    elif use.window and not any(_covered(step, use, runs, run) for run in fresh):
        yield f"{use.name} did not pass for its whole window: {runs[-6:]}"


def _covered(step: Step, use: CheckUse, runs: list[Run], last: Run) -> bool:
    """Whether unbroken fresh results lead up to a run for as long as the window asks."""
    first = last
    for run in reversed(runs[: runs.index(last)]):
        says_yes = run.outcome is Outcome.PASSING or (run.outcome is Outcome.BLOCKING and use.tolerate > 0)
        if not says_yes or first.ended - run.ended > use.check.max_age + _slack(step):
            break
        first = run
    return last.ended - first.ended >= use.window - _slack(step)


def _slack(step: Step) -> int:
    return LATE if step.world.ever_late else 0


def _cadence(step: Step, cadence: Cadence) -> Iterator[Complaint]:
    slot = occurrence(cadence.calendar, cadence.timezone, step.now)
    if slot is None:
        yield "outside the cadence's window"
        return
    used = sum(slot[0] <= began < slot[1] for began in step.ledger.slots)
    if used >= cadence.max:
        yield f"the cadence's window has admitted {used} already"


def ordered(step: Step) -> Iterator[Complaint]:
    """The earlier channels had finalized the version, for the soak, as far as this one was told, unless that was skipped."""
    if step.forward is None:
        return
    _, offer, policy = step.forward
    for ordering in policy.orderings:
        if applies(ordering.when, policy, step.before.life, offer) and not step.skipped(offer.release, ordering.name):
            step.saw("ordered")
            yield from _ordered(step, ordering, offer)


def _ordered(step: Step, ordering: Ordering, offer: Offer) -> Iterator[Complaint]:
    told = [step.ledger.told.get(name, {}).get(offer.version) for name in ordering.instances]
    need = ordering.need or len(ordering.instances)
    if sum(at is not None for at in told) < need:
        yield f"{ordering.name}: was told of {told}, and needs {need} that finalized {offer.version.name}"
    elif sum(at is not None and at + ordering.soak <= step.now + _slack(step) for at in told) < need:
        yield f"{ordering.name}: {offer.version.name} has not soaked"


def vetoed(step: Step) -> Iterator[Complaint]:
    """A vetoed version never becomes target by selection."""
    if step.forward is None:
        return
    attempt, offer, _ = step.forward
    if step.ledger.vetoed or step.ledger.bad:
        step.saw("vetoed")
    if offer.version.name in step.ledger.bad:
        yield f"{offer.version.name} is marked bad"
    if offer.release in step.ledger.cancelled:
        yield f"release {offer.release} is cancelled"
    for release, version in step.ledger.vetoed.items():
        if release == attempt.release or version == offer.version:
            yield f"release {attempt.release} ({version.name}) is vetoed"


def pinned(step: Step) -> Iterator[Complaint]:
    """A pinned instance's target moves only to its pin or to good."""
    life, before = step.after.life, step.before.life
    if not life.pin or before.target == life.target:
        return
    step.saw("pinned")
    if life.target not in {life.pin, before.good, life.good}:
        yield f"pinned to {life.pin}, but target moved to {life.target}"


def safe_back(step: Step) -> Iterator[Complaint]:
    """After a failed rollout target is the last good version, or does not move."""
    kept = {offer.release: offer.version.name for offer in (*step.before.life.offers, *step.after.life.offers)}
    good = next((good for good in reversed(step.ledger.goods) if kept.get(good) not in step.ledger.bad), 0)
    rollout, old = step.went_back(), step.before.life.rollout
    new = step.after.life.rollout
    same = old is not None and new is not None and old.back and new.back and old.attempt.number == new.attempt.number
    bad_meanwhile = old is not None and kept.get(old.to) in step.ledger.bad
    if old and new and same and old.to != new.to and not step.by_hand() and not bad_meanwhile:
        yield f"went back to {old.to}, and turned round to {new.to}"
    if rollout:
        step.saw("safe-back")
        if step.after.life.target != good:
            yield f"went back to {step.after.life.target}, good is {good}"
    if step.after.life.failure and not step.before.life.failure:
        step.saw("safe-back")
        if old and step.after.life.target != old.to:
            yield f"failed, but target moved from {old.to} to {step.after.life.target}"
        if good and old and good != old.attempt.release and step.after.policy and step.after.policy.auto_rollback:
            yield f"failed and stayed, although {good} is good"


def hands_off(step: Step) -> Iterator[Complaint]:
    """A held or observed entity gets no forward start; nothing is applied without a target, after a failure, or once tripped."""
    life, policy = step.after.life, step.after.policy
    if step.ledger.held:
        step.saw("hands-off")
        if step.forward:
            yield "held, but a rollout began"
    if step.ledger.stopped or step.ledger.paused:
        step.saw("hands-off")
        if step.forward:
            yield "stopped or paused, but a rollout began"
    current, tripped = life.current, policy is not None and step.ledger.heals[1] >= policy.drift.breaker
    if tripped and current and not current.unreachable and current.difference != step.ledger.heals[0]:
        step.ledger.heals = ("", 0, 0)
    applied = next((given for given in step.turn.decision.instructions if isinstance(given, Apply)), None)
    if applied is None:
        return
    target = offer_of(life, life.target)
    if target is None or life.failure:
        yield "applied without a target, or after a failure that is nobody's to repeat"
    elif applied.spec != target.spec:
        yield "applied something else than target"
    if step.ledger.paused:
        yield "paused or only observed, but applied"
    if policy and policy.drift.mode == "observe":
        yield "observed only, but applied"
    if policy and life.rollout is None and not step.before.life.applying.errors:
        yield from _healed(step, policy.drift.breaker)


def _healed(step: Step, breaker: int) -> Iterator[Complaint]:
    seen = step.after.life.current
    difference, count, last = step.ledger.heals
    found = seen.difference if seen else ""
    again = bool(found) and found == difference and (step.now - last < QUIET or count >= breaker)
    step.ledger.heals = (found, count + 1 if again else 1, step.now)
    if again and count >= breaker:
        yield f"the same difference was put right {count} times and is once more"


def approved(step: Step) -> Iterator[Complaint]:
    """Approvals counted were given by distinct, allowed people for that very release, and had not expired; no rejection stood."""
    if step.forward is None:
        return
    attempt, offer, policy = step.forward
    for use in policy.approvals:
        if applies(use.when, policy, step.before.life, offer) and not step.skipped(offer.release, use.name):
            step.saw("approved")
            yield from _approved(step, use, offer, attempt.change)


def _approved(step: Step, use: ApprovalUse, offer: Offer, change: int) -> Iterator[Complaint]:
    topic = f"topic:{use.subject}#{use.topic}#{offer.release}" + (f"~{change}" if change else "")
    counted = step.ledger.votes.get(topic, ())[step.ledger.used.get(topic, 0) :]
    votes = {vote.person.name: vote for vote in counted if _may_vote(use, vote.person)}
    people = {
        name
        for name, vote in votes.items()
        if vote.yes and (use.allow_author or name != offer.author) and (not use.expires or step.now < vote.at + use.expires)
    }
    if len(people) < use.min:
        yield f"{use.topic}: only {sorted(people)} of {use.min} approved release {offer.release}"
    if any(not vote.yes for vote in votes.values()):
        yield f"{use.topic}: somebody rejected release {offer.release}"


def _may_vote(use: ApprovalUse, person: Person) -> bool:
    return use.approvers is None or any(person.matches(principal) for principal in use.approvers)


def unhindered(step: Step) -> Iterator[Complaint]:
    """A rollback never waits for a gate: it begins in the turn of the failure, and applies as soon as it can."""
    life = step.after.life
    rollout, applying = life.rollout, life.applying
    if rollout is None:
        return
    if rollout.back:
        step.saw("unhindered")
        if not applying.operation and not applying.spec and applying.retry_at <= step.now and not step.ledger.paused:
            yield "a rollback waits although nothing is in flight"
    elif step.after.policy and (offer := offer_of(life, rollout.to)):
        reasons = gates.checks(step.after.policy, life, offer, rollout.attempt, step.now)
        if failed := next((reason for reason in reasons if reason.failed), None):
            yield f"did not go back although {failed.text}"


def remembered(step: Step) -> Iterator[Complaint]:
    """Bytes and back give the same state, so a crash loses nothing decided."""
    if step.turn.number % 23:
        return
    step.saw("remembered")
    codec = step.net.codec
    fixed, changing = codec.encode_state(step.turn.entity, step.after, None)
    if codec.decode_state(step.turn.entity, fixed or b"", changing) != step.after:
        yield "the state does not survive being written and read"


def explained(step: Step) -> Iterator[Complaint]:
    """Not converged: at least one reason, each with a time or an event; the engine wakes by the earliest time."""
    word = condition(step.after, step.now)
    if word is Condition.CONVERGED:
        return
    step.saw("explained")
    reasons = explain(step.after, step.now)
    if not reasons:
        yield f"{word}, and no reason"
    for reason in reasons:
        if reason.until is None and not reason.awaits:
            yield f'"{reason.text}" names neither a time nor an event'
    life, wake = step.after.life, step.turn.decision.wake_at
    if life.candidate and not life.rollout and not life.hold:
        times = [reason.until for reason in reasons if reason.until is not None and reason.phase == life.candidate.phase]
        if times and (wake is None or wake > max(min(times), step.now + 1)):
            yield f"looks again at {min(times)}, but wakes at {wake}"


def once(step: Step) -> Iterator[Complaint]:
    """Between two human acts a release's rollout begins at most once (mirrors: once per change)."""
    if step.forward is None or step.forward[2].strategy is Strategy.MIRROR:
        return
    step.saw("once")
    release = step.forward[0].release
    if step.ledger.begun[release]:
        yield f"the rollout of release {release} began a second time"


def forward(step: Step) -> Iterator[Complaint]:
    """Without a human's act no older release follows a newer one (mirrors excepted)."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD:
        return
    step.saw("forward")
    release = step.forward[0].release
    if release < step.ledger.highest:
        yield f"release {release} follows {step.ledger.highest}"
    if release < step.before.life.frontier:
        yield f"release {release} is older than the frontier {step.before.life.frontier}"


def seen(step: Step) -> Iterator[Complaint]:
    """Nothing is finalized, failed, rolled back or applied again on an observation or check older than the act it judges."""
    yield from _applied_again(step)
    old = step.before.life.rollout
    if old is None or old.back:
        return
    finalized = [event for event in step.events("finalized") if event.release == old.attempt.release]
    offer = offer_of(step.before.life, old.attempt.release)
    if finalized and offer and step.after.policy:
        step.saw("seen")
        yield from _finalized(step, step.after.policy, offer, old)
    for event in step.events("rolling-back", "failed"):
        step.saw("seen")
        yield from _deadline(step, event.text)
        if offer and "the runtime refuses it" in event.text and not step.world.runtimes.behaviour(offer.spec).terminal:
            yield f"{offer.version.name} is judged by the refusal of another: {event.text}"
    gives_way = step.forward and not step.forward[1].urgent
    if offer and gives_way and not step.events("rolling-back", "failed", "finalized", "rolled-back"):
        step.saw("seen")
        if step.world.runtimes.place(step.instance).tried.get(offer.spec, 0) < old.began:
            yield f"{offer.version.name} gave way before it was applied at all"


def _applied_again(step: Step) -> Iterator[Complaint]:
    """An apply that was taken on is made again only after a look that began after it."""
    place, taken = step.world.runtimes.place(step.instance), step.before.life.applying.taken
    again = any(isinstance(given, Apply) for given in step.turn.decision.instructions) and not step.moved
    if again and taken and place.applies and step.world.looked.get(step.turn.entity, 0) < place.applies[-1][0]:
        yield "applied again although nobody has looked since the last apply"


def _finalized(step: Step, policy: Policy, offer: Offer, rollout: Rollout) -> Iterator[Complaint]:
    place = step.world.runtimes.place(step.instance)
    if not place.applies or place.applies[-1][2] != offer.spec:
        yield f"finalized {offer.version.name}, which was never applied last: {place.applies[-2:]}"
        return
    taken = place.applies[-1][0]
    looked, spec = step.world.shown.get(step.turn.entity, (0, ""))
    if looked < taken or spec != offer.spec:
        yield f"finalized {offer.version.name} applied at {taken}, but the last look that showed a whole version was at {looked}"
    first = min(when for when, _, spec in place.applies if spec == offer.spec and when >= rollout.began)
    for use in _uses(step, policy, offer, Phase.POST_DEPLOYMENT):
        yield from _passed(step, use, rollout.attempt, first)


def _deadline(step: Step, text: str) -> Iterator[Complaint]:
    """Deadlines count observed time."""
    policy = step.after.policy
    if policy and "no progress for" in text and step.ledger.observed < policy.progress_deadline:
        yield f"only {step.ledger.observed} ms were observed: {text}"
    if policy and "unhealthy after" in text and step.ledger.observed < policy.grace:
        yield f"only {step.ledger.observed} ms were observed: {text}"


RULES: dict[str, Callable[[Step], Iterator[Complaint]]] = {
    "gated": gated,
    "ordered": ordered,
    "vetoed": vetoed,
    "pinned": pinned,
    "safe-back": safe_back,
    "hands-off": hands_off,
    "approved": approved,
    "unhindered": unhindered,
    "remembered": remembered,
    "explained": explained,
    "once": once,
    "forward": forward,
    "seen": seen,
}
"""*one-at-a-time* and *idempotent* need the world itself (``invariants``); *isolated* and *settled* speak of whole runs."""
