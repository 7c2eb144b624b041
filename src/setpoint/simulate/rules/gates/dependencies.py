"""Dependencies: services after others in their channel, and how far a rollback may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.facts import Fact, InstanceStatus
from setpoint.core.instance.state import offer_of
from setpoint.model.grammars import versions
from setpoint.model.policy import ServiceOrdering
from setpoint.model.release import Offer
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule


@dataclass
class DependencyLedger(FamilyLedger):
    """What others published last, as far as this one knows."""

    last: dict[str, InstanceStatus] = field(default_factory=dict)

    def take(self, fact: Fact) -> None:
        """The highest number counts."""
        if isinstance(fact, InstanceStatus):
            known = self.last.get(fact.instance)
            if known is None or known.number < fact.number:
                self.last[fact.instance] = fact

    def abstains(self, instance: str, release: int) -> bool:
        """Whether an instance takes no part in a configuration release."""
        known = self.last.get(instance)
        return known is not None and release in known.abstains

    def declines(self, instance: str, offer: Offer, release: int) -> bool:
        """Whether an instance does not take a release of an attempt."""
        known = self.last.get(instance)
        if known is None:
            return False
        if offer.configuration is not None and release == offer.configuration.release:
            return release in known.declined or release in known.abstains or offer.configured < known.configuration_frontier
        return release in known.declined or offer.release < known.frontier

    def failed(self, instance: str, offer: Offer, release: int) -> bool:
        """Whether an instance went back from a release of an attempt, or from that very pair."""
        known = self.last.get(instance)
        if known is None:
            return False
        revoked = release == offer.release and any(one.covers(offer.version) for one in known.revoked)
        return revoked or any(one.concerns(release) or one.version == offer.version for one in known.rolled_back)

    def pair_failed(self, instance: str, offer: Offer) -> bool:
        """Whether that very pair failed there."""
        known = self.last.get(instance)
        return known is not None and any(one.version == offer.version for one in known.rolled_back)


FAMILY_LEDGERS.append(DependencyLedger)


@rule("ordered")
def after_services(step: Step) -> Iterator[Complaint]:
    """The other service had finalized what is required of it, or gone on from it, and runs a version in the range."""
    if step.forward is None:
        return
    _, offer, policy = step.forward
    for ordering in policy.services:
        for part in step.needing(ordering.when, ordering.name, policy, offer):
            step.saw("ordered")
            yield from (_after_configuration if part.configures else _after)(step, ordering, offer)


def _after_configuration(step: Step, ordering: ServiceOrdering, offer: Offer) -> Iterator[Complaint]:
    """A configuration waits for services of its own release only (§10.1)."""
    configuration = offer.configuration
    revision = configuration.after.get(ordering.instance) if configuration else None
    required = offer.beside.get(ordering.instance)
    if (
        configuration is None
        or revision is None
        or (required and required.together)
        or step.ledger.of(DependencyLedger).abstains(ordering.instance, configuration.release)
    ):
        return
    if not any(version.revision == revision for version in step.ledger.finalizations.get(ordering.instance, {})):
        yield f"{ordering.name}: {revision} was not finalized there"


def _after(step: Step, ordering: ServiceOrdering, offer: Offer) -> Iterator[Complaint]:
    required, status = offer.beside.get(ordering.instance), step.ledger.of(DependencyLedger).last.get(ordering.instance)
    runs = required.version if required and required.together else status.version if status else None
    if runs is None or not versions.parse_range(ordering.range).contains(runs.name):
        yield f"{ordering.name}: runs {runs}, and {ordering.range} is needed"
    if required and not required.together:
        done = any(version.same(required.version) for version in step.ledger.finalizations.get(ordering.instance, {}))
        if not done and not (status and status.good.release > required.release):
            yield f"{ordering.name}: {required.version.name} was not finalized there"


@rule("safe-back")
def not_below(step: Step) -> Iterator[Complaint]:
    """The engine never goes back below the floor of what failed."""
    rollout = step.went_back()
    if rollout is None:
        return
    failed = offer_of(step.before.life, rollout.attempt.pair) or offer_of(step.after.life, rollout.attempt.pair)
    to = offer_of(step.after.life, rollout.to)
    if failed and to and failed.not_below:
        step.saw("safe-back")
        if below(failed, to.version.name):
            yield f"went back to {to.version.name}, below {failed.not_below}"


def below(failed: Offer, name: str) -> bool:
    """Whether a version is older than the floor of what failed, or cannot be compared with it."""
    bound, found = versions.parse(failed.not_below), versions.parse(name)
    if not failed.not_below or failed.not_below == name:
        return False
    return bound is None or found is None or found < bound
