"""Versions found bad, or good after all; releases cancelled."""

from __future__ import annotations

from setpoint.core.facts import Cancelled, Marked
from setpoint.model.names import line_entity
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class Mark(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A version is bad, or good after all."""

    application: str
    service: str
    version: str
    bad: bool = True

    def perform(self, environment: Environment) -> None:
        """Send it to the line."""
        fact = Marked(by=self.signed("a finding"), service=self.service, version=self.version, bad=self.bad)
        environment.signal(line_entity(self.application), fact)

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} marks {self.service} {self.version} {'bad' if self.bad else 'good'}"


@act
class CancelRelease(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A release goes nowhere any more."""

    application: str
    release: int

    def perform(self, environment: Environment) -> None:
        """Send it to the line."""
        environment.signal(line_entity(self.application), Cancelled(by=self.signed("a finding"), release=self.release))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} cancels release {self.release}"
