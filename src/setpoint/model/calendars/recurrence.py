"""RFC 5545 recurrence rules, kept to what can be evaluated in bounded time.

``dateutil`` steps through a rule period by period and looks for matches up to the year 9999. What could make it step through
millions of periods without finding one – minutes and seconds, filters on hourly rules, days of the month on daily ones – is
refused; each has an equivalent that is not.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from setpoint.model.calendars.zones import to_wall
from setpoint.model.time import from_datetime

_LONGEST = 500
_SPANS = {
    "INTERVAL": (1, 10_000),
    "COUNT": (1, 10_000),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
_SINGLE = frozenset({"INTERVAL", "COUNT", "BYMINUTE", "BYSECOND"})
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_ALWAYS_ALLOWED = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})
_ALLOWED_DAILY = _ALWAYS_ALLOWED | {"BYDAY", "BYMONTH", "BYHOUR", "BYMINUTE", "BYSECOND"}
_STEPS = {"WEEKLY": timedelta(weeks=1), "DAILY": timedelta(days=1), "HOURLY": timedelta(hours=1)}
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
_WEEKDAYS = re.compile(r"(?:[+-]?\d{1,2})?(?:MO|TU|WE|TH|FR|SA|SU)", re.ASCII)


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> dict[str, str]:
    """The parts of a rule such as ``FREQ=YEARLY;BYMONTH=11;BYDAY=4TH``. Do not change what is returned: it is cached.

    Raises:
        ValueError: for what RFC 5545 does not have, and for rules that cannot be evaluated in bounded time.
    """
    if len(text) > _LONGEST or len(text.split()) != 1:
        raise ValueError(f"`rrule` is one rule of at most {_LONGEST} characters without spaces; its first day is `starting`")
    parts: dict[str, str] = {}
    for pair in text.upper().removeprefix("RRULE:").split(";"):
        name, _, value = pair.partition("=")
        if not value or name in parts:
            raise ValueError(f'"{pair}" in `rrule` is not NAME=VALUE, or its name is there twice')
        parts[name] = value
    _check_frequency(parts)
    for name, value in parts.items():
        _check_part(name, value)
    _check_weekdays(parts)
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("`rrule` has both COUNT and UNTIL: one of them ends it")
    _compiled(_without_until(parts), datetime(1970, 1, 1))  # noqa: DTZ001  # raises for what only dateutil sees
    return parts


def _check_frequency(parts: dict[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency not in _FREQUENCIES:
        raise ValueError(f"`rrule` needs FREQ, one of {' '.join(_FREQUENCIES)}")
    if frequency == "HOURLY" and (extra := sorted(parts.keys() - _ALWAYS_ALLOWED)):
        raise ValueError(f"FREQ=HOURLY in `rrule` takes no {extra[0]}: write FREQ=DAILY;BYHOUR=… or a window with `hours`")
    if frequency == "DAILY" and (extra := sorted(parts.keys() - _ALLOWED_DAILY)):
        raise ValueError(f"FREQ=DAILY in `rrule` takes no {extra[0]}: write FREQ=MONTHLY or FREQ=YEARLY")


def _check_part(name: str, value: str) -> None:
    if name in _SPANS:
        _check_numbers(name, value)
    elif name == "BYDAY":
        if not all(_WEEKDAYS.fullmatch(day) for day in value.split(",")):
            raise ValueError(f'"{value}" in `rrule` is not a valid BYDAY: write such as MO,WE or 4TH or -1FR')
    elif name == "UNTIL":
        _until(value, None)
    elif name not in _ALWAYS_ALLOWED:
        raise ValueError(f'"{name}" in `rrule` is not a supported part of RFC 5545')


def _check_weekdays(parts: dict[str, str]) -> None:
    """``dateutil`` drops the numbers of weekly rules, and takes a mixture of plain and numbered days for days that are both."""
    days = parts.get("BYDAY", "").split(",")
    numbered = [day for day in days if len(day) > 2]
    if numbered and parts["FREQ"] not in ("YEARLY", "MONTHLY"):
        raise ValueError(f'"{numbered[0]}" in `rrule` needs FREQ=MONTHLY or FREQ=YEARLY: it counts days of these')
    if numbered and len(numbered) < len(days):
        raise ValueError(f"BYDAY={','.join(days)} in `rrule` mixes plain and numbered days: write two windows")


def _check_numbers(name: str, value: str) -> None:
    low, high = _SPANS[name]
    numbers = [int(number) if re.fullmatch(r"[+-]?\d{1,5}", number, re.ASCII) else None for number in value.split(",")]
    if any(number is None or not low <= number <= high or (low < 0 and number == 0) for number in numbers):
        raise ValueError(f"{name}={value} in `rrule`: {low} to {high}{' but 0' if low < 0 else ''}")
    if name in _SINGLE and len(numbers) > 1:
        raise ValueError(f"{name} in `rrule` takes one number: recurrences of less than an hour are refused")


def starts(text: str, starting: datetime, timezone: ZoneInfo, low: datetime, high: datetime) -> list[datetime]:
    """Wall-clock starts from ``low`` up to ``high`` (not included) of a rule whose DTSTART is ``starting``."""
    parts = parse_rule(text)
    last = min(high, _until(parts["UNTIL"], timezone)) if "UNTIL" in parts else high
    if last < low:
        return []
    found = _compiled(_without_until(parts), _nearer(parts, starting, low)).between(low, last, inc=True)
    return [wall for wall in found if wall < high]


def goes_on(text: str, starting: datetime, timezone: ZoneInfo, moment: datetime) -> bool:
    """Whether a rule has a start at or after a moment on the wall clock."""
    parts = parse_rule(text)
    found = _compiled(_without_until(parts), _nearer(parts, starting, moment)).after(moment, inc=True)
    return found is not None and ("UNTIL" not in parts or found <= _until(parts["UNTIL"], timezone))


def _nearer(parts: dict[str, str], starting: datetime, low: datetime) -> datetime:
    """A later DTSTART with the same recurrences from ``low`` on, so that the search does not step through decades of hours."""
    step = _STEPS.get(parts["FREQ"])
    if step is None or "COUNT" in parts:
        return starting
    step *= int(parts.get("INTERVAL", "1"))
    return starting + max((low - starting) // step - 1, 0) * step


def _without_until(parts: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in parts.items() if name != "UNTIL")


@lru_cache(maxsize=1024)
def _compiled(text: str, starting: datetime) -> rrule:
    found = rrulestr(text, dtstart=starting)
    assert isinstance(found, rrule)  # noqa: S101  # a set comes only from several lines
    return found


def _until(value: str, timezone: ZoneInfo | None) -> datetime:
    """The last wall-clock time of a rule: a date counts to its end, ``Z`` is read in the zone (RFC 5545 wants it in UTC)."""
    match = _UNTIL.fullmatch(value)
    if match is None:
        raise ValueError(f'UNTIL={value} in `rrule`: write such as "20261231" or "20261231T170000Z"')
    try:
        found = datetime.strptime(match[1] + (match[2] or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007  # a wall-clock value
    except ValueError:
        raise ValueError(f"UNTIL={value} in `rrule` is not a valid date") from None
    if match[3] and timezone is not None:
        return to_wall(from_datetime(found.replace(tzinfo=UTC)), timezone)
    return found
