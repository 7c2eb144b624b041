"""The register of what a seed draws: a file of this package adds to policies by ``@policy_piece``, to the plan by ``@happening``.

Each piece has luck of its own, so that a new piece leaves what the others draw as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from setpoint.core.facts import AnyFact
from setpoint.model.checks import Outcome
from setpoint.model.people import Person
from setpoint.model.policy import Policy
from setpoint.model.time import HOUR, Duration
from setpoint.simulate.acts import Act

APPLICATION = "app"
SEASON: Duration = 6 * HOUR
PEOPLE = (Person("ann", ("leads",)), Person("bob", ("leads",)), Person("cleo", ()), Person("dan", ("leads", "customer")))


@dataclass(frozen=True)
class Place:
    """Where an instance stands."""

    service: str
    channel: str
    before: str
    """The channel whose releases come here next, or are mirrored here; empty: this is the first."""
    application: str = APPLICATION

    @property
    def instance(self) -> str:
        """``application/service@channel``."""
        return f"{self.application}/{self.service}@{self.channel}"

    @property
    def upstream(self) -> str:
        """The instance before this one."""
        return f"{self.application}/{self.service}@{self.before}"


@dataclass
class Sketch:
    """A plan under way."""

    seed: int
    policies: dict[str, Policy]
    places: tuple[Place, ...] = ()
    """Where policies were drawn; empty for a configuration of somebody's own."""
    people: tuple[Person, ...] = PEOPLE
    seasons: int = 1
    """How long things go wrong, in parts of six hours: small worlds need longer for as much to happen."""
    told: list[tuple[str, AnyFact]] = field(default_factory=list)
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
        """Somebody's name."""
        return draw.choice(self.people).name


PolicyPiece = Callable[[Place, Policy, Random], Policy]
Happening = Callable[[Sketch, Random], None]

POLICY_PIECES: list[PolicyPiece] = []
HAPPENINGS: list[Happening] = []


def policy_piece(function: PolicyPiece) -> PolicyPiece:
    """Register a part of policies: it gets where the instance stands and what is drawn so far, and gives more."""
    POLICY_PIECES.append(function)
    return function


def happening(function: Happening) -> Happening:
    """Register something that may happen: it adds acts, timetables, facts to the sketch."""
    HAPPENINGS.append(function)
    return function


def luck(*key: object) -> Random:
    """Luck of one's own, the same at every replay."""
    return Random("/".join(map(str, key)))  # noqa: S311 - it must replay


def name_of(piece: Callable[..., object]) -> str:
    """``file.function``: what its luck depends on."""
    return f"{piece.__module__.rpartition('.')[2]}.{piece.__name__}"


def policy(seed: int, place: Place, revision: int) -> Policy:
    """The policy of an instance, as this revision of the configuration has it."""
    labels = {"application": place.application, "channel": place.channel, "service": place.service, "runtime": "local"}
    drawn = Policy(place.instance, labels)
    for piece in POLICY_PIECES:
        drawn = piece(place, drawn, luck(seed, revision, place.instance, name_of(piece)))
    return drawn


def happen(sketch: Sketch, happenings: Sequence[Happening]) -> None:
    """Let everything happen that may."""
    for one in happenings:
        one(sketch, luck(sketch.seed, name_of(one)))
