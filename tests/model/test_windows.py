"""What makes a window impossible, and how rules and zones are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.model.calendars import recurrence
from setpoint.model.calendars.calendar import Window
from setpoint.model.calendars.windows import occurrences, problems
from setpoint.model.calendars.zones import EARLIEST, LATEST, format_wall, parse_moment, to_instant, to_wall, zone, zone_names
from setpoint.model.time import DAY, HOUR

RULE = "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"


def rule(text: str, starting: str = "2026-11-26") -> Window:
    return Window(rrule=text, starting=starting, length=(1, 0))


@pytest.mark.parametrize(
    "window",
    [
        Window(),
        Window(reason="stop", max=3),
        Window(days=(0, 1), hours=(540, 960)),
        Window(hours=(1320, 0)),
        Window(hours=(0, 1440)),
        Window(start="2026-12-20", end="2026-12-20"),
        Window(start="2026-12-20T10:00:00Z", end="2026-12-20T11:30"),
        Window(end="2026-12-20T10:00:00+05:30"),
        Window(every="month"),
        Window(every="quarter", length=(14, 0), starting="2026-02-01"),
        Window(every="day", length=(1, 0)),
        Window(every="year", length=(366, 0)),
        Window(rrule=RULE, length=(5, 0)),
        rule("RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=1;WKST=SU"),
        rule("freq=daily;interval=2;count=5;byhour=9,17"),
        rule("FREQ=HOURLY;INTERVAL=6;UNTIL=20271231T235959Z"),
        rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2024-02-29"),
    ],
)
def test_windows_that_can_be_meant_have_no_problems(window):
    assert problems(window) == []
    assert problems(window, "America/New_York") == []


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(every="day", hours=(0, 60)), "either `days/hours` or `every`"),
        (Window(start="2026-12-20", starting="2026-12-20"), "belong to `every` or `rrule`"),
        (Window(days=(1,), length=(1, 0)), "belong to `every` or `rrule`"),
        (Window(rrule=RULE), "needs `for`"),
        (Window(days=(7,)), "mon to sun"),
        (Window(hours=(1440, 60)), "`hours`"),
        (Window(hours=(60, 1441)), "`hours`"),
        (Window(every="decade"), "one of day, week"),
        (Window(every="day", length=(-1, 0)), "not negative"),
        (Window(max=-1), "not negative"),
        (Window(start="tomorrow"), '`from`: "tomorrow" is not a valid date'),
        (Window(end="2026-02-30"), '`until`: "2026-02-30" is not a valid date'),
        (Window(end="2026-12-20T25:00"), "is not a valid date or time"),
        (Window(start="0026-12-20"), "not between 1970 and 2999"),
        (Window(every="week", starting="2026-12-20T00:00Z"), "without an offset"),
        (Window(start="2026-12-20", end="2026-12-19"), "not after `from`"),
        (Window(start="2026-12-20T10:00Z", end="2026-12-20T11:00+02:00"), "not after `from`"),
        (Window(every="week", length=(7, 1)), "`for: 1w1ms` is longer than 7d, the longest week"),
        (Window(rrule=RULE, length=(367, 0)), "longer than 366d"),
        (rule("FREQ=MONTHLY;BYDAY=6MO"), "never occurs"),
        (rule("FREQ=DAILY;UNTIL=20261001"), "never occurs"),
        (rule("FREQ=DAILY;COUNT=5", ""), "COUNT in `rrule` counts from `starting`"),
        (rule("FREQ=HOURLY", ""), "FREQ=HOURLY in `rrule` counts from `starting`"),
        (rule("FREQ=WEEKLY;INTERVAL=2", ""), "INTERVAL in `rrule` counts from `starting`"),
        (rule("FREQ=MINUTELY"), "needs FREQ"),
        (rule("BYDAY=MO"), "needs FREQ"),
        (rule("FREQ=HOURLY;BYDAY=MO"), "write FREQ=DAILY;BYHOUR"),
        (rule("FREQ=DAILY;BYMONTHDAY=31"), "write FREQ=MONTHLY"),
        (rule("FREQ=DAILY;BYMINUTE=1,2"), "less than an hour"),
        (rule("FREQ=DAILY;INTERVAL=0"), "INTERVAL=0"),
        (rule("FREQ=DAILY;COUNT=999999"), "COUNT=999999"),
        (rule("FREQ=DAILY;COUNT=x"), "COUNT=X"),
        (rule("FREQ=MONTHLY;BYMONTHDAY=0"), "but 0"),
        (rule("FREQ=MONTHLY;BYDAY=MONDAY"), "not a valid BYDAY"),
        (rule("FREQ=MONTHLY;BYDAY=MO,-1FR"), "mixes plain and numbered days"),
        (rule("FREQ=WEEKLY;BYDAY=2MO"), "needs FREQ=MONTHLY"),
        (rule("FREQ=WEEKLY;WKST=XX"), "WKST"),
        (rule("FREQ=DAILY;COUNT=1;UNTIL=20271231"), "both COUNT and UNTIL"),
        (rule("FREQ=DAILY;UNTIL=soon"), "UNTIL=SOON"),
        (rule("FREQ=DAILY;UNTIL=20261332"), "is not a valid date"),
        (rule("FREQ=DAILY;FREQ=DAILY"), "there twice"),
        (rule("FREQ"), "not NAME=VALUE"),
        (rule("FREQ=YEARLY;BYEASTER=0"), "not a supported part of RFC 5545"),
        (rule("DTSTART:20260101\nRRULE:FREQ=DAILY"), "its first day is `starting`"),
        (rule("FREQ=DAILY;" + "BYHOUR=1;" * 100), "at most 500"),
    ],
)
def test_windows_that_cannot_be_meant_say_so(window, words):
    assert words in " | ".join(problems(window))


@given(
    st.text(alphabet="FREQ=DAILYWKOUNT;BDMOH0123456789-,TINV", max_size=40)
    | st.lists(
        st.sampled_from(
            [
                "FREQ=DAILY",
                "FREQ=WEEKLY",
                "BYDAY=MO",
                "BYDAY=1MO",
                "BYHOUR=24",
                "INTERVAL=3",
                "COUNT=3",
                "BYSETPOS=1",
                "WKST=MO",
                "=",
                "",
            ]
        )
    ).map(";".join)
)
def test_any_rule_is_read_or_refused(text):
    if found := problems(rule(text)):
        assert all("rrule" in problem for problem in found)
        return
    assert recurrence.parse_rule(text)["FREQ"] in text
    assert occurrences(rule(text), "UTC", 1_795_000_000_000, 1_796_000_000_000) is not None


def test_several_problems_are_told_at_once():
    assert len(problems(Window(days=(9,), every="decade", start="x"))) >= 4


# --- zones ------------------------------------------------------------------------------------------------------------


def test_zones_are_those_of_the_package():
    assert zone("Europe/Berlin").key == "Europe/Berlin"
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert {"UTC", "US/Eastern", "Asia/Kolkata"} <= zone_names()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Europe/Berln", 'did you mean "Europe/Berlin"'),
        ("../../etc/passwd", "IANA name"),
        ("", "IANA name"),
        ("europe/berlin", "Europe/Berlin"),
    ],
)
def test_an_unknown_zone_is_refused_with_advice(name, advice):
    with pytest.raises(ValueError, match=advice):
        zone(name)


@pytest.mark.parametrize("name", sorted(zone_names())[::23])
def test_every_zone_of_the_package_can_be_read(name):
    assert zone(name).utcoffset(parse_moment("2026-11-26")) is not None


@given(
    st.integers(0, 4_000_000_000_000),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"]),
)
def test_an_instant_lies_between_the_first_and_the_second_time_its_wall_clock_shows(instant, name):
    place = zone(name)
    wall = to_wall(instant, place)
    assert to_instant(wall, place) <= instant <= to_instant(wall, place, end=True)
    assert instant in (to_instant(wall, place), to_instant(wall, place, end=True))


def test_a_skipped_time_is_the_transition_wherever_it_lies_in_the_gap():
    place = zone("Australia/Lord_Howe")  # half an hour
    gap = {to_instant(parse_moment(f"2026-10-04T02:{minute:02}"), place) for minute in (0, 1, 17, 29, 30)}
    assert len(gap) == 1
    assert to_wall(gap.pop(), place) == parse_moment("2026-10-04T02:30")


def test_walls_beyond_the_calendar_are_its_ends():
    assert to_instant(parse_moment("0001-01-01"), zone("UTC")) == EARLIEST
    assert to_instant(parse_moment("9999-12-31"), zone("UTC")) == LATEST
    assert to_wall(EARLIEST - DAY, zone("UTC")) == to_wall(EARLIEST, zone("UTC"))


def test_a_doubled_hour_is_written_with_its_offset():
    first = to_instant(parse_moment("2026-10-25T02:30:15"), zone("Europe/Berlin"))
    assert format_wall(first, zone("Europe/Berlin")) == "Sun 2026-10-25 02:30:15 Europe/Berlin (UTC+2)"
    assert format_wall(first + HOUR, zone("Europe/Berlin")) == "Sun 2026-10-25 02:30:15 Europe/Berlin (UTC+1)"
    assert format_wall(first + 2 * HOUR, zone("Europe/Berlin")) == "Sun 2026-10-25 03:30:15 Europe/Berlin"
