"""One window of a calendar or cadence, as it is written."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Node
from setpoint.config.syntax.values import Integer, Prose, Reads, choice, describe, fault, read_duration, scalar
from setpoint.config.syntax.yaml import Scalar
from setpoint.model.calendars.calendar import Window
from setpoint.model.calendars.recurrence import parse_rule
from setpoint.model.calendars.windows import problems
from setpoint.model.similar import suggest
from setpoint.model.time import DAY, format_duration

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LENGTHS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2})?(?:[Zz]|[+-]\d{2}:\d{2})?)?")


def read_days(node: Any) -> tuple[int, ...]:
    """``mon-thu,sat`` as numbers from 0 for Monday."""
    text = scalar(node, "days")
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        start, end = _day(first, text), _day(last if dash else first, text)
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return tuple(sorted(found))


def _day(word: str, text: str) -> int:
    if word not in DAYS:
        raise fault(
            "bad-days",
            f'"{word}" in {describe(text)} is not a valid day.',
            suggest(word, DAYS, otherwise="Write days such as mon-thu,sat."),
        )
    return DAYS.index(word)


def read_hours(node: Any) -> tuple[int, int]:
    """``09:00-16:00`` as minutes after midnight; ``22:00-04:00`` ends on the next day."""
    text = scalar(node, "hours")
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", text)
    if not match:
        raise fault(
            "bad-hours",
            f"{describe(text)} are not valid hours.",
            'Write from and to on the 24-hour clock, such as "09:00-16:00".',
        )
    start, end = _minutes(match[1], match[2]), _minutes(match[3], match[4])
    if start == 24 * 60:
        raise fault("bad-hours", "a window cannot start at 24:00.", "Write 00:00, which belongs to the next day.")
    if start == end:
        raise fault("impossible-window", f"{describe(text)} covers no time at all.", 'Write "00:00-24:00" for the whole day.')
    return start, end


def _minutes(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 24 * 60:
        raise fault("bad-hours", f"{hour}:{minute} is not a valid time of day.", "Times go from 00:00 to 24:00.")
    return total


def read_moment(node: Any) -> str:
    """A date, a local date-time, or an RFC 3339 instant, as it was written."""
    text = scalar(node, "a date or an instant")
    try:
        datetime.fromisoformat(text.upper().replace(" ", "T") if _INSTANT.fullmatch(text) else "no date")
    except ValueError:
        raise fault(
            "bad-date",
            f"{describe(text)} is not a valid date.",
            'Write "2026-11-26", or an instant such as "2026-11-26T09:00:00Z".',
        ) from None
    return str(text).upper().replace(" ", "T")


def read_date(node: Any) -> str:
    """A local date, or date and time without an offset."""
    moment = read_moment(node)
    if moment.endswith("Z") or re.search(r"[+-]\d{2}:\d{2}$", moment[10:]):
        raise fault(
            "bad-date",
            f"{describe(Scalar(moment))} has an offset.",
            "Write the date alone: it counts in the calendar's time zone.",
        )
    return moment


def read_length(node: Any) -> tuple[int, int]:
    """Whole days (counted on the calendar) and milliseconds beside them."""
    length = read_duration(node)
    if length == 0:
        raise fault(
            "impossible-window", "a window with `for: 0` covers no time at all.", 'Write how long it lasts, such as "2w".'
        )
    return length // DAY, length % DAY


def read_rule(node: Any) -> str:
    """An RFC 5545 recurrence rule."""
    text = scalar(node, "a recurrence rule")
    if "\n" in text or "DTSTART" in text.upper():
        raise fault("bad-rrule", "a recurrence rule here is one line without a start.", "Write its start as `starting`.")
    try:
        parse_rule(text)
    except ValueError as error:
        message, advised, advice = _advised(str(error))
        hint = advice if advised else 'Write one of RFC 5545, such as "FREQ=MONTHLY;BYDAY=1MO".'
        raise fault("bad-rrule", message, hint) from None
    return text.removeprefix("RRULE:")


def _advised(text: str) -> tuple[str, bool, str]:
    """A sentence about a window, and the one with what to write instead, if it has one."""
    message, colon, advice = text.rpartition(": ")
    if colon and advice.startswith(("write", "add")):
        return f"{message}.", True, f"{advice[0].upper()}{advice[1:]}."
    return f"{text}.", False, 'Correct it: a window is such as `{days: mon-fri, hours: "09:00-16:00"}`.'


class WindowBlock(Node):
    """Exactly one family of fields is used, or none (always)."""

    days: Annotated[tuple[int, ...], Reads(read_days, {"type": "string", "examples": ["mon-thu,sat"]})] = ()
    hours: Annotated[tuple[int, int] | None, Reads(read_hours, {"type": "string", "examples": ["09:00-16:00"]})] = None
    from_: Annotated[str, Reads(read_moment, {"type": "string"})] = Field("", alias="from")
    until: Annotated[str, Reads(read_moment, {"type": "string"})] = ""
    every: Annotated[str, choice(*_LENGTHS)] = ""
    rrule: Annotated[str, Reads(read_rule, {"type": "string"})] = ""
    for_: Annotated[tuple[int, int], Reads(read_length, {"type": "string", "examples": ["2w"]})] = Field((0, 0), alias="for")
    starting: Annotated[str, Reads(read_date, {"type": "string", "format": "date"})] = ""
    max: Integer | None = None
    reason: Prose = ""

    @model_validator(mode="after")
    def _admits_something(self) -> Self:
        if self.max == 0:
            raise fault(
                "impossible-window", "`max: 0` admits nothing, ever.", "Write `closed` windows to forbid deployments.", key="max"
            )
        return self

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        families = {
            "`days`/`hours`": bool(self.days or self.hours),
            "`from`/`until`": bool(self.from_ or self.until),
            "`every`": bool(self.every),
            "`rrule`": bool(self.rrule),
        }
        used = [name for name, there in families.items() if there]
        if len(used) > 1:
            raise fault(
                "mixed-window",
                f"a window has {' and '.join(used)} together.",
                "Write one kind of window; several windows make a list.",
            )
        recurs = bool(self.every or self.rrule)
        if recurs and self.for_ == (0, 0):
            raise fault(
                "incomplete-window",
                f"{used[0]} sets when a window starts, but not how long it lasts.",
                "Add `for`, such as `for: 2w`.",
            )
        if not recurs and (self.for_ != (0, 0) or self.starting):
            raise fault(
                "incomplete-window",
                "`for` and `starting` need `every` or `rrule`.",
                "Add `every: quarter`, or write `from` and `until`.",
            )
        self._check_times()
        self._check_occurrences()
        return self

    def _check_occurrences(self) -> None:
        """What could never be, or not be computed in bounded time. Dates that depend on the zone are left to the clock."""
        found = [text for text in problems(self.value()) if not text.startswith("`until`")]
        if found:
            message, _, hint = _advised(found[0])
            key = "rrule" if self.rrule else "starting" if self.starting else "from" if self.from_ else None
            raise fault("impossible-window", message, hint, key=key)

    def _check_times(self) -> None:
        if self.from_ and self.until and not _before(self.from_, self.until):
            raise fault(
                "impossible-window",
                f"`from` ({self.from_}) is not before `until` ({self.until}).",
                "Exchange the two, or correct one.",
                key="until",
            )
        if not self.every:
            return
        longest = _LENGTHS[self.every]
        if self.for_[0] * DAY + self.for_[1] > longest * DAY:
            length = format_duration(self.for_[0] * DAY + self.for_[1])
            raise fault(
                "impossible-window",
                f"`for: {length}` is longer than a {self.every}: the window would never end.",
                "Make it shorter than the recurrence, or write a window without fields for always.",
                key="for",
            )

    def value(self) -> Window:
        """The same for the core."""
        return Window(
            days=self.days,
            hours=self.hours,
            start=self.from_,
            end=self.until,
            every=str(self.every),
            rrule=str(self.rrule),
            starting=self.starting,
            length=self.for_,
            max=self.max or 0,
            reason="".join(self.reason),
        )


def _before(start: str, end: str) -> bool:
    """Compared where both are local or both are instants; a mixture differs by less than a day and is left to the clock."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if (first.tzinfo is None) is not (last.tzinfo is None):
        first, last = first.replace(tzinfo=None), last.replace(tzinfo=None) + timedelta(days=1)
    whole_day = len(end) == len(date.min.isoformat())
    return first < last or (whole_day and first.date() <= last.date())
