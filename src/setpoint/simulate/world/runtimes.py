"""A model of runtimes: applies take time, versions behave as the plan configures them, observations may fail."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from setpoint.core.instructions import Apply
from setpoint.model.observation import Object, Observation
from setpoint.model.time import SECOND, Duration, Instant


class Behaviour(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a spec does when it is applied."""

    takes: Duration = 2 * SECOND
    """From the apply's end to all healthy."""
    becomes: str = "healthy"
    """``healthy``, ``failing`` (unhealthy objects) or ``hangs`` (never more than starting)."""
    sickens: Duration = 0
    """So long after it became healthy it turns unhealthy; 0: never."""
    refusals: int = 0
    """So many applies fail transiently first."""
    terminal: bool = False
    spoils: bool = False
    """It runs the first time only: going back to it fails, until the world turns fair."""


@dataclass
class RuntimePlace:
    """What runs for one instance."""

    running: str = ""
    """Digest of the spec that is active; empty: nothing."""
    wanted: str = ""
    """Digest applied last."""
    started: Instant = 0
    healthy: bool = True
    difference: str = ""
    stubborn: str = ""
    """A difference that no apply puts right."""
    gone: bool = False
    """Everything was taken down from outside."""
    unreachable: bool = False
    reachable_since: Instant = 0
    refused: dict[str, int] = field(default_factory=dict)
    tried: dict[str, Instant] = field(default_factory=dict)
    """Digest -> when it was last applied, or refused."""
    ran: set[str] = field(default_factory=set)
    applies: list[tuple[Instant, str, str]] = field(default_factory=list)
    """(when taken on, operation, digest): the truth that invariants are checked against."""


class Runtimes:
    """All places of a world."""

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self.behaviours = behaviours
        self.places: dict[str, RuntimePlace] = {}
        self.fair = False

    def place(self, instance: str) -> RuntimePlace:
        """The place of an instance."""
        return self.places.setdefault(instance, RuntimePlace())

    def behaviour(self, digest: str) -> Behaviour:
        """What a spec does."""
        return self.behaviours.get(digest, Behaviour())

    def _now(self, place: RuntimePlace) -> Behaviour:
        """What the spec applied last does by now."""
        behaviour = self.behaviour(place.wanted)
        gone_back_to = place.running != place.wanted and place.wanted in place.ran
        return Behaviour(behaviour.takes, "failing") if behaviour.spoils and gone_back_to and not self.fair else behaviour

    def perform(self, instance: str, given: Apply, now: Instant) -> tuple[str, bool]:
        """(error, terminal) of an apply, or of taking everything down."""
        return self.take_down(instance) if given.down else self.apply(instance, given.operation, given.spec, now)

    def take_down(self, instance: str) -> tuple[str, bool]:
        """Nothing is left; twice is once."""
        place = self.place(instance)
        if place.unreachable:
            return "the runtime cannot be reached", False
        place.running = place.wanted = place.difference = ""
        return "", False

    def apply(self, instance: str, operation: str, digest: str, now: Instant) -> tuple[str, bool]:
        """(error, terminal); an operation that comes twice is done once."""
        place, behaviour = self.place(instance), self.behaviour(digest)
        place.tried[digest] = now
        if place.unreachable:
            return "the runtime cannot be reached", False
        if behaviour.terminal:
            return "the spec is refused", True
        if place.refused.get(digest, 0) < behaviour.refusals:
            place.refused[digest] = place.refused.get(digest, 0) + 1
            return "try again", False
        if not place.applies or place.applies[-1][1] != operation:
            place.applies.append((now, operation, digest))
        place.difference = place.stubborn
        if place.wanted != digest or place.gone:
            place.gone = False
            place.wanted, place.started = digest, now
        return "", False

    def advance(self, instance: str, now: Instant) -> bool:
        """Let time pass at one place; whether something changed."""
        place = self.place(instance)
        before = (place.running, place.healthy)
        if place.wanted and not place.gone:
            behaviour = self._now(place)
            age = now - place.started
            if place.running != place.wanted and behaviour.becomes == "healthy" and age >= behaviour.takes:
                place.running, place.healthy = place.wanted, True
                place.ran.add(place.wanted)
            if place.running == place.wanted and behaviour.sickens:
                place.healthy = age < behaviour.takes + behaviour.sickens
        return (place.running, place.healthy) != before

    def changes_at(self, instance: str) -> list[Instant]:
        """When this place will change without an apply."""
        place = self.place(instance)
        behaviour = self._now(place)
        ends = [place.started + behaviour.takes]
        if behaviour.sickens:
            ends.append(place.started + behaviour.takes + behaviour.sickens)
        return ends if place.wanted and behaviour.becomes == "healthy" else [place.started + behaviour.takes]

    def observe(self, instance: str, now: Instant) -> Observation:
        """A look."""
        self.advance(instance, now)
        place = self.place(instance)
        objects = []
        if place.running:
            objects.append(Object("1", place.running, place.running, healthy=place.healthy))
        if place.wanted and place.wanted != place.running and not place.gone:
            objects.append(self._starting(place, now))
        settled = bool(place.running) and place.running == place.wanted
        return Observation(tuple(objects), complete=settled, difference=place.difference)

    def _starting(self, place: RuntimePlace, now: Instant) -> Object:
        behaviour = self._now(place)
        failing = behaviour.becomes == "failing" and now - place.started >= behaviour.takes
        return Object("2", place.wanted, place.wanted, healthy=False if failing else None, active=failing)
