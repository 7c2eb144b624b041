"""Clocks of a host, and the alarm that waits for them.

A host's clock may be set, injected or moved by a test, so nothing waits for an instant in one piece: an alarm looks at the clock
again at the latest every ``step``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from setpoint.engine.port import Clock
from setpoint.model.time import Duration, Instant

OFFSET_VARIABLE = "SETPOINT_CLOCK_OFFSET_FILE"
"""Names a file holding milliseconds to add to the real clock; for rehearsals of calendars and cadence."""
_OFFSET_AGE = 0.05
STEP: Duration = 1000
_OFFSET_STEP: Duration = 100


def system_clock() -> Instant:
    """The real clock."""
    return time.time_ns() // 1_000_000


class OffsetClock:
    """The real clock plus what a file says; a missing or unreadable number counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._read_at = float("-inf")

    def __call__(self) -> Instant:
        """Milliseconds since the epoch."""
        if time.monotonic() - self._read_at > _OFFSET_AGE:
            self._read_at = time.monotonic()
            self._offset = self._read()
        return system_clock() + self._offset

    def _read(self) -> int:
        try:
            return int(self._path.read_text().strip() or "0")
        except FileNotFoundError:
            return 0
        except ValueError:
            return self._offset


def host_clock() -> tuple[Clock, Duration]:
    """The clock that the environment asks for, and the longest wait before looking at it again (ms)."""
    path = os.environ.get(OFFSET_VARIABLE)
    return (OffsetClock(Path(path)), _OFFSET_STEP) if path else (system_clock, STEP)


class Alarm:
    """Calls back when a delay is over; only the soonest one asked for counts, and asking again is cheap."""

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
