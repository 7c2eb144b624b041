"""Scopes that are stopped or paused for a while."""

from __future__ import annotations

from setpoint.core import scope
from setpoint.core.facts import Paused, Started, Stopped, Unpaused
from setpoint.model.people import By
from setpoint.model.time import Duration
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class Stop(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Freeze a scope: no forward start below it."""

    scope: str
    lasts: Duration
    in_flight: str = "finish"
    """What becomes of what is under way: ``finish`` or ``pause``."""

    def perform(self, environment: Environment) -> None:
        """Stop, and start again later."""
        environment.signal(self.scope, Stopped(by=self.signed("a storm"), in_flight=self.in_flight))
        environment.later(self.lasts, Start(by=self.by, scope=self.scope))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        also = ", what is under way too," if self.in_flight == "pause" else ""
        return f"{self.by} stops {scope.name_of(self.scope)}{also} for {self.lasts // 60_000} min"


@act
class Pause(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Pause a scope: no apply at all below it."""

    scope: str
    lasts: Duration

    def perform(self, environment: Environment) -> None:
        """Pause, and go on later."""
        environment.signal(self.scope, Paused(by=self.signed("a storm")))
        environment.later(self.lasts, Unpause(by=self.by, scope=self.scope))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} pauses {scope.name_of(self.scope)} for {self.lasts // 60_000} min"


@act
class Start(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Unfreeze a scope: forward starts continue."""

    scope: str

    def perform(self, environment: Environment) -> None:
        """Start."""
        environment.signal(self.scope, Started(by=self.signed("the storm is over")))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} starts the line of {scope.name_of(self.scope)} again"


@act
class Unpause(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Unpause a scope: applies continue."""

    scope: str

    def perform(self, environment: Environment) -> None:
        """Unpause."""
        environment.signal(self.scope, Unpaused(by=self.signed("the storm is over")))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} lets {scope.name_of(self.scope)} go on"


def go_on(environment: Environment) -> None:
    """Unfreeze and unpause every scope."""
    by = By("ann", "all is well")
    for entity in environment.scopes:
        environment.signal(entity, Started(by=by))
        environment.signal(entity, Unpaused(by=by))
