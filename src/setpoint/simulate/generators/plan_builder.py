"""The plan under construction: where instances stand, and what the generators have added so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from setpoint.core.facts import AnyFact
from setpoint.model.checks import Outcome
from setpoint.model.names import format_instance
from setpoint.model.people import Person
from setpoint.model.policy import Policy
from setpoint.model.time import HOUR, Duration
from setpoint.simulate.acts import Act

APPLICATION = "app"
SEASON: Duration = 6 * HOUR
PEOPLE = (Person("ann", ("leads",)), Person("bob", ("leads",)), Person("cleo", ()), Person("dan", ("leads", "customer")))


@dataclass(frozen=True)
class InstancePlace:
    """Where an instance stands."""

    service: str
    channel: str
    before: str
    """The channel whose releases come here next, or are mirrored here; empty: this is the first."""
    application: str = APPLICATION

    @property
    def instance(self) -> str:
        """``application/service@channel``."""
        return format_instance(self.application, self.service, self.channel)

    @property
    def upstream(self) -> str:
        """The instance before this one."""
        return format_instance(self.application, self.service, self.before)


@dataclass
class PlanBuilder:
    """A plan under construction: generators change its policies and add acts, timetables and facts."""

    seed: int
    policies: dict[str, Policy]
    places: tuple[InstancePlace, ...] = ()
    """Where policies were drawn; empty for a configuration of the user."""
    people: tuple[Person, ...] = PEOPLE
    seasons: int = 1
    """How long things go wrong, in parts of six hours: small worlds need longer for as much to happen."""
    facts: list[tuple[str, AnyFact]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    timetable: dict[str, tuple[tuple[Duration, Outcome], ...]] = field(default_factory=dict)
    takes: dict[str, Duration] = field(default_factory=dict)

    @property
    def instances(self) -> list[str]:
        """All of them."""
        return list(self.policies)

    @property
    def unfair(self) -> Duration:
        """How long things go wrong."""
        return self.seasons * SEASON

    def some(self, draw: Random, least: int, most: int) -> int:
        """How often something happens that happens so often in a season."""
        return sum(draw.randint(least, most) for _ in range(self.seasons))

    def sometime(self, draw: Random) -> Duration:
        """A moment while things go wrong."""
        return draw.randint(1, self.unfair)

    def person(self, draw: Random) -> str:
        """The name of one of the people."""
        return draw.choice(self.people).name


def rng(*key: object) -> Random:
    """Random numbers of one's own: the same key draws the same at every replay."""
    return Random("/".join(map(str, key)))  # noqa: S311 - it must replay
