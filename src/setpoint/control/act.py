"""One act: somebody asks for something, at a moment, through the one door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.model.people import By, Person
from setpoint.model.time import Instant

if TYPE_CHECKING:
    from setpoint.control.control import Control


@dataclass(frozen=True)
class Act:
    """What a handler works with."""

    control: Control
    person: Person
    now: Instant
    request: str
    """Identity of the request: the same one twice does nothing twice."""

    def by(self, why: str = "") -> By:
        """Who did it, for facts."""
        return By(self.person.name, why)
