"""Acts: what happens to a simulated world from outside, as data – so that a run can be shown, written to a file and cut shorter.

A module of this package adds its kinds by ``@act``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from setpoint.model.people import By
from setpoint.model.time import Duration

if TYPE_CHECKING:
    from setpoint.simulate.world.environment import Environment


class Upon(msgspec.Struct, frozen=True, omit_defaults=True):
    """A moment that only the run itself brings: the ``nth`` history line of ``kind`` about an instance."""

    kind: str
    """Kind of a history line: ``target-moved``, ``rolling-back``, ``finalized`` …"""
    instance: str
    nth: int = 1


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """One act. It reads whatever else it needs from the world when it is performed."""

    at: Duration = 0
    """After the start, or after ``upon``."""
    upon: Upon | None = None

    def perform(self, environment: Environment) -> None:
        """Perform the act now."""
        raise NotImplementedError

    def again(self, by: Duration, _time: int) -> Act:
        """Return the same act, later by a duration, when everything happens once more, for the ``_time``-th time."""
        return msgspec.structs.replace(self, at=self.at + by)

    def words(self) -> str:
        """Return a sentence for people that describes the act."""
        raise NotImplementedError


class HumanAct(Act, frozen=True, kw_only=True, omit_defaults=True):
    """An act of a person."""

    by: str
    """A person's name."""

    def signed(self, why: str = "a whim") -> By:
        """Return who acts and why."""
        return By(self.by, why)


ACTS: list[type[Act]] = []

AnyAct = TypeVar("AnyAct", bound=type[Act])


def act(kind: AnyAct) -> AnyAct:
    """Register a kind of act."""
    ACTS.append(kind)
    return kind
