"""Instants and durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.model.time import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    SECOND,
    WEEK,
    approximate_duration,
    format_duration,
    format_instant,
    from_datetime,
    parse_duration,
    to_datetime,
)

INSTANTS = st.integers(-62_135_424_000_000, 253_402_128_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2w", 2 * WEEK),
        ("1d12h", 36 * HOUR),
        ("90s", 90 * SECOND),
        ("250ms", 250),
        ("1m1ms", MINUTE + 1),
        ("1w1d1h1m1s1ms", WEEK + DAY + HOUR + MINUTE + SECOND + 1),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("60", 'write "60s" or "60m"'),
        ("", "not a valid duration"),
        ("1h1d", "largest first"),
        ("1h1h", "not a valid duration"),
        ("1.5h", "whole numbers"),
        ("-1h", "not a valid duration"),
        ("1 h", "not a valid duration"),
        ("1H", "not a valid duration"),
        ("²", "not a valid duration"),
        ("٣s", "not a valid duration"),
        ("1s\n", "not a valid duration"),
        ("5300w", "hundred years"),
        ("9" * 5000 + "w", "hundred years"),
    ],
)
def test_what_is_no_duration_is_refused_with_advice(text, advice):
    with pytest.raises(ValueError, match=advice):
        parse_duration(text)


@given(st.integers(0, LONGEST))
def test_a_duration_survives_its_spelling(duration):
    assert parse_duration(format_duration(duration)) == duration


def test_a_difference_may_be_negative():
    assert format_duration(-90 * MINUTE) == "-1h30m"


@pytest.mark.parametrize(
    ("duration", "expected"),
    [(93_784_000, "1d 2h"), (59 * SECOND, "59s"), (999, "0s"), (-HOUR, "0s"), (2 * WEEK, "14d"), (DAY + 5 * SECOND, "1d 5s")],
)
def test_a_duration_for_reading_has_two_units(duration, expected):
    assert approximate_duration(duration) == expected


@given(INSTANTS)
def test_an_instant_survives_as_a_datetime(instant):
    assert from_datetime(to_datetime(instant)) == instant


@given(INSTANTS)
def test_an_instant_is_written_in_rfc_3339_to_the_second(instant):
    assert from_datetime(datetime.fromisoformat(format_instant(instant))) == instant // SECOND * SECOND


def test_years_have_four_digits():
    assert format_instant(from_datetime(datetime(1, 2, 3, tzinfo=UTC))) == "0001-02-03T00:00:00Z"


def test_an_instant_takes_any_offset_and_drops_microseconds():
    moment = datetime(1970, 1, 1, 2, 0, 0, 1999, tzinfo=timezone(timedelta(hours=2)))
    assert from_datetime(moment) == 1


class _Silent(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, moment):
        return None

    dst = tzname = utcoffset


@pytest.mark.parametrize("zone", [None, _Silent()])
def test_a_datetime_without_an_offset_is_no_instant(zone):
    with pytest.raises(ValueError, match="needs a time zone"):
        from_datetime(datetime(2026, 1, 1, tzinfo=zone))
