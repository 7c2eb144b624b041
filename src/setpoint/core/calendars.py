"""Whether a calendar is open, why, and until when; and which occurrence of its windows a moment belongs to.

Pure: the instant is an argument. Results are constant between two turns of a calendar, so turns are computed once per span of
three months and cached; evaluating again is a search in a sorted list.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate

import msgspec

from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.calendars.windows import CHUNK, HORIZON, Occurrence, covering, following, may_change_after, occurrences
from setpoint.model.calendars.zones import EARLIEST, LATEST, format_wall, zone
from setpoint.model.time import Instant

__all__ = ["LATEST", "Opening", "covering", "next_occurrence", "occurrence", "occurrences", "opening", "zone"]


class Opening(msgspec.Struct, frozen=True, gc=False):
    """Result of a calendar at one instant."""

    open: bool
    reason: str
    """For people: ``closed until Tue 2026-12-01 00:00 America/New_York (Thanksgiving to Cyber Monday)``."""
    until: Instant | None
    """The first instant at which the result differs; None: never. If it may, but not within five years, the end of these."""


def opening(calendar: Calendar, timezone: str, now: Instant) -> Opening:
    """Whether deployments may start: some open window covers ``now`` (or none is given) and no closed one does."""
    chunk = now // CHUNK
    opened, turns = _turns(calendar, timezone, chunk)
    passed = bisect_right(turns, now)
    is_open = opened ^ (passed % 2 == 1)
    until, certain = (turns[passed], True) if passed < len(turns) else _next_turn(calendar, timezone, chunk, is_open)
    why = _why(calendar.open or () if is_open else calendar.closed, timezone, now)
    return _answer(is_open, until, certain, timezone, why)


def occurrence(calendar: Calendar, timezone: str, now: Instant) -> Occurrence | None:
    """The occurrence of the first open window that covers ``now``, whatever is closed: the slot of a cadence or a budget."""
    if calendar.open is None:
        return EARLIEST, LATEST
    found = (covering(window, timezone, now) for window in calendar.open)
    return next((each for each in found if each), None)


def next_occurrence(calendar: Calendar, timezone: str, now: Instant) -> Occurrence | None:
    """The earliest occurrence of an open window that starts after ``now``, within five years of what recurs."""
    found = (following(window, timezone, now) for window in calendar.open or ())
    return min((each for each in found if each), default=None)


def _why(windows: tuple[Window, ...], timezone: str, now: Instant) -> str:
    return next((window.reason for window in windows if window.reason and covering(window, timezone, now)), "")


@lru_cache(maxsize=4096)
def _answer(is_open: bool, until: Instant | None, certain: bool, timezone: str, why: str) -> Opening:
    state = "open" if is_open else "closed"
    span = " without end" if until is None else f" until {'' if certain else 'at least '}{format_wall(until, zone(timezone))}"
    return Opening(is_open, f"{state}{span}{f' ({why})' if why else ''}", until)


@lru_cache(maxsize=4096)
def _next_turn(calendar: Calendar, timezone: str, chunk: int, is_open: bool) -> tuple[Instant | None, bool]:
    """The first turn after a chunk that ends in this state, and whether it is one."""
    for later in range(chunk + 1, chunk + 1 + HORIZON):
        opened, turns = _turns(calendar, timezone, later)
        if opened is not is_open:
            return later * CHUNK, True
        if turns:
            return turns[0], True
    horizon = (chunk + 1 + HORIZON) * CHUNK
    windows = (*(calendar.open or ()), *calendar.closed)
    changes = any(may_change_after(window, timezone, horizon) for window in windows)
    return (horizon, False) if changes else (None, True)


@lru_cache(maxsize=4096)
def _turns(calendar: Calendar, timezone: str, chunk: int) -> tuple[bool, tuple[Instant, ...]]:
    """Whether a chunk begins open, and the instants within it at which that changes."""
    low, high = chunk * CHUNK, (chunk + 1) * CHUNK
    allowed = {low: 1} if calendar.open is None else _edges(calendar.open, timezone, low, high)
    denied = _edges(calendar.closed, timezone, low, high)
    instants = sorted({low, *allowed, *denied})
    permits = accumulate(allowed.get(instant, 0) for instant in instants)
    denials = accumulate(denied.get(instant, 0) for instant in instants)
    states = [permitted > 0 and not refused for permitted, refused in zip(permits, denials, strict=True)]
    turns = [instant for instant, state, last in zip(instants[1:], states[1:], states, strict=False) if state is not last]
    return states[0], tuple(turns)


def _edges(windows: tuple[Window, ...], timezone: str, low: Instant, high: Instant) -> dict[Instant, int]:
    """How many more (or fewer) windows cover from each instant on."""
    edges: dict[Instant, int] = {}
    for window in windows:
        for start, end in occurrences(window, timezone, low, high):
            edges[max(start, low)] = edges.get(max(start, low), 0) + 1
            if end < high:
                edges[end] = edges.get(end, 0) - 1
    return edges
