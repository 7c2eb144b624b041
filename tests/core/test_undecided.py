"""Unavailable has an end (§10.4): ``failAfter``, and what is stuck without it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import START, Instance, WithTasks, a_task, check

from setpoint.core.facts import Healing, Observing, ScopeStatus, StandingOrder, Woken
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import Outcome
from setpoint.model.people import By
from setpoint.model.policy import CalendarUse, Phase
from setpoint.model.time import HOUR, MINUTE, SECOND

PHASES = [Phase.PRE_APPROVAL, Phase.PRE_DEPLOYMENT, Phase.DEPLOYMENT, Phase.POST_DEPLOYMENT]
BEFORE = PHASES[:2]
SCOPE = "scope:application:app"


def waiting(phase: Phase = Phase.POST_DEPLOYMENT, *, fail_after: int = 10 * MINUTE, **more: Any) -> Instance:
    """1.0 is good; 1.1 is at a check that has no result yet. It runs every 20 s."""
    use = check("alerts", phase, fail_after=fail_after, **more.pop("use", {}))
    prod = Instance().with_good(1, "1.0").configure(checks=(use,), progress_deadline=HOUR, **more).offer(2, "1.1")
    return prod if phase in BEFORE else prod.comes_up("1.1")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("outcome", [None, Outcome.UNAVAILABLE, Outcome.MISCONFIGURED])
def test_without_a_decisive_result_for_so_long_the_attempt_fails(phase: Phase, outcome: Outcome | None):
    prod = waiting(phase)
    if outcome:
        prod.result("alerts", outcome)
    prod.wait(10 * MINUTE - SECOND)
    assert prod.vetoed == set()
    prod.wait(2 * SECOND)
    assert (prod.target, prod.vetoed) == ("1.0", {2})
    assert any("alerts neither passed nor failed for 10m" in line for line in prod.history)
    assert prod.condition == ("vetoed" if phase in BEFORE else "rolling-back")


@pytest.mark.parametrize("phase", PHASES)
def test_the_time_counts_on_through_different_results_that_decide_nothing(phase: Phase):
    prod = waiting(phase)
    for run in range(14):
        prod.result("alerts", (Outcome.UNAVAILABLE, Outcome.MISCONFIGURED)[run % 2]).wait(40 * SECOND)
    assert prod.vetoed == set()
    assert prod.wait(41 * SECOND).vetoed == {2}


def test_a_decisive_result_starts_the_time_again():
    prod = waiting(use={"window": HOUR, "tolerate": 1}).wait(9 * MINUTE).passing("alerts").wait(9 * MINUTE)
    prod.result("alerts", Outcome.UNAVAILABLE).wait(9 * MINUTE)
    prod.result("alerts", Outcome.BLOCKING, failures_total=1).result("alerts", Outcome.UNAVAILABLE, failures_total=1).wait(
        9 * MINUTE
    )
    assert (prod.vetoed, prod.condition) == (set(), "verifying")
    assert prod.wait(MINUTE + SECOND).vetoed == {2}


def test_a_failing_check_before_deployment_is_decisive_however_long_it_fails():
    prod = waiting(Phase.PRE_DEPLOYMENT).result("alerts", Outcome.BLOCKING).wait(5 * HOUR)
    assert (prod.vetoed, prod.condition) == (set(), "waiting")


def test_without_fail_after_it_waits_on():
    prod = waiting(fail_after=0).result("alerts", Outcome.UNAVAILABLE).wait(5 * HOUR)
    assert (prod.target, prod.vetoed) == ("1.1", set())


def standing(how: str, begins: bool) -> Any:
    by = StandingOrder(By("ann"), START) if begins else None
    match how:
        case "paused":
            return ScopeStatus(scope=SCOPE, number=1 if begins else 2, pause=by)
        case "frozen":
            return ScopeStatus(scope=SCOPE, number=1 if begins else 2, stop=by)
        case _:
            return Observing(by=By("ann")) if begins else Healing(by=By("ann"))


@pytest.mark.parametrize("phase", PHASES)
def test_fail_after_stands_still_while_paused(phase: Phase):
    prod = waiting(phase).wait(6 * MINUTE).receive(standing("paused", begins=True)).wait(5 * HOUR)
    assert prod.vetoed == set()
    prod.receive(standing("paused", begins=False)).wait(4 * MINUTE - SECOND)
    assert prod.vetoed == set(), "only four minutes of the ten were left"
    assert prod.wait(2 * SECOND).vetoed == {2}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["observed", "frozen"])
def test_fail_after_stands_still_while_observed_or_frozen(how: str, phase: Phase):
    prod = waiting(phase).wait(6 * MINUTE).receive(standing(how, begins=True)).wait(5 * HOUR)
    assert prod.vetoed == set()
    prod.receive(standing(how, begins=False)).wait(4 * MINUTE - SECOND)
    assert prod.vetoed == set(), "only four minutes of the ten were left"
    assert prod.wait(2 * SECOND).vetoed == {2}


def test_it_stands_still_while_a_calendar_pauses_what_is_under_way():
    closed = Window(start="2026-01-01T00:05Z", end="2026-01-01T05:00Z")
    calendar = CalendarUse("emergency", Calendar("emergency", closed=(closed,), in_flight="pause"), "UTC")
    prod = waiting(calendars=(calendar,)).wait(6 * HOUR)
    assert prod.vetoed == {2}
    early = waiting(calendars=(calendar,)).wait(5 * HOUR + 4 * MINUTE)
    assert early.vetoed == set()


@pytest.mark.parametrize("asleep", [MINUTE, HOUR, 100 * HOUR])
def test_a_gap_in_which_the_engine_slept_counts_at_most_twice_the_interval(asleep: int):
    prod = waiting().wait(5 * MINUTE)
    prod.now += asleep
    prod.receive(Woken()).wait(5 * MINUTE - 41 * SECOND)
    assert prod.vetoed == set()
    assert prod.wait(42 * SECOND).vetoed == {2}


def test_a_clock_set_back_ends_nothing_early_and_does_not_stop_the_time():
    prod = waiting().wait(5 * MINUTE)
    prod.now -= 2 * HOUR
    prod.receive(Woken()).wait(4 * MINUTE)
    assert prod.vetoed == set()
    assert prod.wait(2 * MINUTE).vetoed == {2}


def test_informational_and_skipped_checks_end_nothing():
    assert waiting(use={"informational": True}, fail_after=MINUTE).wait(HOUR).vetoed == set()
    prod = waiting(fail_after=10 * MINUTE).skip(2, "alerts").wait(HOUR)
    assert (prod.target, prod.vetoed) == ("1.1", set())


def test_the_reason_shows_when_it_fails():
    prod = waiting().result("alerts", Outcome.UNAVAILABLE, reason="timed out").wait(4 * MINUTE)
    assert prod.waits_for("alerts could not run (unavailable): timed out; without a result it fails in 6m")


def test_a_deadline_that_is_over_wakes_nobody_while_the_attempt_cannot_end_yet():
    """An informational check ends nothing, and a task under way ends first: the instance woke itself every millisecond."""
    quiet = waiting(use={"informational": True}, fail_after=10 * MINUTE).result("alerts", Outcome.UNAVAILABLE).wait(11 * MINUTE)
    assert quiet.wake_at is None
    use = check("alerts", fail_after=10 * MINUTE)
    migrating = WithTasks(checks=(use,), tasks=(a_task(),)).offer(1, "1.0").passing("alerts")
    assert migrating.candidate.tasks
    migrating.result("alerts", Outcome.UNAVAILABLE).wait(11 * MINUTE)
    assert (migrating.wake_at, migrating.vetoed) == (None, set())
    assert migrating.succeeds().waits_for("without a result it fails in 10m"), "after a task checks must pass again"


def stuck(prod: Instance) -> list[str]:
    return [reason.gate for reason in prod.explained if reason.stuck]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("outcome", [None, Outcome.UNAVAILABLE, Outcome.MISCONFIGURED])
def test_without_fail_after_it_is_stuck_from_twice_its_max_age_on(phase: Phase, outcome: Outcome | None):
    prod = waiting(phase, fail_after=0)
    if outcome:
        prod.wait(5 * SECOND).result("alerts", outcome)
    prod.now = START + 90 * SECOND - 1
    assert stuck(prod) == []
    prod.now = START + 90 * SECOND
    assert stuck(prod) == ["alerts"]
    assert prod.explained[0].stuck, "it comes first"
    assert stuck(prod.result("alerts", Outcome.BLOCKING)) == []


def test_what_is_stuck_stays_so_through_different_results_that_decide_nothing():
    prod = waiting(fail_after=0, use={"window": HOUR})
    prod.passing("alerts").wait(HOUR // 2)
    for run in range(6):
        prod.result("alerts", (Outcome.UNAVAILABLE, Outcome.MISCONFIGURED)[run % 2]).wait(14 * SECOND)
    assert stuck(prod) == []
    assert stuck(prod.wait(6 * SECOND)) == ["alerts"]
    assert stuck(prod.passing("alerts")) == []


def test_nothing_is_stuck_that_has_a_deadline_of_its_own():
    assert stuck(waiting(fail_after=HOUR).wait(30 * MINUTE)) == []
