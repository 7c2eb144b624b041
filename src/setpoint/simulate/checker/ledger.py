"""The ledger of an instance, kept by the checker.

The ledger is written from facts that were delivered and history lines that were written, never from the state it is to judge.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.core.facts import (
    Fact,
    FinalizationReported,
    Healing,
    Held,
    InstanceStatus,
    LineStatus,
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
    TopicStatus,
    Unpinned,
    Vote,
)
from setpoint.core.instance.state import Attempt, InstanceState
from setpoint.core.instructions import Event
from setpoint.model.names import versions_of
from setpoint.model.policy import Phase
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Duration, Instant

if TYPE_CHECKING:
    from setpoint.simulate.checker.step import Step


class FamilyLedger:
    """What a family of rules remembers of one instance, besides the ledger. Made by ``Ledger.of``; kept in step by these two."""

    def take(self, fact: Fact) -> None:
        """Record a delivered fact, before the rules run."""

    def write_down(self, step: Step) -> None:
        """Record what a turn did, after the rules ran."""


FAMILY_LEDGERS: list[type[FamilyLedger]] = []
"""Kinds of ledgers kept for every instance: a family of rules adds its own."""

AnyFamilyLedger = TypeVar("AnyFamilyLedger", bound=FamilyLedger)


@dataclass(frozen=True)
class VetoRecord:
    """What failed, was rejected or gone back from here, as the checker wrote it down."""

    version: Version
    whole: bool
    """The version in every configuration; else only this pair."""
    configures: int = 0
    """Of a rejected configuration release: its number."""


@dataclass
class Ledger:
    """What an instance received and how its attempts ended, as the checker recorded it."""

    finalized: dict[Version, Instant] = field(default_factory=dict)
    """Version -> when it was first finalized here, unless it was gone back from by hand since."""
    goods: list[Pair] = field(default_factory=list)
    versions: dict[Pair, Version] = field(default_factory=dict)
    """Pair -> its version, of all that were ever finalized."""
    own: dict[int, int] = field(default_factory=dict)
    """Version release -> the configuration that it came with."""
    configurations: dict[int, Configuration] = field(default_factory=dict)
    """Configuration release -> it, as this instance received it."""
    finalizations: dict[str, dict[Version, Instant]] = field(default_factory=dict)
    """Earlier instance -> what it has finalized, as far as this one knows."""
    numbers: dict[str, int] = field(default_factory=dict)
    votes: dict[str, tuple[Vote, ...]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    vetoed: dict[Pair, VetoRecord] = field(default_factory=dict)
    held: bool = False
    observing: bool = False
    ends: dict[str, Instant] = field(default_factory=dict)
    """``hold``, ``observe`` and ``pin`` that stand and have an end -> when, by the wall clock."""
    service: str = ""
    line: int = 0
    bad: frozenset[str] = frozenset()
    """Names of versions marked bad, as far as this one knows."""
    cancelled: frozenset[int] = frozenset()
    absolved: dict[str, Instant] = field(default_factory=dict)
    scopes: dict[str, ScopeStatus] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    offered: set[int] = field(default_factory=set)
    started: Counter[Pair] = field(default_factory=Counter)
    """Attempts started since the last act of a person."""
    highest: int = 0
    """Highest version release started by selection since the last act of a person."""
    newest: int = 0
    """Newest configuration started by selection since the last act of a person."""
    slots: list[Instant] = field(default_factory=list)
    """When, by the wall clock, the rollouts began that were finalized."""
    began: tuple[int, Instant] = (0, 0)
    """The attempt that target moved for last, and when by the wall clock."""
    offset: Duration = 0
    """What the wall clock shows beyond the steady one, as far as this instance knows."""
    committed: dict[int, frozenset[str]] = field(default_factory=dict)
    """The attempt that is committed -> the orderings that there were when it became that."""
    set_at: Instant = 0
    """Stamp of the fact that carried it."""
    entered: dict[tuple[int, Phase], Instant] = field(default_factory=dict)
    """(attempt, phase) -> when it was entered, in true time."""
    moved: Instant = 0
    """When the present rollout began, in true time."""
    look: int = 0
    observed: Duration = 0
    """Observed time since the present rollout began."""
    heals: tuple[str, int, Instant] = ("", 0, 0)
    """The difference healed last, how often in a row, and when, in true time."""
    families: dict[type[FamilyLedger], Any] = field(default_factory=lambda: {kind: kind() for kind in FAMILY_LEDGERS})

    def of(self, kind: type[AnyFamilyLedger]) -> AnyFamilyLedger:
        """The ledger of one family about this instance."""
        found: AnyFamilyLedger = self.families[kind]
        return found

    def take(self, fact: Fact, now: Instant) -> bool:
        """Write a delivered fact down; whether it is a human act that was not delivered before."""
        for family in self.families.values():
            family.take(fact)
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
            case InstanceStatus() | FinalizationReported():
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
        """Return the pair that a line of history is about."""
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
        """Return why an attempt at this offer is vetoed; empty: it is not."""
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
        self.line = fact.number
        self.bad = frozenset(versions_of(self.service, fact.bad))
        self.cancelled = frozenset(fact.cancelled)
        absolved = versions_of(self.service, fact.absolved)
        for name, at in absolved.items():
            if self.absolved.get(name) != at:
                self._lift([pair for pair, veto in self.vetoed.items() if veto.version.name == name])
        self.absolved = absolved
        return before != (self.bad, self.cancelled, self.absolved)

    def _of_another(self, fact: InstanceStatus | FinalizationReported, now: Instant) -> None:
        if isinstance(fact, FinalizationReported):
            done = fact.finalization
            self.finalizations.setdefault(fact.instance, {}).setdefault(done.version, min(done.at, now))
        else:
            self._neighbour(fact, now)

    def _neighbour(self, fact: InstanceStatus, now: Instant) -> None:
        if fact.number <= self.numbers.get(fact.instance, 0):
            return
        self.numbers[fact.instance] = fact.number
        known = self.finalizations.setdefault(fact.instance, {})
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
