"""``inFlight: pause``: what is under way when a window closes, or a line is stopped, stands still – but for going back."""

from __future__ import annotations

from typing import Any, Self

from tests.core.dsl import Actor, Instance, check
from tests.core.dsl.builders import closing

from setpoint.core.facts import ScopeStatus, StandingOrder, Stopped
from setpoint.core.scope import ScopeState
from setpoint.model.people import By
from setpoint.model.policy import Phase
from setpoint.model.time import HOUR, MINUTE, SECOND

SCOPE = "scope:organization"


class Prod(Instance):
    """With a good version, and the next one begun just before the window closes."""

    def __init__(self, in_flight: str = "pause", **policy: Any) -> None:
        policy.setdefault("calendars", (closing(in_flight),))
        super().__init__(**policy)

    def begun(self) -> Self:
        self.with_good(1, "1.0")
        self.wait(58 * MINUTE).offer(2, "2.0")
        return self

    def stopped(self, in_flight: str, number: int = 1) -> Self:
        stop = StandingOrder(By("ann", "an incident"), self.now, in_flight)
        self.receive(ScopeStatus(scope=SCOPE, number=number, stop=stop))
        return self

    def started(self) -> Self:
        self.receive(ScopeStatus(scope=SCOPE, number=99))
        return self


def test_a_window_closes_in_the_middle_of_a_deployment():
    """By default what is under way finishes."""
    prod = Prod("finish").begun().wait(5 * MINUTE)
    assert prod.comes_up("2.0").good == "2.0"


def test_a_window_that_pauses_closes_in_the_middle_of_a_deployment():
    prod = Prod().begun().wait(5 * MINUTE).applied("try again")
    applies = len(prod.applies)
    prod.wait(10 * HOUR)
    assert len(prod.applies) == applies, "no forward apply starts"
    assert not prod.rollout.back
    assert prod.waits_for("paused: hours is closed until Fri 2026-01-02 00:00 UTC")
    prod.wait(14 * HOUR)
    assert len(prod.applies) == applies + 1


def test_deadlines_stand_still_while_it_is_paused():
    prod = Prod().begun().applied().observed("1.0+2.0", healthy=None)
    for _ in range(30):
        prod.wait(MINUTE).observed("1.0+2.0", healthy=None)
    assert not prod.rollout.back
    assert prod.rollout.idle <= 2 * MINUTE


def test_it_fails_by_its_deadline_once_it_goes_on():
    prod = Prod().begun().applied().observed("1.0+2.0", healthy=None).wait(24 * HOUR)
    for _ in range(10):
        prod.wait(30 * SECOND).observed("1.0+2.0", healthy=None)
    assert prod.rollout.back


def test_what_runs_is_not_finalized_before_the_window_opens():
    prod = Prod().begun().wait(5 * MINUTE)
    prod.comes_up("2.0")
    assert prod.good == "1.0"
    assert prod.condition == "verifying"
    assert prod.wait(23 * HOUR).good == "2.0"


def test_a_check_that_says_no_sends_it_back_even_then():
    prod = Prod(checks=(check("smoke", Phase.POST_DEPLOYMENT),))
    prod.offer(1, "1.0").comes_up("1.0").passing("smoke")
    prod.wait(58 * MINUTE).offer(2, "2.0").wait(5 * MINUTE).comes_up("2.0").blocking("smoke")
    assert prod.rollout.back
    assert prod.applies[-1] == "spec-1.0"
    assert prod.comes_up("1.0").maybe_rollout is None


def test_what_vanishes_after_it_was_deployed_is_put_right_even_then():
    prod = Prod().begun().wait(5 * MINUTE).comes_up("2.0")
    applies = len(prod.applies)
    prod.observed("").wait(MINUTE)
    assert len(prod.applies) > applies


def test_one_that_skipped_the_calendar_is_not_paused_by_it():
    prod = Prod().begun().skip(2, "hours").wait(5 * MINUTE)
    assert prod.comes_up("2.0").good == "2.0"


def test_a_stopped_line_lets_finish_what_is_under_way():
    prod = Prod(calendars=()).begun().stopped("finish")
    assert prod.comes_up("2.0").good == "2.0"


def test_a_stopped_line_that_pauses_does_not():
    prod = Prod(calendars=()).begun().stopped("pause").comes_up("2.0")
    assert prod.good == "1.0"
    assert prod.reasons == ["paused: ann froze the organization: an incident"]
    assert prod.started().good == "2.0"


def test_a_rollback_goes_on_while_the_line_is_stopped_and_pauses():
    prod = Prod(calendars=()).begun().stopped("pause").applied("no", terminal=True)
    assert prod.rollout.back
    assert prod.comes_up("1.0").maybe_rollout is None


# --- the scope ------------------------------------------------------------------------------------------------------------


def test_a_line_that_is_stopped_may_be_made_to_pause_as_well():
    organization = Actor(SCOPE, ScopeState)
    for number, in_flight in enumerate(("finish", "pause"), 1):
        organization.receive(Stopped(by=By("ann"), id=str(number), in_flight=in_flight))
    stop = organization.state.stop
    assert stop
    assert stop.in_flight == "pause"
