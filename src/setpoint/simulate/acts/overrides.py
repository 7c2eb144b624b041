"""Overrides of one instance by a person: skip, pin, hold, roll back, retry, observe."""

from __future__ import annotations

from setpoint.core.facts import Healing, Held, Observing, Pinned, Resumed, Retried, RolledBack, Skipped, Unpinned
from setpoint.core.instance.selection import RELEASE
from setpoint.core.instance.state import offer_of
from setpoint.model.people import By
from setpoint.model.policy import Strategy
from setpoint.model.time import Duration
from setpoint.simulate.checker.requirements import attempt_releases
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


class OnInstance(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Override of one instance."""

    instance: str


@act
class SkipGate(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Skip one gate of what waits there."""

    gate: str

    def perform(self, environment: Environment) -> None:
        """Skip it for the release that gathers its gates there, if one does."""
        life = environment.state(self.instance).life
        offer = offer_of(life, life.candidate.pair) if life.candidate else None
        for part in attempt_releases(life, offer) if offer else ():
            environment.send(self.instance, Skipped(by=self.signed(), release=part.release, gate=self.gate))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} skips {self.gate} at {self.instance}"


@act
class PassOver(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Take this release off a train."""

    release: int

    def perform(self, environment: Environment) -> None:
        """Take it out of the train."""
        environment.send(self.instance, Skipped(by=self.signed(), release=self.release, gate=RELEASE))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} takes release {self.release} out of the train at {self.instance}"


@act
class Pin(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Pin an instance to one of the releases that it knows."""

    which: int = 0
    """Counted from the newest, around."""

    def perform(self, environment: Environment) -> None:
        """Pin, unless the channel mirrors."""
        offers = environment.state(self.instance).life.offers
        if offers and environment.policies[self.instance].strategy is not Strategy.MIRROR:
            environment.send(self.instance, Pinned(by=self.signed(), offer=offers[-1 - self.which % len(offers)]))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} pins {self.instance} to release {-1 - self.which} of those it knows"


@act
class Unpin(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """End a pin: selection decides again."""

    def perform(self, environment: Environment) -> None:
        """Unpin."""
        environment.send(self.instance, Unpinned(by=self.signed()))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} unpins {self.instance}"


@act
class HoldInstance(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Hold one instance: no automation."""

    def perform(self, environment: Environment) -> None:
        """Hold."""
        environment.send(self.instance, Held(by=self.signed()))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} holds {self.instance}"


@act
class Resume(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """End a hold and reset a breaker."""

    def perform(self, environment: Environment) -> None:
        """Resume."""
        environment.send(self.instance, Resumed(by=self.signed()))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} resumes {self.instance}"


@act
class RollBack(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Roll back to a good version."""

    named: int = 0
    """Which of the versions that were good, counted from the newest, around; 0: none is named."""

    def perform(self, environment: Environment) -> None:
        """Roll back; a version is named only where it differs from target."""
        if not self.named:
            environment.send(self.instance, RolledBack(by=self.signed()))
            return
        life = environment.state(self.instance).life
        goods = [good for good in reversed(life.goods) if good != life.target and good.release not in life.tainted]
        offer = offer_of(life, goods[(self.named - 1) % len(goods)]) if goods else None
        if offer:
            environment.send(self.instance, RolledBack(by=self.signed(), offer=offer))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} rolls {self.instance} back{' to a named version' if self.named else ''}"


@act
class Retry(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Retry what failed."""

    def perform(self, environment: Environment) -> None:
        """Retry, if something failed there."""
        life = environment.state(self.instance).life
        if life.vetoes or life.failure:
            environment.send(self.instance, Retried(by=self.signed()))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} retries {self.instance}"


@act
class Observe(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """Observe an instance for a while without changing it."""

    lasts: Duration

    def perform(self, environment: Environment) -> None:
        """Observe, and let it be healed later."""
        environment.send(self.instance, Observing(by=self.signed("a storm")))
        environment.later(self.lasts, Heal(by=self.by, instance=self.instance))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} only observes {self.instance} for {self.lasts // 60_000} min"


@act
class Heal(OnInstance, frozen=True, kw_only=True, omit_defaults=True):
    """End observing."""

    def perform(self, environment: Environment) -> None:
        """Let it be touched again."""
        environment.send(self.instance, Healing(by=self.signed("the storm is over")))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} lets {self.instance} be healed"


def let_go(environment: Environment) -> None:
    """End pins, holds and observing."""
    by = By("ann", "all is well")
    for instance in environment.instances:
        for fact in (Unpinned(by=by), Resumed(by=by), Healing(by=by)):
            environment.send(instance, fact)
