"""One turn as the invariants see it, beside what the checker itself remembers of an instance.

The ledger is written from facts that were delivered and history lines that were written, never from the state it is to judge.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.core.facts import (
    Fact,
    Healing,
    Held,
    LineStatus,
    Neighbour,
    Observed,
    Observing,
    Offered,
    Pinned,
    Resumed,
    Retried,
    RolledBack,
    ScopeStatus,
    Signal,
    ToldFinalized,
    TopicStatus,
    Unpinned,
    Vote,
)
from setpoint.core.instance.state import Attempt, InstanceState, Rollout, offer_of
from setpoint.core.instructions import Event, Record
from setpoint.model.policy import Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import Duration, Instant
from setpoint.simulate.world import Turn, World

if TYPE_CHECKING:
    from setpoint.simulate.invariants import Invariants


class Notes:
    """What a family of rules remembers of one instance, beside the ledger. Made by ``Ledger.of``; kept in step by these two."""

    def take(self, fact: Fact) -> None:
        """Write a delivered fact down, before the rules are asked."""

    def write_down(self, step: Step) -> None:
        """What a turn did, after the rules were asked."""


NOTES: list[type[Notes]] = []
"""Kinds of notes that are kept for every instance: a family of rules adds its own."""

AnyNotes = TypeVar("AnyNotes", bound=Notes)


@dataclass
class Ledger:
    """What an instance was told and what became of its attempts, as the checker wrote it down."""

    finalized: dict[Version, Instant] = field(default_factory=dict)
    """Version -> when it was first finalized here, unless it was gone back from by hand since."""
    goods: list[int] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    """Release -> its version, of all that were ever finalized."""
    told: dict[str, dict[Version, Instant]] = field(default_factory=dict)
    """Earlier instance -> what it has finalized, as far as this one was told."""
    numbers: dict[str, int] = field(default_factory=dict)
    votes: dict[str, tuple[Vote, ...]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    vetoed: dict[int, Version] = field(default_factory=dict)
    held: bool = False
    observing: bool = False
    ends: dict[str, Instant] = field(default_factory=dict)
    """``hold``, ``observe`` and ``pin`` that stand and have an end -> when, by the wall clock."""
    service: str = ""
    line: int = 0
    bad: frozenset[str] = frozenset()
    """Names of versions marked bad, as far as this one was told."""
    cancelled: frozenset[int] = frozenset()
    absolved: dict[str, Instant] = field(default_factory=dict)
    scopes: dict[str, ScopeStatus] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    offered: set[int] = field(default_factory=set)
    begun: Counter[int] = field(default_factory=Counter)
    """Releases whose rollout began since the last human act."""
    highest: int = 0
    """Highest release begun by selection since the last human act."""
    slots: list[Instant] = field(default_factory=list)
    """When, by the wall clock, the rollouts began that were finalized."""
    began: tuple[int, Instant] = (0, 0)
    """The attempt that target moved for last, and when by the wall clock."""
    offset: Duration = 0
    """What the wall clock shows beyond the steady one, as far as this instance was told."""
    committed: dict[int, frozenset[str]] = field(default_factory=dict)
    """The attempt that is committed -> the orderings that there were when it became that."""
    set_at: Instant = 0
    """Stamp of the fact that told so."""
    entered: dict[tuple[int, Phase], Instant] = field(default_factory=dict)
    """(attempt, phase) -> when it was entered, in true time."""
    moved: Instant = 0
    """When the present rollout began, in true time."""
    look: int = 0
    observed: Duration = 0
    """Observed time since the present rollout began."""
    heals: tuple[str, int, Instant] = ("", 0, 0)
    """The difference healed last, how often in a row, and when, in true time."""
    notes: dict[type[Notes], Any] = field(default_factory=lambda: {kind: kind() for kind in NOTES})

    def of(self, kind: type[AnyNotes]) -> AnyNotes:
        """The notes of one family about this instance."""
        found: AnyNotes = self.notes[kind]
        return found

    def take(self, fact: Fact, now: Instant) -> bool:
        """Write a delivered fact down; whether it is a human act that was not delivered before."""
        for notes in self.notes.values():
            notes.take(fact)
        ended = self.expire(fact.wall)
        return self._take(fact, now) or ended

    def expire(self, wall: Instant) -> bool:
        """Orders that are over end; whether one did: it counts as the act of the person who gave it (§10.8)."""
        over = [order for order, end in self.ends.items() if end <= wall]
        for order in over:
            del self.ends[order]
        self.held = self.held and "hold" not in over
        self.observing = self.observing and "observe" not in over
        return bool(over)

    def _ends(self, order: str, until: Instant) -> None:
        self.ends.pop(order, None)
        if until:
            self.ends[order] = until

    def _take(self, fact: Fact, now: Instant) -> bool:
        if fact.offset != self.offset and fact.at >= self.set_at:
            self.offset, self.set_at = fact.offset, fact.at
        match fact:
            case Neighbour():
                self._neighbour(fact, now)
            case ToldFinalized(instance=instance, finalization=done):
                self.told.setdefault(instance, {}).setdefault(done.version, min(done.at, now))
            case TopicStatus(topic=topic, votes=votes):
                if len(votes) > len(self.votes.get(topic, ())):
                    self.votes[topic] = votes
            case Observed(look=look, gap=gap) if look > self.look:
                self.look, self.observed = look, self.observed + gap
            case LineStatus(number=number) if number > self.line:
                return self._line(fact)
            case ScopeStatus(scope=scope, number=number):
                if scope not in self.scopes or number > self.scopes[scope].number:
                    self.scopes[scope] = fact
            case Offered(offer=offer) if offer.release not in self.offered:
                return self._offered(offer)
            case Signal(id=identity) if identity not in self.signals:
                self.signals.add(identity)
                self._signal(fact)
                return True
        return False

    def since(self, attempt: Attempt) -> Instant:
        """When the attempt entered its phase, in true time."""
        return self.entered.get((attempt.number, attempt.phase), 0)

    @property
    def stopped(self) -> bool:
        """Whether a scope above is stopped or paused."""
        return any(status.stop or status.pause for status in self.scopes.values())

    @property
    def paused(self) -> bool:
        """Whether no apply at all may be made."""
        return self.observing or any(status.pause for status in self.scopes.values())

    def _line(self, fact: LineStatus) -> bool:
        before = (self.bad, self.cancelled, self.absolved)
        mine = f"{self.service}/"
        self.line = fact.number
        self.bad = frozenset(name.removeprefix(mine) for name in fact.bad if name.startswith(mine))
        self.cancelled = frozenset(fact.cancelled)
        absolved = {name.removeprefix(mine): at for name, at in fact.absolved.items() if name.startswith(mine)}
        for name, at in absolved.items():
            if self.absolved.get(name) != at:
                self._lift([release for release, version in self.vetoed.items() if version.name == name])
        self.absolved = absolved
        return before != (self.bad, self.cancelled, self.absolved)

    def _neighbour(self, fact: Neighbour, now: Instant) -> None:
        if fact.number <= self.numbers.get(fact.instance, 0):
            return
        self.numbers[fact.instance] = fact.number
        known = self.told.setdefault(fact.instance, {})
        for done in fact.finalized:
            known[done.version] = min(known.get(done.version, done.at), done.at, now)
        for version, at in known.items():
            known[version] = min(at, now)
        for version in fact.revoked:
            known.pop(version, None)

    def _offered(self, offer: Offer) -> bool:
        self.offered.add(offer.release)
        by_person = offer.addressed and not offer.automatic
        if by_person:
            self.held = False
            self._ends("hold", 0)
        named = [release for release, version in self.vetoed.items() if version == offer.version and release < offer.release]
        if not offer.automatic:
            self._lift(named)
        return by_person or (bool(named) and not offer.automatic)

    def _signal(self, fact: Signal) -> None:
        match fact:
            case Held(until=until):
                self.held = True
                self._ends("hold", until)
            case RolledBack():
                self.held = True
                self._ends("hold", 0)
                self._ends("pin", 0)
            case Observing(until=until):
                self.observing = True
                self._ends("observe", until)
            case Healing():
                self.observing = False
                self._ends("observe", 0)
            case Resumed():
                self.held, self.heals = False, ("", 0, 0)
                self._ends("hold", 0)
            case Unpinned():
                self._ends("pin", 0)
            case Pinned(offer=offer, until=until):
                self.held = False
                self._ends("hold", 0)
                self._ends("pin", until)
                self._lift([offer.release])
            case Retried(release=release):
                self._lift([release or max(self.vetoed, default=0)])

    def _lift(self, releases: list[int]) -> None:
        for release in releases:
            self.vetoed.pop(release, None)


@dataclass
class Moment:
    """One turn of any actor."""

    net: Invariants
    world: World
    turn: Turn
    now: Instant
    """As the engine takes it: the turn's newest stamp."""

    def saw(self, name: str) -> None:
        """Count that an invariant had something to say."""
        self.net.preconditions[name] += 1

    def events(self, *kinds: str) -> list[Event]:
        """History lines of these kinds that the turn wrote."""
        records = (instruction for instruction in self.turn.decision.instructions if isinstance(instruction, Record))
        return [record.event for record in records if record.event.kind in kinds]


@dataclass
class Step(Moment):
    """One turn of one instance."""

    ledger: Ledger
    before: InstanceState
    after: InstanceState

    def __post_init__(self) -> None:
        self.instance = self.turn.entity.partition(":")[2]
        self.still = self.after is self.turn.before
        """Whether nothing changed at all."""
        self.moved = self._moved()
        self.forward = self._forward()

    def _moved(self) -> bool:
        """Whether target moved, or a rollout to the same release began anew."""
        old, new = self.before.life.rollout, self.after.life.rollout
        begun = new is not None and (old is None or old.attempt.number != new.attempt.number or old.to != new.to)
        return begun or self.before.life.target != self.after.life.target

    def _forward(self) -> tuple[Attempt, Offer, Policy] | None:
        """The attempt whose version became target by its gates in this turn."""
        rollout = self.after.life.rollout
        if self.after.policy is None or not self.moved or rollout is None or rollout.back:
            return None
        offer = offer_of(self.after.life, rollout.attempt.release)
        return (rollout.attempt, offer, self.after.policy) if offer else None

    @property
    def wall(self) -> Instant:
        """What the wall clock shows, as the instance was told."""
        return self.now + self.ledger.offset

    def skipped(self, release: int, gate: str) -> bool:
        """Whether a person skipped this gate; skips are forgotten with their release, so those of before count as well."""
        wall = self.after.life.wall.at(self.now)
        skips = (skip for skip in (*self.before.life.skips, *self.after.life.skips) if not 0 < skip.until <= wall)
        return any(skip.release == release and skip.gate in {gate, "*"} for skip in skips)

    def went_back(self) -> Rollout | None:
        """The rollout that the engine began to take back in this turn."""
        new, old = self.after.life.rollout, self.before.life.rollout
        began = new is not None and new.back and not (old and old.back)
        return new if began and not self.by_hand() else None

    def by_hand(self) -> bool:
        """Whether a person rolls back in this turn."""
        return any(isinstance(fact, RolledBack) for fact in self.turn.facts)

    # --- after the checks -------------------------------------------------------------------------------------------------

    def write_down(self) -> None:
        """What this turn did, for the turns to come."""
        ledger = self.ledger
        for notes in ledger.notes.values():
            notes.write_down(self)
        if self.forward:
            attempt, _, _ = self.forward
            ledger.begun[attempt.release] += 1
            ledger.began = (attempt.number, self.wall)
            if attempt.kind == "forward":
                ledger.highest = max(ledger.highest, attempt.release)
        if self.moved:
            ledger.observed, ledger.heals, ledger.moved = 0, ("", 0, 0), self.turn.now
        self._enter()
        self._commit()
        for event in self.events("finalized"):
            self._finalized(event.release)
        for event in self.events("rolling-back", "failed"):
            self._failed(event)
        old = self.before.life.rollout
        if old and old.by_hand and self.events("rolled-back"):
            self._back(old.to)
        self._rejected()

    def _enter(self) -> None:
        rollout = self.after.life.rollout
        open_now = [attempt for attempt in (self.after.life.candidate, rollout and rollout.attempt) if attempt]
        keys = [(attempt.number, attempt.phase) for attempt in open_now]
        known = self.ledger.entered
        if keys != list(known):
            self.ledger.entered = {key: known.get(key, self.turn.now) for key in keys}

    def _commit(self) -> None:
        candidate, policy = self.after.life.candidate, self.after.policy
        number = candidate.number if candidate and candidate.committed else 0
        if number not in self.ledger.committed:
            names = frozenset(one.name for one in policy.orderings) if policy else frozenset()
            self.ledger.committed = {number: names} if number else {}

    def _finalized(self, release: int) -> None:
        old, offer = self.before.life.rollout, offer_of(self.after.life, release) or offer_of(self.before.life, release)
        self.ledger.goods = [*(good for good in self.ledger.goods if good != release), release]
        if offer:
            self.ledger.names[release] = offer.version.name
            self.ledger.finalized.setdefault(offer.version, self.now)
        if old and old.attempt.release == release and self.after.policy and self.after.policy.cadence:
            number, began = self.ledger.began
            self.ledger.slots.append(began if number == old.attempt.number else old.began)

    def _failed(self, event: Event) -> None:
        old = self.before.life.rollout
        from_rest = old is None and event.kind == "rolling-back" and not self.forward
        release = self.before.life.target if from_rest else event.release
        offer = offer_of(self.before.life, release) or offer_of(self.after.life, release)
        if offer is None:
            return
        self._use_up(release)
        self.ledger.vetoed[release] = offer.version
        if from_rest:
            self.ledger.finalized.pop(offer.version, None)

    def _use_up(self, release: int) -> None:
        for topic, votes in self.ledger.votes.items():
            if topic.rpartition("#")[2].partition("~")[0] == str(release):
                self.ledger.used[topic] = len(votes)

    def _back(self, release: int) -> None:
        goods = self.ledger.goods
        if goods and goods[-1] != release:
            self.ledger.goods = [*(goods[: goods.index(release)] if release in goods else ()), release]

    def _rejected(self) -> None:
        """A rejection vetoes as a failure does, and again what a retry has just freed: the votes until then are used up."""
        for veto in self.after.life.vetoes:
            if veto not in self.before.life.vetoes and veto.release not in self.ledger.vetoed:
                self.ledger.vetoed[veto.release] = veto.version
                self._use_up(veto.release)
