"""Random numbers that replay: each depends on the seed, its purpose, its subject and how many came before – nothing else.

A run that is cut short by some of its acts keeps its random numbers everywhere else: that is what makes a failure shrinkable.
"""

from __future__ import annotations

from zlib import crc32

_ALL = 0xFFFFFFFF
_STEP = 0x9E3779B9
SIDES = 1 << 32
"""A roll is below this."""


class Rng:
    """Rolls of a seed."""

    __slots__ = ("_rolled", "_seed")

    def __init__(self, seed: int) -> None:
        self._seed = crc32(str(seed).encode())
        self._rolled: dict[tuple[str, str], list[int]] = {}
        """(what for, for whom) -> [where its numbers begin, how many were rolled]."""

    def roll(self, what: str, whom: str) -> int:
        """The next number for this, evenly from 0 to ``SIDES``."""
        known = self._rolled.get((what, whom))
        if known is None:
            known = self._rolled[what, whom] = [crc32(f"{what}/{whom}".encode(), self._seed), 0]
        known[1] = number = known[1] + 1
        mixed = (known[0] + number * _STEP) & _ALL
        mixed = ((mixed ^ mixed >> 16) * 0x7FEB352D) & _ALL
        mixed = ((mixed ^ mixed >> 15) * 0x846CA68B) & _ALL
        return mixed ^ mixed >> 16

    def amount(self, low: int, high: int, what: str, whom: str, nth: int) -> int:
        """A number from ``low`` to ``high`` that belongs to the ``nth`` of something, whenever it is drawn."""
        return low + crc32(f"{what}/{whom}/{nth}".encode(), self._seed) * (high - low + 1) // SIDES

    def rolled(self, what: str, whom: str) -> int:
        """How many numbers were rolled for this so far."""
        known = self._rolled.get((what, whom))
        return known[1] if known else 0

    def chance(self, probability: float, what: str, whom: str) -> bool:
        """Whether something happens that is so likely."""
        return self.roll(what, whom) < probability * SIDES

    def between(self, low: int, high: int, what: str, whom: str) -> int:
        """A number from ``low`` to ``high``, both included."""
        return low + self.roll(what, whom) * (high - low + 1) // SIDES
