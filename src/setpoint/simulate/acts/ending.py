"""Orders that expire (§10.8)."""

from __future__ import annotations

from setpoint.core import scope
from setpoint.core.facts import Held, Observing, Order, Paused, Pinned, Skipped, Stopped
from setpoint.model.policy import Strategy
from setpoint.model.time import Duration, Instant
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class Brief(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """An order to one instance, or to the scope above it, that lasts for a while and is not withdrawn."""

    instance: str
    order: str
    """``hold``, ``observe``, ``pin``, ``skip``, ``stop`` or ``pause``."""
    lasts: Duration
    which: int = 0
    """Of a pin: the release, counted from the newest, around; of an order to a scope: which scope above."""

    def perform(self, environment: Environment) -> None:
        """Give it, where it means something."""
        end = environment.world.now + environment.world.offset + self.lasts
        if self.order in {"stop", "pause"}:
            above = scope.above(environment.policies[self.instance].labels)
            kind = Stopped if self.order == "stop" else Paused
            environment.signal(above[self.which % len(above)], kind(by=self.signed("for a while"), until=end))
        elif order := self._order(environment, end):
            environment.send(self.instance, order)

    def _order(self, environment: Environment, end: Instant) -> Order | None:
        by, life = self.signed("for a while"), environment.state(self.instance).life
        if self.order == "hold":
            return Held(by=by, until=end)
        if self.order == "observe":
            return Observing(by=by, until=end)
        if self.order == "skip":
            return Skipped(by=by, until=end, release=life.candidate.release, gate="*") if life.candidate else None
        if not life.offers or environment.policies[self.instance].strategy is Strategy.MIRROR:
            return None
        return Pinned(by=by, until=end, offer=life.offers[-1 - self.which % len(life.offers)])

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} gives the order to {self.order} {self.instance} for {self.lasts // 60_000} min"
