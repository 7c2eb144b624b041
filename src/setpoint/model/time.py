"""Instants and durations as plain integers, so that states compare, hash and replay exactly.

An ``Instant`` is milliseconds since 1970-01-01T00:00:00Z; a ``Duration`` is milliseconds of elapsed time (a day is 24 h
whatever the clock does). Nothing here reads a clock: ``now`` enters the system only with facts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

Instant = int
Duration = int

SECOND: Duration = 1_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR
WEEK: Duration = 7 * DAY

_UNITS = (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1))
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)


def parse_duration(text: str) -> Duration:
    """``1d12h``, ``90s``, ``250ms`` or ``0`` in milliseconds.

    Raises:
        ValueError: naming what to write instead.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        if text.isdigit():
            raise ValueError(f'"{text}" has no unit: write "{text}s" or "{text}m"')
        raise ValueError(f'"{text}" is no duration: write whole numbers with w, d, h, m, s, ms, largest first, such as "1d12h"')
    return sum(int(count) * size for count, (_, size) in zip(match.groups(), _UNITS, strict=True) if count)


def format_duration(duration: Duration) -> str:
    """The shortest exact spelling: ``5400000`` is ``1h30m``."""
    if duration == 0:
        return "0"
    parts = []
    for unit, size in _UNITS:
        count, duration = divmod(duration, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def approximate_duration(duration: Duration) -> str:
    """The two largest units of a duration, for reading: ``93784000`` is ``1d 2h``; below a second ``0s``."""
    parts: list[str] = []
    for unit, size in _UNITS[1:5]:
        count, duration = divmod(duration, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def to_datetime(instant: Instant) -> datetime:
    """An aware UTC datetime."""
    return datetime.fromtimestamp(instant / 1000, UTC)


def from_datetime(moment: datetime) -> Instant:
    """Raises ValueError for a naive datetime: an instant needs an offset."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return round(moment.timestamp() * 1000)


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC, to the second."""
    return to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%SZ")
