"""Time zones and wall clocks: which instant a local time is.

Zone data comes from the ``tzdata`` package alone, never from the machine, so that two machines decide alike.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from setpoint.model.similar import closest
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND, Instant, from_datetime, to_datetime

EARLIEST: Instant = -62_135_424_000_000
"""0001-01-03: the beginning of what has none, far enough from the first year for every zone."""
LATEST: Instant = 253_402_128_000_000
"""9999-12-30: the end of what has none."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall-clock value
_MILLISECOND = timedelta(milliseconds=1)
_WEEK = 7 * DAY
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every IANA time zone there is, links such as ``US/Eastern`` included."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        ValueError: for an unknown one, naming the nearest.
    """
    if name not in zone_names():
        near = closest(name, zone_names())
        hint = f'did you mean "{near}"?' if near else 'write an IANA name such as "Europe/Berlin"'
        raise ValueError(f'"{name}" is not a valid time zone: {hint}')
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def to_wall(instant: Instant, timezone: ZoneInfo) -> datetime:
    """What the wall clock shows, without a zone; instants beyond the calendar's ends count as these."""
    return to_datetime(min(max(instant, EARLIEST), LATEST)).astimezone(timezone).replace(tzinfo=None, fold=0)


def to_instant(wall: datetime, timezone: ZoneInfo, *, end: bool = False) -> Instant:
    """The instant of a wall-clock time that stands without a zone.

    Skipped by daylight saving, it means the first instant after the gap; doubled, the first as a start, the second as an end.
    """
    count = (wall - _EPOCH) // _MILLISECOND
    if not EARLIEST < count < LATEST:
        return EARLIEST if count <= EARLIEST else LATEST
    steady = _steady(timezone, count // _WEEK)
    if steady is not None:
        return count - steady
    before = _offset(wall.replace(tzinfo=timezone, fold=0))
    after = _offset(wall.replace(tzinfo=timezone, fold=1))
    if before >= after:
        return count - (after if end else before)
    return _end_of_gap(count - after, count - before, timezone)


@lru_cache(maxsize=16_384)
def _steady(timezone: ZoneInfo, week: int) -> int | None:
    """The one offset of a week on the wall clock, counted from 1970; None: it may change. Years of days ask for the same."""
    if not EARLIEST + 2 * _WEEK < week * _WEEK < LATEST - 2 * _WEEK:
        return None
    start = _EPOCH + timedelta(weeks=week, days=-1)
    moments = [start + timedelta(hours=6 * step) for step in range(4 * 9 + 1)]
    offsets = {_offset(moment.replace(tzinfo=timezone, fold=fold)) for moment in moments for fold in (0, 1)}
    return offsets.pop() if len(offsets) == 1 else None


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101  # a ZoneInfo always knows
    return offset // _MILLISECOND


def _end_of_gap(outside: Instant, inside: Instant, timezone: ZoneInfo) -> Instant:
    """The transition between two instants, the first of which still has the old offset; transitions lie on whole seconds."""
    old = _offset(to_datetime(outside).astimezone(timezone))
    low, high = outside // SECOND, inside // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(to_datetime(middle * SECOND).astimezone(timezone)) == old:
            low = middle
        else:
            high = middle
    return high * SECOND


def parse_moment(text: str) -> datetime:
    """A date, a local date-time or an RFC 3339 instant; the first two come without a zone, a date as its 00:00.

    Raises:
        ValueError: saying what to write instead.
    """
    with suppress(ValueError):
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    example = '"2026-11-26", "2026-11-26T09:00" or "2026-11-26T09:00:00+01:00"'
    raise ValueError(f'"{text}" is not a valid date or time: write such as {example}')


def moment_to_instant(moment: datetime, timezone: ZoneInfo, *, end: bool = False) -> Instant:
    """The instant of a parsed moment, a local one on the wall clock of the zone."""
    return to_instant(moment, timezone, end=end) if moment.tzinfo is None else from_datetime(moment.astimezone(UTC))


def format_wall(instant: Instant, timezone: ZoneInfo) -> str:
    """For people: ``Mon 2026-11-30 09:00 Europe/Berlin``; seconds where there are any, the offset where the hour is doubled."""
    moment = to_datetime(instant).astimezone(timezone)
    clock = moment.replace(tzinfo=None).isoformat(" ", "seconds" if instant % MINUTE else "minutes")
    doubled = moment.replace(fold=1 - moment.fold).utcoffset() != moment.utcoffset()
    return f"{_DAYS[moment.weekday()]} {clock} {timezone.key}{f' (UTC{_offset(moment) / HOUR:+g})' if doubled else ''}"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
