"""One turn as the invariants see it, beside what the checker itself remembers of an instance.

The ledger is written from facts that were delivered and history lines that were written, never from the state it is to judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    Reconfigured,
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
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import Attempt, InstanceState, Life, Rollout, offer_of
from setpoint.core.instructions import Event, Record
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Duration, Instant
from setpoint.simulate.reading import Half, halves, matches
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


@dataclass(frozen=True)
class Vetoed:
    """What failed, was rejected or gone back from here, as the checker wrote it down."""

    version: Version
    whole: bool
    """The version in every configuration; else only this pair."""
    configures: int = 0
    """Of a rejected configuration release: its number."""


@dataclass
class Ledger:
    """What an instance was told and what became of its attempts, as the checker wrote it down."""

    finalized: dict[Version, Instant] = field(default_factory=dict)
    """Version -> when it was first finalized here, unless it was gone back from by hand since."""
    goods: list[Pair] = field(default_factory=list)
    versions: dict[Pair, Version] = field(default_factory=dict)
    """Pair -> its version, of all that were ever finalized."""
    own: dict[int, int] = field(default_factory=dict)
    """Version release -> the configuration that it came with."""
    configurations: dict[int, Configuration] = field(default_factory=dict)
    """Configuration release -> it, as this instance received it."""
    told: dict[str, dict[Version, Instant]] = field(default_factory=dict)
    """Earlier instance -> what it has finalized, as far as this one was told."""
    numbers: dict[str, int] = field(default_factory=dict)
    votes: dict[str, tuple[Vote, ...]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    vetoed: dict[Pair, Vetoed] = field(default_factory=dict)
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
    begun: Counter[Pair] = field(default_factory=Counter)
    """What was begun since the last human act."""
    highest: int = 0
    """Highest version release begun by selection since the last human act."""
    newest: int = 0
    """Newest configuration begun by selection since the last human act."""
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
            case Neighbour() | ToldFinalized():
                self._of_another(fact, now)
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
            case Reconfigured(configuration=configuration):
                self.configurations.setdefault(configuration.release, configuration)
            case Offered(offer=offer) if offer.release not in self.offered:
                return self._offered(offer)
            case Signal(id=identity) if identity not in self.signals:
                self.signals.add(identity)
                self._signal(fact)
                return True
        return False

    @property
    def good(self) -> Version | None:
        """The version of *good*."""
        good = next((good for good in reversed(self.goods) if self.versions[good].name not in self.bad), None)
        return self.versions[good] if good else None

    def keeps_version(self, version: Version) -> bool:
        """Whether an attempt at this version leaves the version as it is (§10.1)."""
        good = self.good
        return good is not None and good.same(version)

    @staticmethod
    def is_back(before: InstanceState) -> bool:
        """Whether what ran before this turn was being rolled back."""
        return before.life.rollout is not None and before.life.rollout.back

    def only_configures(self, offer: Offer) -> bool:
        """Whether a configuration release changes the configuration and nothing else."""
        configuration = offer.configuration
        return configuration is not None and configuration.release > 0 and self.keeps_version(offer.version)

    def pair(self, event: Event) -> Pair:
        """What a line of history is about."""
        configuration = self.configurations.get(event.configuration)
        return Pair(event.release, configuration.configured if configuration else self.own.get(event.release, 0))

    def needs(self, offer: Offer) -> list[tuple[int, str, bool]]:
        """The releases that an attempt needs the gates of (§10.1): number, author, whether it moves the configuration."""
        configuration = offer.configuration
        version = (offer.release, offer.author, False)
        if configuration is None or not configuration.release:
            return [version]
        change = (configuration.release, configuration.author, True)
        return [change] if self.only_configures(offer) else [version, change]

    def is_vetoed(self, offer: Offer) -> str:
        """Why an attempt at this offer is vetoed; empty: it is not."""
        configuration = offer.configuration.release if offer.configuration else 0
        for pair, veto in self.vetoed.items():
            whole = veto.whole and veto.version.same(offer.version) and not self.keeps_version(offer.version)
            if pair == offer.pair or whole or (veto.configures and veto.configures == configuration):
                return f"{veto.version.name} of {pair}"
        return ""

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
                self._lift([pair for pair, veto in self.vetoed.items() if veto.version.name == name])
        self.absolved = absolved
        return before != (self.bad, self.cancelled, self.absolved)

    def _of_another(self, fact: Neighbour | ToldFinalized, now: Instant) -> None:
        if isinstance(fact, ToldFinalized):
            done = fact.finalization
            self.told.setdefault(fact.instance, {}).setdefault(done.version, min(done.at, now))
        else:
            self._neighbour(fact, now)

    def _neighbour(self, fact: Neighbour, now: Instant) -> None:
        if fact.number <= self.numbers.get(fact.instance, 0):
            return
        self.numbers[fact.instance] = fact.number
        known = self.told.setdefault(fact.instance, {})
        for done in fact.finalized:
            known[done.version] = min(known.get(done.version, done.at), done.at, now)
        for version, at in known.items():
            known[version] = min(at, now)
        for revoked in fact.revoked:
            for version in [version for version in known if revoked.covers(version)]:
                known.pop(version)

    def _offered(self, offer: Offer) -> bool:
        self.offered.add(offer.release)
        self.own[offer.release] = offer.configured
        if offer.configuration:
            self.configurations.setdefault(offer.configuration.release, offer.configuration)
        by_person = offer.addressed and not offer.automatic
        if by_person:
            self.held = False
            self._ends("hold", 0)
        named = [
            pair
            for pair, veto in self.vetoed.items()
            if veto.version.same(offer.version) and pair.release < offer.release and not veto.configures
        ]
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
                self.own.setdefault(offer.release, offer.configured)
                self._lift(self._of_release(offer.release))
            case Retried(release=release):
                self._lift(self._of_release(release or max(map(self.number, self.vetoed), default=0)))

    def number(self, pair: Pair) -> int:
        """The release that a person retries of what is vetoed: that of the version, or of the configuration where it stayed."""
        veto = self.vetoed[pair]
        if veto.whole or veto.configures or self.own.get(pair.release) == pair.configured:
            return veto.configures or pair.release
        return next((one.release for one in self.configurations.values() if one.configured == pair.configured), pair.release)

    def _of_release(self, release: int) -> list[Pair]:
        return [pair for pair in self.vetoed if release in {pair.release, self.number(pair)}]

    def _lift(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            self.vetoed.pop(pair, None)


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
        self.became_good = self._became_good()
        self.judged = self.after.life if self.forward and self.became_good else self.before.life
        """What the attempt that started was judged against: the turn may have changed what is *good* first (§10.1 Gated)."""

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
        offer = offer_of(self.after.life, rollout.attempt.pair)
        return (rollout.attempt, offer, self.after.policy) if offer else None

    def _became_good(self) -> list[Pair]:
        """What this turn finalized, or went back to for a person."""
        old = self.before.life.rollout
        back = [old.to] if old and old.by_hand and self.events("rolled-back") else []
        return back + [self.ledger.pair(event) for event in self.events("finalized")]

    @property
    def wall(self) -> Instant:
        """What the wall clock shows, as the instance was told."""
        return self.now + self.ledger.offset

    def keeps_version(self, offer: Offer) -> bool:
        """Whether the attempt that started leaves the version as it is."""
        last = self._offer(self.became_good[-1]) if self.forward and self.became_good else None
        return last.version.same(offer.version) if last else self.ledger.keeps_version(offer.version)

    def only_configures(self, offer: Offer) -> bool:
        """Whether the attempt that started changes the configuration and nothing else."""
        configuration = offer.configuration
        return configuration is not None and configuration.release > 0 and self.keeps_version(offer)

    def concerns(self, when: Selector | None, gate: str, policy: Policy, offer: Offer, life: Life | None = None) -> bool:
        """Whether a gate concerns a release of an attempt for which nobody has skipped it."""
        return bool(self.needing(when, gate, policy, offer, life))

    def needing(self, when: Selector | None, gate: str, policy: Policy, offer: Offer, life: Life | None = None) -> list[Half]:
        """The releases of an attempt that need this gate: its ``when`` matches them, and nobody has skipped it for them.

        ``life``: what it is judged against, if that is not what one that starts now is.
        """
        life = life or self.judged
        return [
            half
            for half in halves(life, offer)
            if matches(when, policy, life, offer, half) and not self.skipped(half.release, gate)
        ]

    def skipped(self, release: int, gate: str) -> bool:
        """Whether a person skipped this gate; skips are forgotten with their release, so those of before count as well."""
        wall = self.after.life.wall.at(self.now)
        skips = (skip for skip in (*self.before.life.skips, *self.after.life.skips) if not 0 < skip.until <= wall)
        return any(skip.release == release and skip.gate in {gate, "*"} for skip in skips)

    def explained(self) -> tuple[str, Sequence[Reason]]:
        """What the core shows of the instance now, and its reasons; it is converged without any."""
        word = condition(self.after, self.now)
        return word, () if word is Condition.CONVERGED else explain(self.after, self.now)

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
        for event in self.events("attempt-ended"):
            if event.outcome == "replaced" and event.configuration:
                ledger.begun.pop(ledger.pair(event), None)  # a configuration that gave way and never failed comes again
        if self.forward:
            attempt, _, _ = self.forward
            ledger.begun[attempt.pair] += 1
            ledger.began = (attempt.number, self.wall)
            if attempt.kind == "forward":
                ledger.highest = max(ledger.highest, attempt.release)
                ledger.newest = max(ledger.newest, attempt.configured)
        if self.moved:
            ledger.observed, ledger.heals, ledger.moved = 0, ("", 0, 0), self.turn.now
        self._enter()
        self._commit()
        old = self.before.life.rollout
        if old and old.by_hand and self.events("rolled-back"):
            self._back(old.to)  # what is finalized in this turn came after that
        for event in self.events("finalized"):
            self._finalized(self.ledger.pair(event))
        for event in self.events("rolling-back", "failed"):
            self._failed(event)
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

    def _offer(self, pair: Pair) -> Offer | None:
        return offer_of(self.after.life, pair) or offer_of(self.before.life, pair)

    def _finalized(self, pair: Pair) -> None:
        old, offer, ledger = self.before.life.rollout, self._offer(pair), self.ledger
        changes = offer is not None and not ledger.only_configures(offer)
        ledger.goods = [*(good for good in ledger.goods if good != pair), pair]
        if offer:
            ledger.versions[pair] = offer.version
            ledger.finalized.setdefault(offer.version, self.now)
        if old and old.attempt.pair == pair and changes and self.after.policy and self.after.policy.cadence:
            number, began = ledger.began
            ledger.slots.append(began if number == old.attempt.number else old.began)

    def _failed(self, event: Event) -> None:
        old, ledger = self.before.life.rollout, self.ledger
        from_rest = old is None and event.kind == "rolling-back" and not self.forward
        pair = self.before.life.target if from_rest else ledger.pair(event)
        offer = self._offer(pair)
        if offer is None:
            return
        for release, _, _ in () if from_rest else ledger.needs(offer):
            self._use_up(release)
        to = self._offer(self.after.life.target)
        whole = not (to and to.version.same(offer.version)) if from_rest else not ledger.only_configures(offer)
        ledger.vetoed[pair] = Vetoed(offer.version, whole)
        if from_rest:
            for version in [one for one in ledger.finalized if one == offer.version or (whole and one.same(offer.version))]:
                ledger.finalized.pop(version)

    def _use_up(self, release: int) -> None:
        for topic, votes in self.ledger.votes.items():
            if topic.rpartition("#")[2].partition("~")[0] == str(release):
                self.ledger.used[topic] = len(votes)

    def _back(self, pair: Pair) -> None:
        goods = self.ledger.goods
        if goods and goods[-1] != pair:
            self.ledger.goods = [*(goods[: goods.index(pair)] if pair in goods else ()), pair]
            offer = self._offer(pair)
            if offer:
                self.ledger.versions[pair] = offer.version

    def _rejected(self) -> None:
        """A rejection vetoes as a failure does, and again what a retry has just freed: the votes until then are used up."""
        for veto in self.after.life.vetoes:
            if veto in self.before.life.vetoes or veto.pair in self.ledger.vetoed:
                continue
            configures = veto.release if veto.scope == "configuration" else 0
            self.ledger.vetoed[veto.pair] = Vetoed(veto.version, veto.scope == "version", configures)
            self._use_up(veto.release)
            if veto.scope == "pair":
                self._use_up(self.ledger.number(veto.pair))
