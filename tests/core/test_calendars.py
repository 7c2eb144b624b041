"""Calendars: open or closed, why, until when; and the slots of cadences."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from setpoint.core.calendars import Opening, next_occurrence, occurrence, occurrences, opening
from setpoint.model.calendars import windows
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.calendars.windows import CHUNK, HORIZON
from setpoint.model.calendars.zones import (
    EARLIEST,
    LATEST,
    format_wall,
    moment_to_instant,
    parse_moment,
    to_instant,
    to_wall,
    zone,
    zone_names,
)
from setpoint.model.time import DAY, HOUR, MINUTE

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(text: str, timezone: str = BERLIN, *, end: bool = False) -> int:
    return moment_to_instant(parse_moment(text), zone(timezone), end=end)


def walls(found: list[tuple[int, int]], timezone: str = BERLIN) -> list[tuple[str, str]]:
    return [(wall(start, timezone), wall(end, timezone)) for start, end in found]


def wall(edge: int, timezone: str) -> str:
    return to_wall(edge, zone(timezone)).isoformat(" ", "minutes")


def slot(calendar: Calendar, timezone: str, now: int) -> tuple[int, int]:
    """The occurrence that covers ``now``."""
    found = occurrence(calendar, timezone, now)
    assert found
    return found


def next_slot(calendar: Calendar, timezone: str, now: int) -> tuple[int, int]:
    found = next_occurrence(calendar, timezone, now)
    assert found
    return found


def hours(start: int, end: int, *days: int, **more: Any) -> Window:
    return Window(hours=(start * 60, end * 60), days=days, **more)


OFFICE = Calendar(open=(hours(9, 16, 0, 1, 2, 3, reason="office hours"),))
BLACK_FRIDAY = Calendar(
    closed=(
        Window(
            rrule="FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", starting="2026-11-26", length=(5, 0), reason="Thanksgiving to Cyber Monday"
        ),
    )
)
QUARTERLY = Calendar(open=(Window(every="quarter", length=(14, 0)),))


# --- open and closed --------------------------------------------------------------------------------------------------


def test_without_windows_a_calendar_is_always_open():
    assert opening(Calendar(), BERLIN, at("2026-11-26")) == Opening(True, "open without end", None)


def test_with_an_empty_list_of_windows_it_never_is():
    assert opening(Calendar(open=()), BERLIN, at("2026-11-26")) == Opening(False, "closed without end", None)


def test_a_closed_window_without_fields_closes_for_good_and_says_why():
    stop = Calendar(closed=(Window(reason="incident 4711"),))
    assert opening(stop, BERLIN, at("2026-11-26")) == Opening(False, "closed without end (incident 4711)", None)


def test_office_hours_open_and_close_on_the_wall_clock():
    monday, thursday = at("2026-11-30T08:59"), at("2026-12-03T16:00")
    assert opening(OFFICE, BERLIN, monday) == Opening(False, "closed until Mon 2026-11-30 09:00 Europe/Berlin", monday + MINUTE)
    opened = opening(OFFICE, BERLIN, monday + MINUTE)
    assert opened == Opening(True, "open until Mon 2026-11-30 16:00 Europe/Berlin (office hours)", at("2026-11-30T16:00"))
    assert opening(OFFICE, BERLIN, thursday) == Opening(
        False, "closed until Mon 2026-12-07 09:00 Europe/Berlin", at("2026-12-07T09:00")
    )


def test_closed_wins_over_open():
    both = Calendar(open=(Window(),), closed=(Window(start="2026-12-20", end="2027-01-03", reason="holidays"),))
    assert opening(both, BERLIN, at("2026-12-19T23:59")).until == at("2026-12-20")
    assert opening(both, BERLIN, at("2026-12-24")) == Opening(
        False, "closed until Mon 2027-01-04 00:00 Europe/Berlin (holidays)", at("2027-01-04")
    )
    assert opening(both, BERLIN, at("2027-01-04")) == Opening(True, "open without end", None)


def test_windows_that_touch_or_overlap_are_one_opening():
    both = Calendar(open=(hours(9, 12), hours(12, 14), hours(13, 16)))
    assert opening(both, BERLIN, at("2026-11-30T09:00")).until == at("2026-11-30T16:00")
    assert opening(Calendar(open=(Window(days=(0, 1, 2, 3, 4)),)), BERLIN, at("2026-11-30")).until == at("2026-12-05")


def test_days_that_are_all_days_never_close():
    assert opening(Calendar(open=(Window(days=tuple(range(7))),)), BERLIN, at("2026-11-26")) == Opening(
        True, "open without end", None
    )


def test_from_and_until_may_stand_alone():
    assert opening(Calendar(open=(Window(start="2026-12-01T12:00"),)), BERLIN, at("2026-11-26")).until == at("2026-12-01T12:00")
    assert opening(Calendar(open=(Window(end="2026-12-01T12:00"),)), BERLIN, at("2026-11-26")).until == at("2026-12-01T12:00")


def test_an_instant_with_an_offset_is_the_same_everywhere():
    window = Calendar(closed=(Window(start="2026-12-01T00:00:00Z", end="2026-12-01T06:00:00+02:00"),))
    assert {opening(window, name, at("2026-11-30T12:00Z"[:16])).until for name in (BERLIN, NEW_YORK)} == {at("2026-12-01", "UTC")}
    assert opening(window, NEW_YORK, at("2026-12-01", "UTC")).until == at("2026-12-01T04:00", "UTC")


def test_a_date_as_an_end_includes_its_day():
    assert opening(Calendar(closed=(Window(start="2026-12-24", end="2026-12-24"),)), BERLIN, at("2026-12-24")).until == at(
        "2026-12-25"
    )


def test_a_turn_between_two_spans_of_the_memory_is_seen():
    edge = (at("2026-11-26") // CHUNK + 1) * CHUNK
    window = Window(start=to_wall(edge, zone("UTC")).isoformat())
    assert opening(Calendar(closed=(window,)), "UTC", edge - 1).until == edge
    assert not opening(Calendar(closed=(window,)), "UTC", edge).open


def test_what_ended_long_ago_does_not_come_back():
    once = Calendar(open=(Window(end="2026-12-01T12:00"),))
    assert opening(once, BERLIN, at("2031-06-01")) == Opening(False, "closed without end", None)


def test_a_turn_years_ahead_is_named_exactly():
    later = Calendar(closed=(Window(start="2029-03-01", reason="the move"),))
    assert opening(later, BERLIN, at("2026-11-26")).reason == "open until Thu 2029-03-01 00:00 Europe/Berlin"
    shut = Calendar(closed=(Window(end="2029-02-28", reason="the move"),))
    assert opening(shut, BERLIN, at("2026-11-26")).reason == "closed until Thu 2029-03-01 00:00 Europe/Berlin (the move)"


def test_only_a_window_that_covers_the_moment_gives_its_reason():
    both = Calendar(closed=(Window(start="2027-01-01", reason="later"), Window(), Window(reason="incident 4711")))
    assert opening(both, BERLIN, at("2026-11-26")).reason == "closed without end (incident 4711)"
    assert opening(Calendar(closed=(Window(),)), BERLIN, at("2026-11-26")).reason == "closed without end"


def test_the_next_occurrence_is_of_any_window_that_still_has_one():
    calendar = Calendar(open=(Window(start="2026-01-01", end="2026-01-02"), hours(9, 16, 0)))
    assert next_occurrence(calendar, BERLIN, at("2026-11-26")) == (at("2026-11-30T09:00"), at("2026-11-30T16:00"))


# --- hours over midnight, daylight saving, zones ----------------------------------------------------------------------


def test_hours_over_midnight_belong_to_their_first_day():
    saturday = hours(22, 4, 5)
    assert walls(occurrences(saturday, BERLIN, at("2026-11-26"), at("2026-12-06"))) == [
        ("2026-11-28 22:00", "2026-11-29 04:00"),
        ("2026-12-05 22:00", "2026-12-06 04:00"),
    ]
    night = Calendar(open=(saturday,))
    assert opening(night, BERLIN, at("2026-11-29T03:59")).open
    assert not opening(night, BERLIN, at("2026-11-28T03:59")).open


def test_hours_to_midnight_and_all_day():
    assert walls(occurrences(hours(18, 24, 0), BERLIN, at("2026-11-30"), at("2026-12-02"))) == [
        ("2026-11-30 18:00", "2026-12-01 00:00")
    ]
    assert walls(occurrences(hours(9, 9, 0), BERLIN, at("2026-11-30"), at("2026-12-02"))) == [
        ("2026-11-30 09:00", "2026-12-01 09:00")
    ]


@pytest.mark.parametrize(("timezone", "spring"), [(BERLIN, "2027-03-28"), (NEW_YORK, "2027-03-14")])
def test_a_skipped_time_means_the_first_instant_after(timezone: str, spring: str):
    def only(start: int, end: int) -> list[tuple[str, str]]:
        window = Window(hours=(start, end))
        found = occurrences(window, timezone, at(f"{spring}T00:30", timezone), at(f"{spring}T12:00", timezone))
        return walls(found, timezone)

    assert only(150, 300) == [(f"{spring} 03:00", f"{spring} 05:00")]
    assert only(60, 150) == [(f"{spring} 01:00", f"{spring} 03:00")]
    assert only(125, 155) == []


@pytest.mark.parametrize(("timezone", "autumn"), [(BERLIN, "2026-10-25"), (NEW_YORK, "2026-11-01")])
def test_a_doubled_time_is_the_first_as_a_start_and_the_second_as_an_end(timezone: str, autumn: str):
    doubled = "T02:30" if timezone == BERLIN else "T01:30"
    minutes = 150 if timezone == BERLIN else 90
    first, second = at(autumn + doubled, timezone), at(autumn + doubled, timezone, end=True)
    assert second - first == HOUR
    noon = at(f"{autumn}T12:00", timezone)
    assert occurrences(Window(hours=(minutes, 600)), timezone, first, noon)[0][0] == first
    assert occurrences(Window(hours=(10, minutes)), timezone, first, noon)[0][1] == second
    closing = opening(Calendar(open=(Window(hours=(10, minutes)),)), timezone, first)
    assert closing.until == second
    assert closing.reason.endswith(f"02:30 {BERLIN} (UTC+1)" if timezone == BERLIN else f"01:30 {NEW_YORK} (UTC-5)")


def test_a_day_of_25_hours_is_one_day_and_the_next_begins_when_it_ends():
    found = occurrences(Window(every="day", length=(1, 0)), BERLIN, at("2026-10-24"), at("2026-10-27"))
    assert [end - start for start, end in found] == [24 * HOUR, 25 * HOUR, 24 * HOUR]
    assert found[0][1] == found[1][0]


def test_a_midnight_that_comes_twice_begins_a_day_once():
    found = occurrences(
        Window(days=tuple(range(7))), "Atlantic/Azores", at("2026-10-24", "Atlantic/Azores"), at("2026-10-27", "Atlantic/Azores")
    )
    assert [after[0] - before[1] for before, after in pairwise(found)] == [0] * (len(found) - 1)
    assert 25 * HOUR in [end - start for start, end in found]


def test_length_counts_days_on_the_calendar_and_the_rest_as_time_elapsed():
    window = Window(rrule="FREQ=YEARLY", starting="2026-10-24T12:00", length=(1, 12 * HOUR))
    assert walls(occurrences(window, BERLIN, at("2026-10-24"), at("2026-11-24"))) == [("2026-10-24 12:00", "2026-10-26 00:00")]
    elapsed = Window(rrule="FREQ=YEARLY", starting="2026-10-25T00:00", length=(0, 12 * HOUR))
    assert walls(occurrences(elapsed, BERLIN, at("2026-10-24"), at("2026-11-24"))) == [("2026-10-25 00:00", "2026-10-25 11:00")]


def test_the_same_hours_differ_around_the_date_line():
    opened = Calendar(open=(hours(0, 24, 0),))
    spans = {
        name: slot(opened, name, at("2026-11-30T12:00", name)) for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC")
    }
    assert spans["Pacific/Pago_Pago"][0] - spans["Pacific/Kiritimati"][0] == 25 * HOUR
    assert all(end - start == DAY for start, end in spans.values())


def test_a_day_that_a_zone_skipped_is_no_day():
    found = occurrences(
        Window(days=tuple(range(7))), "Pacific/Apia", at("2011-12-29", "Pacific/Apia"), at("2012-01-01", "Pacific/Apia")
    )
    assert walls(found, "Pacific/Apia") == [("2011-12-29 00:00", "2011-12-31 00:00"), ("2011-12-31 00:00", "2012-01-01 00:00")]


# --- recurrences ------------------------------------------------------------------------------------------------------


def test_black_friday_of_the_example():
    assert opening(BLACK_FRIDAY, NEW_YORK, at("2026-11-25T23:59", NEW_YORK)).until == at("2026-11-26", NEW_YORK)
    assert opening(BLACK_FRIDAY, NEW_YORK, at("2026-11-26", NEW_YORK)) == Opening(
        False, "closed until Tue 2026-12-01 00:00 America/New_York (Thanksgiving to Cyber Monday)", at("2026-12-01", NEW_YORK)
    )
    assert opening(BLACK_FRIDAY, NEW_YORK, at("2026-12-01", NEW_YORK)).until == at("2027-11-25", NEW_YORK)
    assert opening(BLACK_FRIDAY, NEW_YORK, at("2025-11-27T12:00", NEW_YORK)).open


def test_the_quarterly_cadence_of_the_example():
    now = at("2026-10-05T12:00", NEW_YORK)
    found = slot(QUARTERLY, NEW_YORK, now)
    assert walls([found], NEW_YORK) == [("2026-10-01 00:00", "2026-10-15 00:00")]
    assert occurrence(QUARTERLY, NEW_YORK, found[1] - 1) == found
    assert occurrence(QUARTERLY, NEW_YORK, found[1]) is None
    assert walls([next_slot(QUARTERLY, NEW_YORK, now)], NEW_YORK) == [("2027-01-01 00:00", "2027-01-15 00:00")]


@pytest.mark.parametrize(
    ("every", "starting", "expected"),
    [
        ("week", "", ["2026-11-23", "2026-11-30", "2026-12-07"]),
        ("week", "2026-11-26", ["2026-11-26", "2026-12-03", "2026-12-10"]),
        ("month", "2026-08-31", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]),
        ("quarter", "2026-02-01", ["2026-11-01", "2027-02-01"]),
        ("year", "2024-02-29", ["2026-02-28", "2027-02-28", "2028-02-29"]),
        ("year", "", ["2026-01-01", "2027-01-01"]),
    ],
)
def test_recurrences_start_where_they_are_told(every: str, starting: str, expected: list[str]):
    found = occurrences(Window(every=every, starting=starting, length=(1, 0)), BERLIN, at(expected[0]), at(expected[-1]) + 1)
    assert [start for start, _ in found] == [at(day) for day in expected]


def test_nothing_occurs_before_the_first():
    window = Window(every="week", starting="2030-01-01", length=(1, 0))
    assert occurrences(window, BERLIN, at("2029-01-01"), at("2030-01-05")) == [(at("2030-01-01"), at("2030-01-02"))]


def test_without_a_length_a_recurrence_lasts_until_the_next():
    weekly = Calendar(open=(Window(every="week"),))
    now = at("2026-11-26")
    assert walls([slot(weekly, BERLIN, now), next_slot(weekly, BERLIN, now)]) == [
        ("2026-11-23 00:00", "2026-11-30 00:00"),
        ("2026-11-30 00:00", "2026-12-07 00:00"),
    ]
    assert opening(weekly, BERLIN, at("2026-11-26")).until is None


def test_recurrences_that_overlap_are_cut_where_the_next_begins_and_open_as_one():
    window = Window(rrule="FREQ=WEEKLY;BYDAY=MO,TU", length=(3, 0))
    assert walls(occurrences(window, BERLIN, at("2026-11-30"), at("2026-12-05"))) == [
        ("2026-11-30 00:00", "2026-12-01 00:00"),
        ("2026-12-01 00:00", "2026-12-04 00:00"),
    ]
    assert opening(Calendar(open=(window,)), BERLIN, at("2026-11-30")).until == at("2026-12-04")


def test_a_rule_ends_with_its_count_or_its_last_day():
    counted = Window(rrule="FREQ=DAILY;COUNT=2", starting="2026-11-26", length=(0, HOUR))
    assert len(occurrences(counted, BERLIN, at("2026-11-01"), at("2027-11-01"))) == 2
    assert opening(Calendar(open=(counted,)), BERLIN, at("2026-11-28")) == Opening(False, "closed without end", None)
    until = Window(rrule="FREQ=DAILY;UNTIL=20261127", starting="2026-11-26T12:00", length=(0, HOUR))
    assert len(occurrences(until, BERLIN, at("2026-11-01"), at("2027-11-01"))) == 2
    assert opening(Calendar(open=(until,)), BERLIN, at("2026-11-28")).until is None
    utc = Window(rrule="FREQ=DAILY;UNTIL=20261127T110000Z", starting="2026-11-26T12:00", length=(0, HOUR))
    assert len(occurrences(utc, BERLIN, at("2026-11-01"), at("2027-11-01"))) == 2
    assert len(occurrences(utc, "Asia/Tokyo", at("2026-11-01"), at("2027-11-01"))) == 2
    assert len(occurrences(utc, NEW_YORK, at("2026-11-01"), at("2027-11-01"))) == 1


def test_hourly_rules_start_near_the_time_asked_for():
    window = Window(rrule="FREQ=HOURLY;INTERVAL=6", starting="1970-01-01T03:00", length=(0, HOUR))
    found = occurrences(window, "UTC", at("2026-11-26", "UTC"), at("2026-11-27", "UTC"))
    assert walls(found, "UTC") == [(f"2026-11-26 {hour:02}:00", f"2026-11-26 {hour + 1:02}:00") for hour in (3, 9, 15, 21)]


def test_what_recurs_too_rarely_to_be_seen_is_looked_at_again():
    rare = Calendar(open=(Window(rrule="FREQ=YEARLY;INTERVAL=20", starting="2026-01-01", length=(1, 0)),))
    now = at("2026-11-26")
    found = opening(rare, BERLIN, now)
    assert found.until == (now // CHUNK + 1 + HORIZON) * CHUNK
    assert found.reason == f"closed until at least {format_wall(found.until, zone(BERLIN))}"
    assert next_occurrence(rare, BERLIN, now) is None
    assert opening(rare, BERLIN, at("2045-01-01")).until == at("2046-01-01")


@pytest.mark.parametrize("window", [Window(start="2040-01-01"), Window(every="year", starting="2040-01-01", length=(1, 0))])
def test_what_begins_long_from_now_is_looked_at_again(window: Window):
    now = at("2026-11-26")
    assert opening(Calendar(open=(window,)), BERLIN, now).until == (now // CHUNK + 1 + HORIZON) * CHUNK
    assert opening(Calendar(open=(window,)), BERLIN, at("2039-06-01")).until == at("2040-01-01")


# --- occurrences ------------------------------------------------------------------------------------------------------


def test_the_first_open_window_that_covers_names_the_slot():
    calendar = Calendar(open=(hours(10, 12), Window(every="month", length=(5, 0))))
    assert walls([slot(calendar, BERLIN, at("2026-12-01T11:00"))]) == [("2026-12-01 10:00", "2026-12-01 12:00")]
    assert walls([slot(calendar, BERLIN, at("2026-12-01T09:00"))]) == [("2026-12-01 00:00", "2026-12-06 00:00")]
    assert walls([next_slot(calendar, BERLIN, at("2026-12-01T11:00"))]) == [("2026-12-02 10:00", "2026-12-02 12:00")]


def test_always_is_one_occurrence():
    assert occurrence(Calendar(), BERLIN, at("2026-11-26")) == (EARLIEST, LATEST)
    assert occurrence(Calendar(open=(Window(),)), BERLIN, at("2026-11-26")) == (EARLIEST, LATEST)
    assert next_occurrence(Calendar(), BERLIN, at("2026-11-26")) is None
    assert occurrences(Window(), BERLIN, 0, 1) == [(EARLIEST, LATEST)]


def test_a_single_occurrence_is_found_before_and_while_it_lasts():
    window = Window(start="2026-12-01", end="2026-12-02")
    calendar = Calendar(open=(window,))
    span = (at("2026-12-01"), at("2026-12-03"))
    assert next_occurrence(calendar, BERLIN, at("2026-11-26")) == span
    assert occurrence(calendar, BERLIN, span[0]) == span
    assert occurrence(calendar, BERLIN, span[1]) is None
    assert next_occurrence(calendar, BERLIN, span[0]) is None
    assert occurrences(window, BERLIN, span[1], span[1] + DAY) == []


def test_a_window_whose_end_comes_first_covers_nothing():
    backwards = Window(start="2026-12-02", end="2026-11-30T12:00")
    assert occurrences(backwards, BERLIN, 0, LATEST) == []
    assert opening(Calendar(closed=(backwards,)), BERLIN, at("2026-12-01")) == Opening(True, "open without end", None)


def test_occurrences_are_bounded_in_number():
    assert len(occurrences(hours(9, 10), BERLIN, EARLIEST, LATEST, most=50)) == 50


@pytest.mark.parametrize("now", [EARLIEST - DAY, EARLIEST, LATEST, LATEST + DAY])
def test_the_ends_of_time_are_quiet(now: int):
    assert opening(OFFICE, BERLIN, now).open is False
    assert occurrence(QUARTERLY, BERLIN, now) is None


# --- properties -------------------------------------------------------------------------------------------------------

ZONES = st.sampled_from(
    [BERLIN, NEW_YORK, "UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Australia/Lord_Howe", "Atlantic/Azores", "America/Havana"]
)
DATES = st.dates(date(2025, 1, 1), date(2027, 12, 31)).map(str)
MOMENTS = st.one_of(DATES, st.builds("{}T{:02}:{:02}".format, DATES, st.integers(0, 23), st.sampled_from([0, 30])))
RULES = st.sampled_from(
    [
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=2,22",
        "FREQ=WEEKLY;INTERVAL=2",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=DAILY;COUNT=30",
        "FREQ=HOURLY;INTERVAL=7;UNTIL=20270301",
    ]
)
LENGTHS = st.tuples(st.integers(0, 6), st.sampled_from([1, 30 * MINUTE, 5 * HOUR]))
WINDOWS = st.one_of(
    st.builds(Window, days=st.sets(st.integers(0, 6), min_size=1).map(tuple)),
    st.builds(
        Window,
        days=st.sets(st.integers(0, 6)).map(tuple),
        hours=st.tuples(st.sampled_from([0, 60, 90, 130, 540, 1320]), st.sampled_from([0, 90, 150, 180, 960, 1440])),
    ),
    st.builds(Window, start=MOMENTS | st.just(""), end=MOMENTS | st.just("")),
    st.builds(Window, every=st.just("day"), length=st.tuples(st.just(0), st.integers(0, DAY)), starting=MOMENTS | st.just("")),
    st.builds(
        Window,
        every=st.sampled_from(["week", "month", "quarter", "year"]),
        length=LENGTHS | st.just((0, 0)),
        starting=MOMENTS | st.just(""),
    ),
    st.builds(Window, rrule=RULES, length=LENGTHS, starting=MOMENTS),
)
CALENDARS = st.builds(
    Calendar, open=st.none() | st.lists(WINDOWS, max_size=2).map(tuple), closed=st.lists(WINDOWS, max_size=2).map(tuple)
)
INSTANTS = st.integers(at("2025-01-01"), at("2027-12-31")) | st.integers(at("2026-10-24"), at("2026-10-26"))


def covered(windows: tuple[Window, ...], timezone: str, now: int) -> bool:
    return any(occurrences(window, timezone, now, now + 1) for window in windows)


@settings(deadline=None)
@given(CALENDARS, ZONES, INSTANTS)
def test_it_is_open_where_an_open_window_covers_and_no_closed_one_does(calendar: Calendar, timezone: str, now: int):
    permitted = calendar.open is None or covered(calendar.open, timezone, now)
    assert opening(calendar, timezone, now).open == (permitted and not covered(calendar.closed, timezone, now))


@settings(deadline=None)
@given(CALENDARS, ZONES, INSTANTS, st.floats(0, 1))
def test_the_answer_holds_until_the_very_instant_named(calendar: Calendar, timezone: str, now: int, share: float):
    found = opening(calendar, timezone, now)
    if found.until is None:
        assert opening(calendar, timezone, now + int(share * HORIZON * CHUNK)).open is found.open
    else:
        assert found.until > now
        between = now + int(share * (found.until - now - 1))
        assert opening(calendar, timezone, between).open is opening(calendar, timezone, found.until - 1).open is found.open
        assume("at least" not in found.reason)
        assert opening(calendar, timezone, between).until == found.until
        assert opening(calendar, timezone, found.until).open is not found.open


@settings(deadline=None)
@given(WINDOWS, ZONES, INSTANTS, st.integers(1, 400 * DAY))
@example(Window(every="month", length=(0, 0), starting="2025-01-31T02:30"), BERLIN, at("2026-10-01"), 400 * DAY)
@example(Window(every="year"), BERLIN, at("2025-06-01"), 1)
def test_occurrences_are_sorted_and_disjoint_and_do_not_depend_on_where_one_looks(
    window: Window, timezone: str, start: int, span: int
):
    found = occurrences(window, timezone, start, start + span)
    assert all(first < last for first, last in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    for occurred in (found[:1] + found[-1:]) if len(found) < 10_000 else []:
        assert occurrences(window, timezone, occurred[0], occurred[0] + 1)[-1] == occurred
        calendar = Calendar(open=(window,))
        assert occurrence(calendar, timezone, occurred[0]) == occurrence(calendar, timezone, occurred[1] - 1) == occurred
        assert next_occurrence(calendar, timezone, occurred[0] - 1) == occurred


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(zone_names())), st.datetimes(datetime(1920, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001
@example("Africa/Casablanca", datetime(2026, 3, 22, 2, 30))  # noqa: DTZ001
@example("America/St_Johns", datetime(2006, 10, 29, 0, 0, 30))  # noqa: DTZ001
@example("Pacific/Apia", datetime(2011, 12, 30, 12, 0))  # noqa: DTZ001
def test_the_instant_of_a_wall_clock_time_shows_it_in_every_zone_there_is(timezone: str, wall: datetime):
    place, wall = zone(timezone), wall.replace(microsecond=0)
    first, last = to_instant(wall, place), to_instant(wall, place, end=True)
    shown = to_wall(first, place)
    if shown == wall:
        assert to_wall(last, place) == wall
        assert first <= last
    else:
        assert first == last
        assert to_wall(first - 1000, place) < wall < shown


def test_what_was_computed_once_is_only_looked_up():
    now = at("2026-11-26T12:00")
    for calendar in (OFFICE, BLACK_FRIDAY, QUARTERLY):
        opening(calendar, BERLIN, now)
        computed = windows._chunk.cache_info().misses
        opening(calendar, BERLIN, now + MINUTE)
        assert windows._chunk.cache_info().misses == computed
