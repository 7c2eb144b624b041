"""One act: somebody asks for something, at a moment, through the one door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.model.people import By, Person
from setpoint.model.time import Duration, Instant

if TYPE_CHECKING:
    from setpoint.control.control import Control


DRY_RUN = "dry-run"
"""Identity of what is only rehearsed."""


@dataclass(frozen=True)
class Act:
    """What a handler works with."""

    control: Control
    person: Person
    now: Instant
    """By the wall clock."""
    request: str
    """Identity of the request: the same one twice does nothing twice."""

    @property
    def offset(self) -> Duration:
        """How far the wall clock is beyond the steady clock that states and reasons go by (§10.17)."""
        return self.control.engine.clock.offset

    @property
    def steady(self) -> Instant:
        """``now`` by the steady clock."""
        return self.now - self.offset

    def by(self, why: str = "") -> By:
        """Who did it, for facts."""
        return By(self.person.name, why)
