"""The two clocks of a host (§10.17), and the alarm that waits for them.

``now`` is steady: wall-clock time when the data directory was first used, advanced by the monotonic clock from then on. The wall
clock may be set at any moment, by a person, a time server or a machine that wakes up; ``offset`` is how far it is beyond ``now``.

A test may move a host's clocks, so nothing waits for an instant in one piece: an alarm looks again at the latest every ``step``.
"""

from __future__ import annotations

import asyncio
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec import structs

from setpoint.core.facts import Fact
from setpoint.engine.port import Clock
from setpoint.model.time import DAY, SECOND, Duration, Instant, Stamp, approximate_duration

OFFSET_VARIABLE = "SETPOINT_CLOCK_OFFSET_FILE"
"""Names a file holding milliseconds to add to both clocks, and perhaps others to add to the wall clock alone."""
_OFFSET_AGE = 0.05
STEP: Duration = 1000
_OFFSET_STEP: Duration = 100
LONGEST_REST: Duration = DAY
"""So much of the time in which no engine ran counts as having passed."""
SET: Duration = 100
"""A wall clock that differs by less from what it should show was not set: it was read a moment later."""
NOTED: Duration = 5 * SECOND
"""From this difference on the log warns people."""

Read = Callable[[], tuple[Instant, Instant]]
"""(wall clock, monotonic clock) of one moment, in milliseconds."""
AnyKind = TypeVar("AnyKind", bound=Fact)


class Jump(NamedTuple):
    """The wall clock is not where it should be."""

    by: Duration
    down: bool
    """It was noticed at a start."""

    def __str__(self) -> str:
        much = approximate_duration(abs(self.by))
        if not self.down:
            how = "back" if self.by < 0 else "forward, or the machine was suspended"
            return f"the wall clock was set {much} {how}; durations are not affected"
        if self.by < 0:
            return f"the wall clock was set {much} back while no engine ran; durations go on from where they were"
        return f"no engine ran for more than {approximate_duration(LONGEST_REST)}; durations do not count {much} of it"


class HostClock:
    """The steady clock, and how far the wall clock is beyond it. ``start`` comes first."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._now, self._monotonic = read()
        self.offset: Duration = 0
        self._offsets: list[Stamp] = []
        """From when on which offset was in force, oldest first."""

    def start(self, last: Stamp | None, offsets: Sequence[Stamp] = ()) -> Jump | None:
        """Go on from the last durable stamp; None: there is none, the steady clock begins with the wall clock."""
        wall, self._monotonic = self._read()
        passed = wall - last.wall if last else 0
        counted = min(max(passed, 0), LONGEST_REST)
        self._now = last.at + counted if last else wall
        self.offset = last.offset if last else 0
        self._offsets = list(offsets)
        if passed == counted:
            return None
        self._set(passed - counted)
        return Jump(passed - counted, down=True)

    def __call__(self) -> Instant:
        """Steady time; it never goes back."""
        return self._advance(self._read()[1])

    def stamp(self) -> Stamp:
        """This moment."""
        return Stamp(self(), self.offset)

    def wall(self) -> Instant:
        """What the wall clock shows."""
        return self._read()[0]

    def wall_at(self, steady: Instant) -> Instant:
        """What the wall clock showed, or would show, at a steady time: what people read."""
        if not self._offsets:
            return steady
        found = bisect_right(self._offsets, steady, key=lambda one: one.at)
        return steady + (self._offsets[found - 1].offset if found else 0)

    @property
    def was_set(self) -> bool:
        """Whether the wall clock was ever beyond the steady one, or behind it."""
        return bool(self._offsets)

    @property
    def newest(self) -> Stamp:
        """Since when the present offset is in force."""
        return self._offsets[-1] if self._offsets else Stamp(0, 0)

    def stamped(self, fact: AnyKind) -> AnyKind:
        """A fact that happens now."""
        return structs.replace(fact, at=self(), offset=self.offset)

    def look(self) -> Jump | None:
        """Find out whether the wall clock was set since the last look; from now on its new time is stamped."""
        wall, monotonic = self._read()
        by = wall - self._advance(monotonic) - self.offset
        if abs(by) < SET:
            return None
        self._set(by)
        return Jump(by, down=False)

    def _set(self, by: Duration) -> None:
        self.offset += by
        self._offsets.append(Stamp(self._now, self.offset))

    def _advance(self, monotonic: Instant) -> Instant:
        self._now += max(0, monotonic - self._monotonic)
        self._monotonic = monotonic
        return self._now


def system_clock() -> Instant:
    """The wall clock of the machine."""
    return time.time_ns() // 1_000_000


def monotonic_clock() -> Instant:
    """The monotonic clock of the machine: it stands still while that is suspended, and a new start begins anywhere."""
    return time.monotonic_ns() // 1_000_000


class OffsetClock:
    """The real clocks plus what a file holds; a number that cannot be read counts as the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets = (0, 0)
        self._read_at = float("-inf")

    def __call__(self) -> tuple[Instant, Instant]:
        """See ``Read``."""
        if time.monotonic() - self._read_at > _OFFSET_AGE:
            self._read_at = time.monotonic()
            self._offsets = self._read()
        both, wall = self._offsets
        return system_clock() + both + wall, monotonic_clock() + both

    def _read(self) -> tuple[int, int]:
        try:
            both, wall = (*map(int, self._path.read_text().split()), 0, 0)[:2]
        except FileNotFoundError:
            return 0, 0
        except ValueError:
            return self._offsets
        return both, wall


def _system() -> tuple[Instant, Instant]:
    return system_clock(), monotonic_clock()


def host_clock() -> tuple[Read, Duration]:
    """Return the clocks that the environment selects, and the longest wait before looking at them again (ms)."""
    path = os.environ.get(OFFSET_VARIABLE)
    return (OffsetClock(Path(path)), _OFFSET_STEP) if path else (_system, STEP)


def clocks(wall: Clock, monotonic: Clock | None) -> Read:
    """Clocks of a test; without a monotonic one both are one clock, read once."""

    def read() -> tuple[Instant, Instant]:
        shown = wall()
        return shown, monotonic() if monotonic else shown

    return read


class Alarm:
    """Calls back when a delay is over; only the soonest one set counts, and setting it again is cheap."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> None:
        """Ring after ``seconds`` at the latest."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0)
        if self._handle is not None:
            if self._handle.when() <= when:
                return
            self._handle.cancel()
        self._handle = loop.call_at(when, self._rung)

    def stop(self) -> None:
        """Do not ring any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _rung(self) -> None:
        self._handle = None
        self._ring()
