"""What happens to runtimes by themselves."""

from __future__ import annotations

from setpoint.model.time import Duration
from setpoint.simulate.acts.base import Act, act, when_fair
from setpoint.simulate.stage import Stage


class Accident(Act, frozen=True, kw_only=True, omit_defaults=True):
    """At the place of one instance."""

    instance: str


@act
class Outage(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """It cannot be reached for a while."""

    lasts: Duration

    def perform(self, stage: Stage) -> None:
        """Cut it off, and bring it back later."""
        stage.runtimes.place(self.instance).unreachable = True
        stage.later(self.lasts, Recovery(instance=self.instance))
        stage.world.hint(f"instance:{self.instance}")

    def words(self) -> str:
        """What happens."""
        return f"{self.instance} cannot be reached for {self.lasts // 60_000} min"


@act
class Drift(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody changed what runs."""

    difference: str
    stubborn: bool = False
    """Applying does not put it right."""

    def perform(self, stage: Stage) -> None:
        """Change it, where something runs."""
        place = stage.runtimes.place(self.instance)
        if place.running:
            place.difference = self.difference
            place.stubborn = self.difference if self.stubborn else ""
        stage.world.hint(f"instance:{self.instance}")

    def words(self) -> str:
        """What happens."""
        return f"{self.instance} drifts ({self.difference}){', and applying does not help' if self.stubborn else ''}"


@act
class Vanish(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody took everything down."""

    def perform(self, stage: Stage) -> None:
        """Take it down, where something runs."""
        place = stage.runtimes.place(self.instance)
        if place.running:
            place.running, place.gone = "", True
        stage.world.hint(f"instance:{self.instance}")

    def words(self) -> str:
        """What happens."""
        return f"what runs for {self.instance} is taken down"


@act
class Recovery(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """It answers again."""

    def perform(self, stage: Stage) -> None:
        """Let it answer."""
        reach(stage, self.instance)

    def words(self) -> str:
        """What happens."""
        return f"{self.instance} answers again"


@act
class ClockSet(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The wall clock is set."""

    by: Duration

    def perform(self, stage: Stage) -> None:
        """Set it, forward or back."""
        stage.world.set_clock(self.by)
        stage.world.misfortunes.counts("clock")

    def words(self) -> str:
        """What happens."""
        return f"the wall clock is set {abs(self.by) // 1000} s {'forward' if self.by > 0 else 'back'}"


@act
class Asleep(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The engine's machine is suspended for a while."""

    lasts: Duration

    def perform(self, stage: Stage) -> None:
        """Suspend it."""
        stage.world.sleep(self.lasts)
        stage.world.misfortunes.counts("clock")

    def words(self) -> str:
        """What happens."""
        return f"the engine's machine sleeps for {self.lasts // 60_000} min"


def reach(stage: Stage, instance: str) -> None:
    """It answers again, and nothing resists any more."""
    place = stage.runtimes.place(instance)
    place.stubborn = ""
    place.unreachable, place.reachable_since = False, stage.world.now
    stage.world.hint(f"instance:{instance}")


@when_fair
def mend(stage: Stage) -> None:
    """Protections pass, runtimes answer and do as they are told."""
    stage.checks.pass_from(stage.world.now)
    stage.runtimes.fair = stage.world.tasks.fair = True
    for instance in stage.instances:
        reach(stage, instance)
