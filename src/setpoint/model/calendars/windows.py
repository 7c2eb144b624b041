"""When a window is open: its occurrences as instants, and what is wrong with windows that cannot be meant.

An occurrence is ``(start, end)``, the end not included. Occurrences of one window are sorted and never overlap: where the
next one starts before the last has ended, it cuts it, so that each recurrence stays a slot of its own and they cover the same.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from setpoint.model.calendars import recurrence
from setpoint.model.calendars.calendar import Window
from setpoint.model.calendars.zones import EARLIEST, LATEST, moment_to_instant, parse_moment, to_instant, to_wall, zone
from setpoint.model.time import DAY, Instant, format_duration

Occurrence = tuple[Instant, Instant]

CHUNK = 92 * DAY
"""Occurrences are computed and remembered by spans of this length."""
HORIZON = 20
"""So many whole chunks, five years, are looked ahead for something that recurs."""
_FURTHEST_BACK = 3660 * DAY
"""An occurrence that began before that, ten years ago, is not looked for."""
_ENDS = 4 * 366 * DAY
"""Nothing recurs so near to the ends of the calendar."""
_MOST = 10_000
_DAYS_AT_MOST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""Recurrence -> its length, at most."""
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_NEW_YEAR = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall-clock value
_MONDAY = datetime(1970, 1, 5)  # noqa: DTZ001  # likewise
_ALWAYS: Occurrence = (EARLIEST, LATEST)


def occurrences(window: Window, timezone: str, start: Instant, end: Instant, *, most: int = _MOST) -> list[Occurrence]:
    """What of a window touches the time from ``start`` up to ``end``, whole occurrences, at most so many of them."""
    found: list[Occurrence] = []
    for occurrence in _touching(window, timezone, start, end):
        if len(found) == most:
            break
        found.append(occurrence)
    return found


def covering(window: Window, timezone: str, now: Instant) -> Occurrence | None:
    """The occurrence that ``now`` lies in."""
    if not recurs(window):
        once = _once(window, timezone)
        return once if once and once[0] <= now < once[1] else None
    last = now // CHUNK
    for chunk in range(last, last - _reach(window) - 1, -1):
        before = _chunk(window, timezone, chunk)
        if position := bisect_right(before, (now, LATEST)):
            found = before[position - 1]
            return found if now < found[1] else None
    return None


def following(window: Window, timezone: str, now: Instant) -> Occurrence | None:
    """The first occurrence that starts after ``now``; of what recurs, within the horizon."""
    if not recurs(window):
        once = _once(window, timezone)
        return once if once and once[0] > now else None
    first = now // CHUNK
    for chunk in range(first, first + HORIZON + 1):
        after = _chunk(window, timezone, chunk)
        position = bisect_right(after, (now, LATEST))
        if position < len(after):
            return after[position]
    return None


def may_change_after(window: Window, timezone: str, horizon: Instant) -> bool:
    """Whether a window that did not change for the whole horizon before this instant may still do so after it."""
    if window.rrule:
        return recurrence.goes_on(window.rrule, _starting(window), zone(timezone), to_wall(horizon, zone(timezone)))
    if recurs(window):
        return bool(window.starting) and to_instant(_starting(window), zone(timezone)) >= horizon
    once = _once(window, timezone)
    return once is not None and any(horizon <= edge < LATEST for edge in once)


def recurs(window: Window) -> bool:
    """Whether it has more than one occurrence: ``days``/``hours``, ``every`` or ``rrule``."""
    return bool(window.days or window.hours or window.every or window.rrule)


def _touching(window: Window, timezone: str, start: Instant, end: Instant) -> Iterator[Occurrence]:
    if not recurs(window):
        once = _once(window, timezone)
        if once and once[0] < end and once[1] > start:
            yield once
        return
    start, end = max(start, EARLIEST), min(end, LATEST)
    for chunk in range(start // CHUNK - _reach(window), (end - 1) // CHUNK + 1):
        for occurrence in _chunk(window, timezone, chunk):
            if occurrence[0] < end and occurrence[1] > start:
                yield occurrence


def _reach(window: Window) -> int:
    """How many chunks back an occurrence may have started that still lasts."""
    lasts = window.length[0] * DAY + window.length[1] or _DAYS_AT_MOST.get(window.every, 1) * DAY
    return min(lasts, _FURTHEST_BACK) // CHUNK + 1


@lru_cache(maxsize=4096)
def _once(window: Window, timezone: str) -> Occurrence | None:
    """The single occurrence of ``from``/``until``, or of always."""
    place = zone(timezone)
    start = moment_to_instant(parse_moment(window.start), place) if window.start else EARLIEST
    end = moment_to_instant(_last_moment(window.end), place, end=True) if window.end else LATEST
    return (start, end) if start < end else None


def _last_moment(text: str) -> datetime:
    """A date as an end means that the whole day is in it."""
    moment = parse_moment(text)
    return moment if len(text) > len("2026-11-26") else moment + timedelta(days=1)


@lru_cache(maxsize=4096)
def _chunk(window: Window, timezone: str, chunk: int) -> tuple[Occurrence, ...]:
    """The occurrences that start within a chunk."""
    place = zone(timezone)
    low, high = chunk * CHUNK, (chunk + 1) * CHUNK
    if low < EARLIEST + _ENDS or high > LATEST - _ENDS:
        return ()
    margin = timedelta(days=2)
    spans = _spans(window, place, to_wall(low, place) - margin, to_wall(high, place) + margin)
    return tuple(occurrence for occurrence in _cut(spans) if low <= occurrence[0] < high)


def _cut(spans: list[Occurrence]) -> Iterator[Occurrence]:
    """Sorted spans without overlaps: what daylight saving leaves nothing of vanishes, what it lets start together is one."""
    joined: dict[Instant, Instant] = {}
    for start, end in spans:
        joined[start] = max(end, joined.get(start, end))
    edges = [*sorted(joined), LATEST]
    for start, following_start in pairwise(edges):
        if start < (end := min(joined[start], following_start)):
            yield start, end


def _spans(window: Window, place: ZoneInfo, low: datetime, high: datetime) -> list[Occurrence]:
    if window.rrule:
        walls = recurrence.starts(window.rrule, _starting(window), place, low, high + _gap(window))
        return [_lasting(wall, window, place) for wall in walls]
    if window.every:
        return list(_every(window, place, low, high))
    return list(_hours(window, place, low, high))


def _gap(window: Window) -> timedelta:
    """How far ahead another start may cut an occurrence."""
    return timedelta(days=min(window.length[0], 366) + 1)


def _lasting(wall: datetime, window: Window, place: ZoneInfo) -> Occurrence:
    """From a wall-clock start, for whole calendar days and then elapsed time."""
    days, more = window.length
    start = to_instant(wall, place)
    end = to_instant(wall + timedelta(days=min(days, 3660)), place, end=True) if days else start
    return start, min(end + more, LATEST)


def _hours(window: Window, place: ZoneInfo, low: datetime, high: datetime) -> Iterator[Occurrence]:
    start, end = window.hours or (0, 24 * 60)
    day = low.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < high:
        if not window.days or day.weekday() in window.days:
            last = day + timedelta(days=end <= start, minutes=end)
            yield to_instant(day + timedelta(minutes=start), place), to_instant(last, place, end=True)
        day += timedelta(days=1)


def _every(window: Window, place: ZoneInfo, low: datetime, high: datetime) -> Iterator[Occurrence]:
    """Each recurrence for its ``length``; without one, up to the next."""
    base = _starting(window)
    count = _count_before(window.every, base, low)
    count = max(count, 0) if window.starting else count
    wall = _advanced(window.every, base, count)
    while wall < high:
        count += 1
        after = _advanced(window.every, base, count)
        start, end = _lasting(wall, window, place)
        yield start, end if window.length != (0, 0) else to_instant(after, place)
        wall = after
    yield _lasting(wall, window, place)


def _count_before(every: str, base: datetime, low: datetime) -> int:
    """How many recurrences lead from the base to one not after ``low``."""
    if every in _MONTHS:
        return ((low.year - base.year) * 12 + low.month - base.month) // _MONTHS[every] - 1
    return (low - base) // timedelta(days=_DAYS_AT_MOST[every]) - 1


def _advanced(every: str, base: datetime, count: int) -> datetime:
    """The base so many recurrences on; the 31st means the last day of shorter months."""
    if every not in _MONTHS:
        return base + timedelta(days=_DAYS_AT_MOST[every] * count)
    year, month = divmod(base.year * 12 + base.month - 1 + _MONTHS[every] * count, 12)
    return base.replace(year=year, month=month + 1, day=min(base.day, monthrange(year, month + 1)[1]))


@lru_cache(maxsize=4096)
def _starting(window: Window) -> datetime:
    if window.starting:
        return parse_moment(window.starting)
    weekly = window.every == "week" or (window.rrule and recurrence.parse_rule(window.rrule)["FREQ"] == "WEEKLY")
    return _MONDAY if weekly else _NEW_YEAR


def problems(window: Window, timezone: str = "UTC") -> list[str]:
    """What makes a window impossible or surely an error, in the words of the configuration; empty: nothing."""
    found = [*_mixtures(window), *_impossible_values(window)]
    if not found:
        found = _impossible_times(window, timezone)
    return found


def _mixtures(window: Window) -> Iterator[str]:
    families = {
        "days/hours": bool(window.days or window.hours),
        "from/until": bool(window.start or window.end),
        "every": bool(window.every),
        "rrule": bool(window.rrule),
    }
    used = [name for name, there in families.items() if there]
    if len(used) > 1:
        yield f"one window is either `{used[0]}` or `{used[1]}`: write two windows"
    repeated = bool(window.every or window.rrule)
    if not repeated and (window.starting or window.length != (0, 0)):
        yield "`for` and `starting` belong to `every` or `rrule`"
    if window.rrule and window.length == (0, 0):
        yield "`rrule` needs `for`: how long each occurrence lasts"


def _impossible_values(window: Window) -> Iterator[str]:
    if any(not 0 <= day <= 6 for day in window.days):
        yield "`days` go from mon to sun"
    if window.hours and not (0 <= window.hours[0] < 1440 and 0 <= window.hours[1] <= 1440):
        yield "`hours` start from 00:00 to 23:59 and end by 24:00"
    if window.every and window.every not in _DAYS_AT_MOST:
        yield f"`every` is one of {', '.join(_DAYS_AT_MOST)}"
    if min(*window.length, window.max) < 0:
        yield "`for` and `max` are not negative"
    for name, text in (("from", window.start), ("until", window.end), ("starting", window.starting)):
        yield from _impossible_moment(name, text)
    try:
        if window.rrule:
            parts = recurrence.parse_rule(window.rrule)
            if not window.starting and (needy := sorted(parts.keys() & {"INTERVAL", "COUNT"})):
                yield f"{needy[0]} in `rrule` counts from `starting`: add it"
            if not window.starting and parts["FREQ"] == "HOURLY":
                yield "FREQ=HOURLY in `rrule` counts from `starting`: add it"
    except ValueError as error:
        yield str(error)


def _impossible_moment(name: str, text: str) -> Iterator[str]:
    if not text:
        return
    try:
        moment = parse_moment(text)
    except ValueError as error:
        yield f"`{name}`: {error}"
        return
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        yield f"`{name}`: {text} is not between {_FIRST_YEAR} and {_LAST_YEAR}"
    if name == "starting" and moment.tzinfo is not None:
        yield "`starting` is on the wall clock of the calendar's time zone: write it without an offset"


def _impossible_times(window: Window, timezone: str) -> list[str]:
    place = zone(timezone)
    length = window.length[0] * DAY + window.length[1]
    longest = _DAYS_AT_MOST.get(window.every, 366)
    if length > longest * DAY:
        return [
            f"`for: {format_duration(length)}` is longer than {longest}d, the longest {window.every or 'that an rrule may last'}"
        ]
    if not recurs(window) and _once(window, timezone) is None:
        return [f"`until` {window.end} is not after `from` {window.start}"]
    if window.rrule and not recurrence.goes_on(window.rrule, _starting(window), place, _starting(window)):
        return [f"`rrule` {window.rrule} never occurs from {_starting(window):%Y-%m-%d} on"]
    return []
