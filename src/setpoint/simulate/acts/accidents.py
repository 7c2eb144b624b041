"""Accidents of runtimes and of clocks."""

from __future__ import annotations

from setpoint.model.names import instance_entity
from setpoint.model.time import Duration
from setpoint.simulate.world.act import Act, act
from setpoint.simulate.world.environment import Environment


class Accident(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Accident at the runtime of one instance."""

    instance: str


@act
class Outage(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """Outage: the runtime of an instance is unreachable for a while."""

    lasts: Duration

    def perform(self, environment: Environment) -> None:
        """Cut it off, and bring it back later."""
        environment.runtimes.place(self.instance).unreachable = True
        environment.later(self.lasts, Recovery(instance=self.instance))
        environment.world.hint(instance_entity(self.instance))

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"{self.instance} cannot be reached for {self.lasts // 60_000} min"


@act
class Drift(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """What runs was changed from outside."""

    difference: str
    stubborn: bool = False
    """Applying does not put it right."""

    def perform(self, environment: Environment) -> None:
        """Change it, where something runs."""
        place = environment.runtimes.place(self.instance)
        if place.running:
            place.difference = self.difference
            place.stubborn = self.difference if self.stubborn else ""
        environment.world.hint(instance_entity(self.instance))

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"{self.instance} drifts ({self.difference}){', and applying does not help' if self.stubborn else ''}"


@act
class Vanish(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """Everything was taken down from outside."""

    def perform(self, environment: Environment) -> None:
        """Take it down, where something runs."""
        place = environment.runtimes.place(self.instance)
        if place.running:
            place.running, place.gone = "", True
        environment.world.hint(instance_entity(self.instance))

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"what runs for {self.instance} is taken down"


@act
class Recovery(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """Recovery: the runtime of an instance is reachable again."""

    def perform(self, environment: Environment) -> None:
        """Make it reachable."""
        reach(environment, self.instance)

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"{self.instance} answers again"


@act
class ClockSet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The wall clock is set."""

    by: Duration

    def perform(self, environment: Environment) -> None:
        """Set it, forward or back."""
        environment.world.set_clock(self.by)
        environment.world.fault_injector.counts("clock")

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"the wall clock is set {abs(self.by) // 1000} s {'forward' if self.by > 0 else 'back'}"


@act
class Asleep(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The engine's machine is suspended for a while."""

    lasts: Duration

    def perform(self, environment: Environment) -> None:
        """Suspend it."""
        environment.world.sleep(self.lasts)
        environment.world.fault_injector.counts("clock")

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        return f"the engine's machine sleeps for {self.lasts // 60_000} min"


def reach(environment: Environment, instance: str) -> None:
    """Make the runtime of an instance reachable, and let it accept every apply."""
    place = environment.runtimes.place(instance)
    place.stubborn = ""
    place.unreachable, place.reachable_since = False, environment.world.now
    environment.world.hint(instance_entity(instance))


def mend(environment: Environment) -> None:
    """Protections pass, runtimes respond and do what is ordered."""
    environment.checks.pass_from(environment.world.now)
    environment.runtimes.fair = environment.world.tasks.fair = True
    for instance in environment.instances:
        reach(environment, instance)
