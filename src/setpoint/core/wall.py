"""The wall clock as an actor knows it: durations go by ``now``, which is steady; calendars and ends that people give go by this.

A turn learns it from its facts. It is part of the state, so that whatever reads the state reads the same clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setpoint.core.facts.base import Fact
from setpoint.model.calendars.zones import LATEST
from setpoint.model.time import Duration, Instant


class Wall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How far the wall clock is beyond steady time."""

    offset: Duration = 0
    since: Instant = 0
    """Steady time of the fact with that offset: an older fact that arrives late has the offset of a clock that was set since."""

    def at(self, now: Instant) -> Instant:
        """What it shows at a steady time."""
        return now + self.offset

    def steady(self, wall: Instant) -> Instant:
        """The steady time at which it shows ``wall``, unless it is set before."""
        return wall - self.offset if wall < LATEST else wall

    def until(self, wall: Instant | None) -> Instant | None:
        """As ``steady``; None stays None."""
        return None if wall is None else self.steady(wall)

    def updated(self, facts: Sequence[Fact]) -> Wall:
        """As the newest of these facts knows it; the very same object if that is nothing new."""
        newest = newest_of(facts)
        if newest is None or newest.offset == self.offset or newest.at < self.since:
            return self
        return Wall(newest.offset, newest.at)


def newest_of(facts: Sequence[Fact]) -> Fact | None:
    """The fact with the newest stamp, the last one of equals: its clock counts for the turn."""
    newest = None
    for fact in facts:
        if newest is None or fact.at >= newest.at:
            newest = fact
    return newest


def wall_of(facts: Sequence[Fact], now: Instant) -> Instant:
    """What the wall clock shows in a turn with these facts."""
    newest = newest_of(facts)
    return now + newest.offset if newest else now
