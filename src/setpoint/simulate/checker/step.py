"""One turn as rules read it: the state before and after, and what the turn did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from setpoint.core.facts import RolledBack
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import Attempt, InstanceState, Life, Rollout, offer_of
from setpoint.core.instructions import Event, Record
from setpoint.model.grammars.selector import Selector
from setpoint.model.names import key_of, parse_topic
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant
from setpoint.simulate.checker.ledger import Ledger, VetoRecord
from setpoint.simulate.checker.memory import RuleMemory
from setpoint.simulate.checker.requirements import AttemptRelease, attempt_releases, matches
from setpoint.simulate.world.host import TurnRecord, World


@dataclass
class Moment:
    """One turn of any actor."""

    memory: RuleMemory
    world: World
    turn: TurnRecord
    now: Instant
    """As the engine takes it: the turn's newest stamp."""

    def saw(self, name: str) -> None:
        """Count that a precondition of an invariant held."""
        self.memory.preconditions[name] += 1

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
        self.instance = key_of(self.turn.entity)
        self.still = self.after is self.turn.before
        """Whether nothing changed at all."""
        self.moved = self._moved()
        self.forward = self._forward()
        self.became_good = self._became_good()
        self.judged = self.after.life if self.forward and self.became_good else self.before.life
        """What the attempt that started was judged against: the turn may have changed what is *good* first (§10.1 Gated)."""

    def _moved(self) -> bool:
        """Whether target moved, or another rollout to the same release began."""
        old, new = self.before.life.rollout, self.after.life.rollout
        new_rollout = new is not None and (old is None or old.attempt.number != new.attempt.number or old.to != new.to)
        return new_rollout or self.before.life.target != self.after.life.target

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
        """What the wall clock shows, as far as the instance knows."""
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
        """Whether a gate concerns a release of an attempt for which it is not skipped."""
        return bool(self.needing(when, gate, policy, offer, life))

    def needing(
        self, when: Selector | None, gate: str, policy: Policy, offer: Offer, life: Life | None = None
    ) -> list[AttemptRelease]:
        """The releases of an attempt that need this gate: its ``when`` matches them, and it is not skipped for them.

        ``life``: what it is judged against, if that is not what one that starts now is.
        """
        life = life or self.judged
        return [
            part
            for part in attempt_releases(life, offer)
            if matches(when, policy, life, offer, part) and not self.skipped(part.release, gate)
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
        """Record in the ledger what this turn did."""
        ledger = self.ledger
        for family in ledger.families.values():
            family.write_down(self)
        for event in self.events("attempt-ended"):
            if event.outcome == "replaced" and event.configuration:
                ledger.started.pop(ledger.pair(event), None)  # a configuration that gave way and never failed comes again
        if self.forward:
            attempt, _, _ = self.forward
            ledger.started[attempt.pair] += 1
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
        ledger.vetoed[pair] = VetoRecord(offer.version, whole)
        if from_rest:
            for version in [one for one in ledger.finalized if one == offer.version or (whole and one.same(offer.version))]:
                ledger.finalized.pop(version)

    def _use_up(self, release: int) -> None:
        for topic, votes in self.ledger.votes.items():
            if parse_topic(topic).release == release:
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
            self.ledger.vetoed[veto.pair] = VetoRecord(veto.version, veto.scope == "version", configures)
            self._use_up(veto.release)
            if veto.scope == "pair":
                self._use_up(self.ledger.number(veto.pair))
