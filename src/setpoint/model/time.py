"""Instants and durations as plain integers, so that states compare, hash and replay exactly.

An ``Instant`` is milliseconds since 1970-01-01T00:00:00Z; a ``Duration`` is milliseconds of elapsed time (a day is 24 h
whatever the clock does). Nothing here reads a clock: ``now`` enters the system only with facts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

Instant = int
Duration = int

SECOND: Duration = 1_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR
WEEK: Duration = 7 * DAY

_UNITS = (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1))
LONGEST: Duration = 100 * 366 * DAY
"""What is longer is a slip of the pen, and must not overflow a calendar or a column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)


class Stamp(NamedTuple):
    """One moment by both clocks (§10.17)."""

    at: Instant
    """Steady time."""
    offset: Duration
    """How far the wall clock is beyond it."""

    @property
    def wall(self) -> Instant:
        """What the wall clock shows."""
        return self.at + self.offset


def parse_duration(text: str) -> Duration:
    """``1d12h``, ``90s``, ``250ms`` or ``0`` in milliseconds.

    Raises:
        ValueError: naming what to write instead.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        if text.isdecimal() and text.isascii():
            raise ValueError(f'"{text}" has no unit: write "{text}s" or "{text}m"')
        raise ValueError(
            f'"{text}" is not a valid duration: write whole numbers with w, d, h, m, s, ms, largest first, such as "1d12h"'
        )
    counts = [count for count in match.groups() if count]
    if max(map(len, counts)) > 15 or (total := _total(match)) > LONGEST:
        raise ValueError(f'"{text[:40]}" is longer than a hundred years: write a shorter duration')
    return total


def _total(match: re.Match[str]) -> Duration:
    return sum(int(count) * size for count, (_, size) in zip(match.groups(), _UNITS, strict=True) if count)


def format_duration(duration: Duration) -> str:
    """The shortest exact spelling: ``5400000`` is ``1h30m``; a negative one, as a difference may be, begins with a minus."""
    if duration <= 0:
        return f"-{format_duration(-duration)}" if duration else "0"
    parts = []
    for unit, size in _UNITS:
        count, duration = divmod(duration, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def approximate_duration(duration: Duration) -> str:
    """The two largest units of a duration, for reading: ``93784000`` is ``1d 2h``; below a second, or negative, ``0s``."""
    parts: list[str] = []
    duration = max(duration, 0)
    for unit, size in _UNITS[1:5]:
        count, duration = divmod(duration, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def to_datetime(instant: Instant) -> datetime:
    """An aware UTC datetime."""
    return _EPOCH + instant * _MILLISECOND


def from_datetime(moment: datetime) -> Instant:
    """The instant, fractions of a millisecond dropped. Raises ValueError for a naive datetime: an instant needs an offset."""
    if moment.utcoffset() is None:
        raise ValueError("an instant needs a time zone")
    return (moment - _EPOCH) // _MILLISECOND


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC, to the second."""
    return f"{to_datetime(instant).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
