"""Durations go by the steady clock, calendars and what people give an end by the wall clock, at every phase (§10.17)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, AdmissionDsl, Instance, after, approval, check, entity, hours

from setpoint.core.admission.requests import KEPT_BUDGETS
from setpoint.core.facts import AnyFact, Began, Need, Woken
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.policy import Cadence, CalendarUse, Phase
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND

JUMPS = [-DAY, -HOUR, -SECOND, SECOND, HOUR, DAY]


class Wall(Instance):
    """An instance whose host's wall clock may be set."""

    def __init__(self, **policy: Any) -> None:
        self.offset = 0
        super().__init__(**policy)

    def _turn(self, facts: tuple[Any, ...]) -> None:
        super()._turn(tuple(replace(fact, offset=self.offset) for fact in facts))

    def set_by(self, by: int) -> Any:
        """The host wakes it then, as it wakes everyone who waits."""
        self.offset += by
        self.receive(Woken())
        return self


def soaking() -> Any:
    return Wall(orderings=(after(soak=10 * MINUTE),)).upstream("staging", "1.0").offer(1, "1.0")


def windowed() -> Any:
    return Wall(checks=(check("alerts", window=10 * MINUTE),)).offer(1, "1.0")


def delayed() -> Any:
    checks = (check("alerts", Phase.POST_DEPLOYMENT, delay=10 * MINUTE),)
    return Wall(checks=checks).offer(1, "1.0").comes_up("1.0")


def refused() -> Any:
    return Wall().offer(1, "1.0").applied("try again")


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize("waiting", [soaking, windowed, delayed, refused])
def test_a_wall_clock_that_is_set_changes_no_duration(waiting: Any, by: int):
    """What is waited for ends when it would have ended, neither later (a window of "another 23h 59m") nor sooner."""
    undisturbed, prod = waiting(), waiting()
    assert undisturbed.wake_at == prod.set_by(by).wake_at
    assert undisturbed.reasons == prod.reasons
    undisturbed.wait(15 * MINUTE)
    prod.wait(15 * MINUTE)
    assert prod.history == undisturbed.history
    assert prod.applies == undisturbed.applies
    assert prod.wake_at == undisturbed.wake_at


@pytest.mark.parametrize("by", JUMPS)
def test_a_calendar_opens_by_the_wall_clock_as_it_is_set(by: int):
    prod = Wall(calendars=(hours(9, 17),)).offer(1, "1.0")
    assert prod.wake_at == START + 9 * HOUR
    prod.set_by(by)
    opens = START + (9 * HOUR - by) % DAY
    assert (prod.target, prod.wake_at) == ("", opens)
    prod.wait(opens - START - 1)
    assert prod.target == ""
    assert prod.wait(1).target == "1.0"


@pytest.mark.parametrize("by", JUMPS)
def test_an_approval_expires_by_the_wall_clock(by: int):
    """Two hours are left, by the clock on the wall, whatever that is set to."""
    prod = Wall(approvals=(approval(expires=2 * HOUR),), checks=(check("alerts"),)).offer(1, "1.0").approve("ann")
    prod.set_by(by)
    left = 2 * HOUR - by
    assert prod.waits_for("waits for release-manager") == (left <= 0)
    if left > 0:
        prod.wait(left - 1)
        assert not prod.waits_for("waits for release-manager")
        assert prod.wait(1).waits_for("an earlier yes has expired")


@pytest.mark.parametrize("by", [-DAY, DAY])
def test_a_cadence_counts_a_release_in_the_slot_in_which_it_began(by: int):
    """The clock is set during the rollout: what was begun today is today's."""
    daily = Cadence(Calendar("daily", open=(Window(hours=(0, 6 * 60)),)), "UTC")
    prod = Wall(cadence=daily).offer(1, "1.0")
    prod.set_by(by)
    prod.comes_up("1.0")
    assert prod.good == "1.0"
    assert prod.life.slot == (START, 1)


def test_a_calendar_that_pauses_what_is_in_flight_goes_by_the_wall_clock():
    days = CalendarUse("days", Calendar("days", open=(Window(hours=(0, 6 * 60)),), in_flight="pause"), "UTC")
    prod = Wall(calendars=(days,), checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(1, "1.0")
    assert not prod.waits_for("paused: days is closed")
    prod.set_by(7 * HOUR)
    assert prod.waits_for("paused: days is closed")
    assert prod.set_by(-7 * HOUR).waits_for("paused: days is closed") is False


def test_a_budget_of_a_window_that_is_open_by_the_wall_clock_is_not_forgotten():
    """The steady clock may be weeks beyond the wall clock, once that was set back."""
    office, month = AdmissionDsl(budget=1), 31 * DAY
    need = Need("budget:application:shop/hours", 1, START, START + DAY)
    later = START + month

    def tell(fact: AnyFact) -> None:
        office.now = later
        office.receive(replace(fact, offset=-month))

    assert month > KEPT_BUDGETS
    tell(office.request("ann", need))
    tell(Began(requester=entity("ann"), request_id=1))
    tell(office.request("bob", need))
    assert office.granted == ["ann"]
