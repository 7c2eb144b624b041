"""First contact: what runs already is good only once a look has shown it (§5 First contact and removal)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.facts import Fact, Observed, Offered
from setpoint.core.instance.state import NOTHING, offer_of
from setpoint.core.instructions import Apply
from setpoint.model.observation import Observation
from setpoint.model.release import Offer
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule


@dataclass
class FirstContact(FamilyLedger):
    """Release to adopt -> the looks that the world had made when it arrived; and the newest look that was delivered."""

    looks: dict[int, int] = field(default_factory=dict)
    newest: Observed | None = None

    def take(self, fact: Fact) -> None:
        """Write the newest look down."""
        if isinstance(fact, Observed) and (self.newest is None or fact.look > self.newest.look):
            self.newest = fact

    def write_down(self, step: Step) -> None:
        """Note when an adoption was requested."""
        for fact in step.turn.facts:
            if isinstance(fact, Offered) and fact.offer.adopt:
                self.looks.setdefault(fact.offer.release, step.world.effects.looks)


FAMILY_LEDGERS.append(FirstContact)


@rule("adopted")
def adopted(step: Step) -> Iterator[Complaint]:
    """Without a rollout only a requested adoption is finalized, after a look that shows just that version, healthy.

    Nothing is applied for it, and it ends once anything is deployed.
    """
    if step.before.life.target and step.after.life.adopting:
        yield "an adoption is still open where something is deployed"
    taken_over = list(_taken_over(step))
    for offer in taken_over:
        step.saw("adopted")
        yield from _judged(step, offer)
    adopting = step.before.life.adopting
    waits = adopting is not None and not adopting.failed
    if (waits or taken_over) and step.after.life.rollout is None:
        for given in step.turn.decision.instructions:
            if isinstance(given, Apply) and not given.down:
                yield f"applied {given.spec} to adopt what runs"


def _taken_over(step: Step) -> Iterator[Offer]:
    """What was finalized without a rollout, and would not run exactly what was deployed already."""
    life = step.before.life
    deployed = {life.target, life.good if life.target else NOTHING, life.rollout.to if life.rollout else NOTHING}
    runs = {offer.spec for pair in deployed if (offer := offer_of(life, pair))}
    for event in step.events("finalized"):
        pair = step.ledger.pair(event)
        offer = offer_of(step.after.life, pair) or offer_of(life, pair)
        if offer and offer.spec not in runs:
            yield offer
            runs.add(offer.spec)


def _judged(step: Step, offer: Offer) -> Iterator[Complaint]:
    name, ledger = offer.version.name, step.ledger.of(FirstContact)
    if not offer.adopt:
        yield f"finalized {name} without a rollout, and no person adopts it"
    if step.before.life.target:
        yield f"adopted {name} where {step.before.life.target} was deployed"
    since = ledger.looks.get(offer.release)
    if since is None or ledger.newest is None or ledger.newest.look <= since:
        yield f"adopted {name} although no look began after it was requested"
    elif not _shows(ledger.newest.observation, offer.spec):
        yield f"adopted {name} although the newest look shows {ledger.newest.observation}"


def _shows(observation: Observation, spec: str) -> bool:
    """Whether exactly this spec runs, whole and healthy."""
    whole = observation.complete and not observation.difference and bool(observation.objects)
    return whole and all(thing.active and thing.healthy and thing.digest == spec for thing in observation.objects)
