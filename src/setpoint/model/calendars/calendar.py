"""Calendars as values: windows on the wall clock of a time zone. What they mean is computed in ``core.calendars``."""

from __future__ import annotations

import msgspec


class Window(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One window; exactly one family of fields is used, or none of them (always).

    Days and times are wall-clock values of the calendar's zone. ``days``/``hours``; or ``start``/``end`` (``from``/``until``);
    or ``every`` with ``length`` and ``starting``; or ``rrule`` with ``length`` and ``starting``.
    """

    days: tuple[int, ...] = ()
    """0 is Monday; empty with ``hours``: every day."""
    hours: tuple[int, int] | None = None
    """Minutes after midnight; an end not after the start lies on the next day. 1440 is ``24:00``."""
    start: str = ""
    """``from``: RFC 3339 instant, or local date or date-time without an offset."""
    end: str = ""
    every: str = ""
    """``day``, ``week``, ``month``, ``quarter``, ``year``."""
    rrule: str = ""
    """RFC 5545 recurrence rule."""
    starting: str = ""
    """Local date (or date-time) of the first occurrence; empty: 1 January, or Monday for weeks."""
    length: tuple[int, int] = (0, 0)
    """``for``: whole calendar days, and milliseconds besides them."""
    max: int = 0
    """Deployments that may start in each occurrence; 0: any number."""
    reason: str = ""


class Calendar(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Open where an ``open`` window covers (or none is given) and no ``closed`` one does."""

    name: str = ""
    open: tuple[Window, ...] | None = None
    closed: tuple[Window, ...] = ()
    in_flight: str = "finish"
    """``finish`` or ``pause``."""
