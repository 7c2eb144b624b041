"""Cases that broke others, and paper versions of this design: those that no page of rules has for its own.

All cases, and the test of each, are listed in ``test_rules_page.py``.
"""

from __future__ import annotations

from tests.core.dsl import START, Instance, after, check, hours

from setpoint.core.facts import Configured, Removed, RunRequested, Woken
from setpoint.core.instructions import Apply
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import Outcome
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import CalendarUse, Ordering, Phase
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND


def test_a_finished_job_is_removed_before_it_was_seen():
    """The runtime remembers that it completed: nothing is left to look at, nothing is missing, and it is not run again."""
    prod = Instance().offer(1, "1.0").applied().observed("", complete=True)
    assert (prod.good, prod.condition) == ("1.0", "converged")
    prod.wait(HOUR).observed("", complete=True)
    assert prod.applies == ["spec-1.0"]


def test_soak_together_with_an_empty_channel_group():
    """A group without members has nobody to wait for, however long the soak: this is not “never”, and not an error at night."""
    prod = Instance(orderings=(Ordering("after", (), ("pilots",), soak=DAY, allow_empty=True),)).offer(1, "1.0")
    assert prod.comes_up("1.0").good == "1.0"


def test_a_gate_on_something_this_channel_does_not_use():
    """A check of the database concerns channels that have one: elsewhere it is neither run nor waited for."""
    migrated = check("migrated", when=parse_selector("database=postgresql"))
    prod = Instance(checks=(migrated,)).offer(1, "1.0")
    assert (prod.target, prod.sent(RunRequested)) == ("1.0", [])


def test_an_outage_of_the_platform_fails_no_rollout_and_vetoes_nothing():
    """Runtime and checks are gone together, in the middle of a rollout, and come back hours later."""
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.POST_DEPLOYMENT),))
    prod.offer(2, "1.1").comes_up("1.1").unobserved().result("alerts", Outcome.UNAVAILABLE).wait(6 * HOUR)
    assert (prod.target, prod.condition, prod.vetoed) == ("1.1", "verifying", set())
    assert prod.waits_for("the runtime is unreachable")
    assert prod.waits_for("alerts could not run (unavailable)")
    prod.observed("1.1").passing("alerts")
    assert prod.good == "1.1"


BERLIN = CalendarUse("hours", Calendar("hours", open=(Window(hours=(9 * 60, 17 * 60)),)), "Europe/Berlin")


def test_daylight_saving_moves_a_window():
    """Nine o'clock is nine o'clock where people live: an hour earlier by UTC on the day on which their clocks go forward."""
    friday = START + 85 * DAY + 18 * HOUR  # 2026-03-27T18:00Z, two days before clocks change
    prod = Instance(calendars=(BERLIN,))
    prod.now = friday
    prod.offer(1, "1.0")
    assert prod.wake_at == START + 86 * DAY + 8 * HOUR, "Saturday, 09:00 by UTC+1"
    prod.now = friday + DAY
    prod.receive(Woken())
    assert prod.waits_for("hours is closed until Sun 2026-03-29 09:00 Europe/Berlin")
    assert prod.wake_at == START + 87 * DAY + 7 * HOUR, "Sunday, 09:00 by UTC+2"
    prod.wait(13 * HOUR)
    assert prod.target == "1.0"


def test_the_clock_jumps_ahead_and_nothing_fails():
    """A deadline that the clock ran past is judged by what is seen then, and only observed time counts."""
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied().observed("1.1", healthy=None)
    prod.now += 30 * DAY
    prod.receive(Woken())
    assert prod.condition == "deploying"
    assert prod.observed("1.1", healthy=True).good == "1.1"


def test_the_clock_jumps_back_and_what_began_later_than_now_began_now():
    prod = Instance(orderings=(after(soak=HOUR),)).offer(1, "1.0").upstream("staging", "1.0", at=START + 24 * HOUR)
    assert prod.waits_for("1.0 soaks in staging for another 1h")
    assert prod.wait(HOUR).target == "1.0"


def test_the_engine_asleep_through_a_deadline():
    """It wakes long after: it looks first, and what is healthy by then has not failed."""
    prod = Instance(progress_deadline=2 * MINUTE).with_good(1, "1.0").offer(2, "1.1").applied().observed("1.1", healthy=None)
    prod.now += 8 * HOUR
    prod.receive(Woken())
    assert (prod.condition, prod.target) == ("deploying", "1.1")
    late = prod.look("1.1")
    prod.receive(late)
    assert prod.good == "1.1"


def test_a_release_to_production_of_what_staging_will_never_get():
    """It waits and says for what; a person may skip the ordering; a release that went the whole way does not wait behind it."""
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "1.0").comes_up("1.0")
    prod.offer(2, "1.0.1", addressed=True)
    assert prod.waits_for("staging has not finalized 1.0.1 yet")
    prod.offer(3, "1.1").upstream("staging", "1.0", "1.1")
    assert prod.target == "1.1"
    other = Instance(orderings=(after(),)).offer(2, "1.0.1", addressed=True).skip(2, "after")
    assert other.target == "1.0.1"


def test_a_window_closes_between_the_last_gate_and_the_start():
    """All gates hold together at one moment, or nothing starts: a pass from when the window was open does not help."""
    prod = Instance(checks=(check("alerts"),), calendars=(hours(0, 1),)).offer(1, "1.0")
    prod.now += HOUR + SECOND
    prod.passing("alerts")
    assert prod.target == ""
    assert prod.waits_for("hours is closed")


def test_a_channel_renamed_on_the_same_runtime():
    """The old name is left alone – nothing of it is taken down, whatever runs beside it – and is what it was if it comes back."""
    old = Instance().with_good(1, "1.0").hold().receive(Removed(number=2))
    for _ in range(3):
        old.wait(DAY).observed("")
        assert old.gave(Apply) == []
    new = Instance().observed("1.0")
    assert (new.good, new.applies) == ("", []), "what another runs is not taken for its own"
    old.receive(Configured(policy=old.policy, number=3))
    assert (old.good, old.held, old.frontier) == ("1.0", True, 1)
