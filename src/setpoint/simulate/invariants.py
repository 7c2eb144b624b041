"""What must always hold, checked after every turn against the truth of the simulated world. Names are those of the design.

The checks read states and the world's own records (runs of checks, applies, votes, releases); they repeat no decision of the core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from setpoint.core.calendars import opening
from setpoint.core.codec import Codec
from setpoint.core.decide import decide
from setpoint.core.facts import Signal
from setpoint.core.instance import gates
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life, offer_of
from setpoint.core.instructions import Apply
from setpoint.core.topic import TopicState
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse, Phase, Policy, Strategy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.simulate.world import Turn, World

Complaint = str


class Broken(AssertionError):
    """An invariant does not hold; ``name`` says which."""

    def __init__(self, name: str, complaint: str, turn: Turn) -> None:
        super().__init__(f"{name}: turn {turn.number}, {turn.entity}: {complaint}")
        self.name = name


class Ledger:
    """What the checker remembers by itself of one instance, apart from the instance's own state."""

    def __init__(self) -> None:
        self.finalized: dict[Version, int] = {}
        """Version -> first time."""
        self.good: list[int] = []
        self.vetoed: dict[int, Version] = {}
        self.begun: Counter[int] = Counter()
        """Releases whose rollout began since the last human act."""
        self.highest = 0
        """Highest release begun by selection since the last human act."""
        self.signals = 0


class Invariants:
    """Call it after each turn. ``preconditions`` counts how often each invariant had something to say."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.preconditions: Counter[str] = Counter()
        self.codec = Codec()

    def __call__(self, world: World, turn: Turn) -> None:
        """Raises Broken."""
        self._one_at_a_time(world, turn)
        after = turn.decision.state
        if not isinstance(after, InstanceState):
            self._idempotent(turn)
            return
        before = turn.before if isinstance(turn.before, InstanceState) else InstanceState()
        ledger = self.ledgers.setdefault(turn.entity, Ledger())
        acted = any(isinstance(fact, Signal) or getattr(getattr(fact, "offer", None), "addressed", False) for fact in turn.facts)
        if acted:
            ledger.begun.clear()
            ledger.highest = 0
            ledger.signals += 1
        for name, check in _CHECKS.items():
            for complaint in check(self, world, turn, ledger, before, after):
                raise Broken(name, complaint, turn)
        self._idempotent(turn)
        self._remember(turn, ledger, before, after)

    def _saw(self, name: str) -> None:
        self.preconditions[name] += 1

    def _one_at_a_time(self, world: World, turn: Turn) -> None:
        applies_open = [
            entity
            for entity, instruction in world.operations.values()
            if isinstance(instruction, Apply) and entity == turn.entity
        ]
        if applies_open:
            self._saw("one-at-a-time")
        if len(applies_open) > 1:
            raise Broken("one-at-a-time", f"{len(applies_open)} applies in flight", turn)

    def _idempotent(self, turn: Turn) -> None:
        """The same facts once more change nothing: whatever was decided by them is decided."""
        if turn.number % 7:
            return
        self._saw("idempotent")
        state = turn.decision.state
        again = decide(turn.entity, state, turn.facts, max(fact.at for fact in turn.facts)).state
        if isinstance(state, InstanceState) and isinstance(again, InstanceState):
            mine, other = _essence(state.life), _essence(again.life)
        else:
            mine, other = _plain(state), _plain(again)
        if mine != other:
            raise Broken("idempotent", f"the same facts again gave {other} instead of {mine}", turn)

    def _remember(self, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState) -> None:
        if _moved(before, after) and after.life.rollout and not after.life.rollout.back:
            attempt = after.life.rollout.attempt
            ledger.begun[attempt.release] += 1
            if attempt.kind is Kind.FORWARD:
                ledger.highest = max(ledger.highest, attempt.release)
        for done in after.life.finalized:
            if done not in before.life.finalized:
                ledger.finalized.setdefault(done.version, done.at)
        for version in after.life.revoked:
            if version not in before.life.revoked:
                ledger.finalized.pop(version, None)
        ledger.vetoed = {veto.release: veto.version for veto in after.life.vetoes}


def _plain(state: object) -> object:
    return state.votes if isinstance(state, TopicState) else None


def _essence(life: Life) -> tuple[object, ...]:
    """What a repeated fact must not change (a further asking for a fresh run is no harm)."""
    rollout = life.rollout
    return (
        life.target,
        life.goods,
        life.frontier,
        life.pin,
        life.hold,
        life.vetoes,
        life.finalized,
        rollout and (rollout.to, rollout.back, rollout.idle, rollout.sick),
        life.applying.count,
    )


def _moved(before: InstanceState, after: InstanceState) -> bool:
    """Whether target moved, or a rollout to the same release began anew."""
    old, new = before.life.rollout, after.life.rollout
    begun = new is not None and (old is None or old.attempt.number != new.attempt.number or old.to != new.to)
    return before.life.target != after.life.target or begun


def _forward(before: InstanceState, after: InstanceState) -> tuple[Attempt, Offer, Policy] | None:
    """The attempt whose version became target by its gates in this turn."""
    rollout = after.life.rollout
    if after.policy is None or not _moved(before, after):
        return None
    if rollout is None or rollout.back:
        return None
    offer = offer_of(after.life, rollout.attempt.release)
    assert offer is not None
    return rollout.attempt, offer, after.policy


# --- one function per invariant ----------------------------------------------------------------------------------------


def gated(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Every gate before deployment passed or was skipped, all at one moment."""
    moved = _forward(before, after)
    if moved is None:
        return
    net._saw("gated")
    attempt, offer, policy = moved
    candidate = before.life.candidate
    now = max(fact.at for fact in turn.facts)
    for use in _checks(policy, before.life, after.life, offer, Phase.PRE_DEPLOYMENT):
        runs = _runs(world, use)
        began = (
            candidate.entered
            if candidate and candidate.release == offer.release and candidate.phase is Phase.PRE_DEPLOYMENT
            else 0
        )
        fresh = [run for run in runs if run[0] >= began and now - run[1] <= use.check.max_age + _LATE]
        if not any(run[2] is Outcome.PASSING for run in fresh):
            yield f"{use.name} had no fresh pass since its gate began: {runs[-3:]}"
    for calendar in policy.calendars:
        if applies(calendar.when, policy, before.life, offer) and not gates.skipped(after.life, offer.release, calendar.name):
            if not opening(calendar.calendar, calendar.timezone, now).open:
                yield f"the calendar {calendar.name} is closed"


def _skips(before: InstanceState, after: InstanceState) -> Life:
    """Skips are forgotten with their release: those of before count as well."""
    return replace(after.life, skips=(*before.life.skips, *after.life.skips))


def _runs(world: World, use: CheckUse) -> list[tuple[int, int, Outcome]]:
    """Every run of a use's protection on its subject, whatever the attempt looked up."""
    return world.checks.runs[use.check.protection, use.check.subject]


_LATE = 60_000
"""Facts may be delivered that late by the world's own delays."""


def _checks(policy: Policy, before: Life, after: Life, offer: Offer, phase: Phase) -> Iterator[CheckUse]:
    for use in policy.checks:
        if use.phase is phase and applies(use.when, policy, before, offer) and not gates.skipped(after, offer.release, use.name):
            yield use


def ordered(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """The earlier channels had finalized the version, for the soak, unless the ordering was skipped."""
    moved = _forward(before, after)
    if moved is None:
        return
    _, offer, policy = moved
    now = max(fact.at for fact in turn.facts)
    for ordering in policy.orderings:
        if not applies(ordering.when, policy, before.life, offer) or gates.skipped(after.life, offer.release, ordering.name):
            continue
        net._saw("ordered")
        known = [
            net.ledgers[f"instance:{name}"].finalized.get(offer.version)
            for name in ordering.instances
            if f"instance:{name}" in net.ledgers
        ]
        told = [gates.finalized_at(after.life, name, offer) for name in ordering.instances]
        met = sum(at is not None and at + ordering.soak <= now + _LATE for at in known)
        believed = sum(at is not None for at in told)
        need = ordering.need or len(ordering.instances)
        if met < need and believed < need:
            yield f"{ordering.name}: only {met} of {need} have finalized {offer.version.name}"
        if sum(at is not None and min(at, now) + ordering.soak <= now for at in told) < need:
            yield f"{ordering.name}: {offer.version.name} has not soaked"


def vetoed(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """A vetoed version never becomes target by selection."""
    moved = _forward(before, after)
    if moved is None:
        return
    attempt, offer, _ = moved
    if ledger.vetoed:
        net._saw("vetoed")
    still = {veto.release for veto in after.life.vetoes}
    for release, version in ledger.vetoed.items():
        if release in still and (release == attempt.release or version == offer.version):
            yield f"release {attempt.release} ({version.name}) is vetoed"


def pinned(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """A pinned instance's target moves only to its pin or to good."""
    life = after.life
    if not life.pin or before.life.target == life.target:
        return
    net._saw("pinned")
    if life.target not in {life.pin, before.life.good, life.good} and before.life.pin == life.pin:
        yield f"pinned to {life.pin}, but target moved to {life.target}"


def safe_back(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """After a failed rollout target is the last good version, or does not move."""
    rollout, old = after.life.rollout, before.life.rollout
    by_engine = rollout is not None and rollout.back and not rollout.by_hand and not (old and old.back)
    if by_engine:
        net._saw("safe-back")
        if after.life.target != before.life.good:
            yield f"went back to {after.life.target}, good is {before.life.good}"
    if after.life.failure and not before.life.failure:
        net._saw("safe-back")
        if old and after.life.target != old.to:
            yield f"failed, but target moved from {old.to} to {after.life.target}"


def hands_off(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """A held or observed entity gets no forward start; nothing is applied without a target, nor after a failure."""
    moved = _forward(before, after)
    if after.life.hold:
        net._saw("hands-off")
        if moved and before.life.hold == after.life.hold:
            yield "held, but a rollout began"
    applied = [instruction for instruction in turn.decision.instructions if isinstance(instruction, Apply)]
    if applied and (not after.life.target or after.life.failure):
        yield "applied without a target, or after a failure that is nobody's to repeat"
    if applied and after.policy and after.policy.drift.mode == "observe":
        yield "observed only, but applied"
    target = offer_of(after.life, after.life.target)
    if applied and target and applied[0].spec != target.spec:
        yield "applied something else than target"


def approved(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Approvals counted were given by distinct, allowed people for that very release, and had not expired."""
    moved = _forward(before, after)
    if moved is None:
        return
    attempt, offer, policy = moved
    now = max(fact.at for fact in turn.facts)
    for use in policy.approvals:
        if not applies(use.when, policy, before.life, offer) or gates.skipped(after.life, offer.release, use.name):
            continue
        net._saw("approved")
        entity = gates.topic(use, offer.release, attempt.change)
        state = world.states.get(entity)
        votes = state.votes[before.life.used.get(entity, 0) :] if isinstance(state, TopicState) else ()
        people = {
            vote.person.name
            for vote in votes
            if vote.yes
            and (use.allow_author or vote.person.name != offer.author)
            and (use.approvers is None or any(vote.person.matches(principal) for principal in use.approvers))
            and (not use.expires or now < vote.at + use.expires)
        }
        if len(people) < use.min:
            yield f"{use.topic}: only {sorted(people)} of {use.min} approved release {offer.release}"


def unhindered(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """A rollback never waits for a gate: it applies in the turn in which it can."""
    rollout, applying = after.life.rollout, after.life.applying
    if rollout is None or not rollout.back:
        return
    net._saw("unhindered")
    now = max(fact.at for fact in turn.facts)
    if not applying.operation and not applying.spec and applying.retry_at <= now:
        yield "a rollback waits although nothing is in flight"


def remembered(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Bytes and back give the same state, so a crash loses nothing decided."""
    if turn.number % 23:
        return
    net._saw("remembered")
    fixed, changing = net.codec.encode_state(turn.entity, after, None)
    if net.codec.decode_state(turn.entity, fixed or b"", changing) != after:
        yield "the state does not survive being written and read"


def explained(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Not converged: at least one reason, each with a time or an event; the engine wakes by the earliest time."""
    now = max(fact.at for fact in turn.facts)
    word = condition(after, now)
    if word is Condition.CONVERGED:
        return
    net._saw("explained")
    reasons = explain(after, now)
    if not reasons:
        yield f"{word}, and no reason"
    for reason in reasons:
        if reason.until is None and not reason.awaits:
            yield f'"{reason.text}" names neither a time nor an event'
    if after.life.candidate and not after.life.rollout and not after.life.hold:
        times = [reason.until for reason in reasons if reason.until is not None and reason.phase == after.life.candidate.phase]
        wake = turn.decision.wake_at
        if times and (wake is None or wake > max(min(times), now + 1)):
            yield f"looks again at {min(times)}, but wakes at {wake}"


def once(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Between two human acts a release's rollout begins at most once (mirrors: once per change)."""
    moved = _forward(before, after)
    if moved is None or moved[2].strategy is Strategy.MIRROR:
        return
    net._saw("once")
    if ledger.begun[moved[0].release]:
        yield f"the rollout of release {moved[0].release} began a second time"


def forward(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Without a human's act no older release follows a newer one (mirrors excepted)."""
    moved = _forward(before, after)
    if moved is None or moved[0].kind is not Kind.FORWARD:
        return
    net._saw("forward")
    if moved[0].release < ledger.highest:
        yield f"release {moved[0].release} follows {ledger.highest}"
    if moved[0].release < before.life.frontier:
        yield f"release {moved[0].release} is older than the frontier {before.life.frontier}"


def seen(
    net: Invariants, world: World, turn: Turn, ledger: Ledger, before: InstanceState, after: InstanceState
) -> Iterator[Complaint]:
    """Nothing is finalized on an observation or check older than the act it judges."""
    old = before.life.rollout
    done = [finalization for finalization in after.life.finalized if finalization not in before.life.finalized]
    if not done or after.policy is None:
        return
    offer = offer_of(after.life, done[-1].release) or offer_of(before.life, done[-1].release)
    place = world.runtimes.place(turn.entity.partition(":")[2])
    if old is None or old.back or offer is None or old.attempt.release != done[-1].release:
        return
    net._saw("seen")
    if not place.applies or place.applies[-1][2] != offer.spec:
        yield f"finalized {offer.version.name}, which was never applied last: {place.applies[-2:]}"
    for use in _checks(after.policy, before.life, _skips(before, after), offer, Phase.POST_DEPLOYMENT):
        runs = _runs(world, use)
        taken = place.applies[-1][0] if place.applies else 0
        if not any(run[2] is Outcome.PASSING and run[0] >= taken for run in runs):
            yield f"finalized without a pass of {use.name} that started after the apply"


_CHECKS: dict[str, Callable[[Invariants, World, Turn, Ledger, InstanceState, InstanceState], Iterator[Complaint]]] = {
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
"""The others: *one-at-a-time* and *idempotent* above; *isolated* and *settled* are properties of whole runs (``scenario``)."""
