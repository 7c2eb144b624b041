"""Checks, their freshness and windows, calendars and cadence: nothing starts unless all of them hold at one moment."""

from __future__ import annotations

from typing import Any

from msgspec import structs
from tests.core.dsl import START, Instance, after, approval, check, hours
from tests.core.dsl.builders import DAILY

from setpoint.core.facts import RunAssigned, RunRequested, Woken
from setpoint.core.instance.requests.check_runs import record_run_assigned
from setpoint.core.instance.state import CheckProgress
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import Outcome
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Cadence, CalendarUse, Phase
from setpoint.model.time import HOUR, MINUTE, SECOND


def test_a_deployment_waits_for_its_check_and_goes_on_by_itself():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0")
    assert prod.waits_for("waits for a first result of alerts")
    prod.blocking("alerts")
    assert prod.waits_for("check `alerts` failed")
    prod.wait(20 * SECOND).passing("alerts")
    assert prod.target == "1.0"


def test_the_list_of_reasons_is_complete():
    prod = Instance(checks=(check("alerts"), check("load")), calendars=(hours(9, 17),)).offer(1, "1.0")
    assert prod.codes == ["calendar-closed", "check-pending", "check-pending"]


def test_what_later_phases_wait_for_is_told_ahead():
    prod = Instance(orderings=(after(),), approvals=(approval(),), calendars=(hours(9, 17),)).offer(1, "1.0")
    assert prod.codes == ["ordering-not-met", "approval-missing", "calendar-closed"]


def test_a_result_of_a_run_before_the_gate_does_not_count():
    prod = Instance(checks=(check("alerts"),))
    prod.runs["alerts"] = 7
    prod.offer(1, "1.0").passing("alerts", run=7)
    assert prod.target == ""
    prod.passing("alerts", run=8)
    assert prod.target == "1.0"


def test_a_late_result_of_a_lower_run_is_dropped():
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").blocking("alerts", run=9)
    prod.passing("alerts", run=8).passing("load")
    assert prod.target == ""


def test_an_answer_to_an_earlier_asking_does_not_count():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0")
    gate = prod.candidate.gates["alerts"]
    prod.receive(RunAssigned(attachment=gate.attachment, request_id=gate.request_id - 1, run=99))
    assert prod.candidate.gates["alerts"] == gate


def test_two_slow_checks_never_fresh_together():
    """The first result grew too old while the second was awaited: it is asked for once more, and only then does target move."""
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts").wait(MINUTE).passing("load")
    assert prod.target == ""
    assert prod.waits_for("waits for a first result of alerts")
    prod.passing("alerts")
    assert prod.target == "1.0"


def test_a_stale_pass_is_not_asked_for_while_something_else_is_missing():
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts").wait(MINUTE).blocking("load")
    assert prod.sent(RunRequested) == []
    assert prod.waits_for("the last pass of alerts is too old")


def test_a_check_that_could_not_run_holds_a_deployment_back():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").result("alerts", Outcome.UNAVAILABLE)
    assert prod.waits_for("alerts could not run (unavailable)")
    assert prod.target == ""


def test_a_check_that_could_not_run_never_rolls_one_back_by_itself():
    prod = (
        Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(2, "1.1").comes_up("1.1")
    )
    prod.result("alerts", Outcome.MISCONFIGURED).wait(HOUR)
    assert (prod.target, prod.condition) == ("1.1", "verifying")


def test_an_informational_check_gates_nothing():
    assert Instance(checks=(check("alerts", informational=True),)).offer(1, "1.0").target == "1.0"


def test_a_check_with_a_when_that_does_not_match_is_left_out():
    prod = Instance().with_good(1, "1.0.0").configure(checks=(check("load", when=parse_selector("step=major")),))
    assert prod.offer(2, "1.1.0").target == "1.1.0"
    prod.comes_up("1.1.0").offer(3, "2.0.0")
    assert prod.waits_for("load")


def test_when_sees_labels_of_the_release_and_whether_only_the_configuration_changed():
    use = check("load", when=parse_selector("release.kind=hotfix,change=config"))
    prod = Instance().with_good(1, "1.0").configure(checks=(use,))
    prod.offer(2, "1.0", spec="other", labels={"kind": "hotfix"})
    assert prod.waits_for("load")


def test_a_skipped_gate_holds_and_star_means_all():
    assert Instance(checks=(check("alerts"),)).offer(1, "1.0").skip(1, "alerts").target == "1.0"
    prod = Instance(checks=(check("alerts"),), orderings=(after(),), calendars=(hours(9, 17),)).offer(1, "1.0").skip(1, "*")
    assert prod.target == "1.0"
    assert any("skips all gates" in line for line in prod.history)


def test_the_same_skip_twice_is_one():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").skip(1, "x").skip(1, "x")
    assert len(prod.life.skips) == 1


def test_a_skip_is_void_for_another_release():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").skip(1, "alerts").comes_up("1.0").offer(2, "1.1")
    assert prod.target == "1.0"


# --- policy changes ---------------------------------------------------------------------------------------------------------


def test_a_gate_added_later_floods_old_versions():
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts"), check("slow", Phase.POST_DEPLOYMENT)))
    assert (prod.good, prod.wanted, prod.reasons) == ("1.0", "", [])


def test_a_gate_added_counts_at_once_for_a_candidate():
    prod = (
        Instance(checks=(check("alerts"),)).offer(1, "1.0").configure(checks=(check("alerts"), check("load"))).passing("alerts")
    )
    assert prod.waits_for("load")


def test_a_check_that_means_something_else_now_is_asked_anew():
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts")
    prod.configure(checks=(check("alerts", options={"severity": "page"}), check("load")))
    assert prod.candidate.gates["alerts"].seen == 0


def test_a_removed_gate_is_waited_for_no_more():
    prod = (
        Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts").configure(checks=(check("alerts"),))
    )
    assert prod.target == "1.0"


def test_a_changed_check_of_a_rollout_is_asked_anew_and_an_equal_policy_changes_nothing():
    use = check("alerts", Phase.POST_DEPLOYMENT)
    prod = Instance(checks=(use,)).offer(1, "1.0").comes_up("1.0")
    before = prod.state
    assert prod.configure(checks=(use,)).state is before
    prod.configure(checks=(check("alerts", Phase.POST_DEPLOYMENT, options={"x": "y"}),))
    assert prod.rollout.attempt.gates["alerts"].run == 1
    assert len(prod.rollout.attempt.gates) == 1


def test_a_check_of_a_rollout_that_means_something_else_now_is_asked_anew():
    prod = Instance(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").comes_up("1.0")
    first = prod.rollout.attempt.gates["alerts"]
    prod.configure(checks=(check("alerts", Phase.POST_DEPLOYMENT, options={"severity": "page"}),))
    assert [ask.definition.options for ask in prod.sent(RunRequested)] == [{"severity": "page"}]
    assert prod.rollout.attempt.gates["alerts"].attachment != first.attachment


def test_only_the_use_in_the_phase_of_the_attempt_matters():
    later = check("alerts", Phase.POST_DEPLOYMENT)
    prod = Instance(checks=(check("alerts"), check("load"), later)).offer(1, "1.0").passing("alerts")
    prod.configure(checks=(check("alerts", options={"severity": "page"}), check("load"), later))
    assert [ask.definition.options for ask in prod.sent(RunRequested)] == [{"severity": "page"}]
    prod.passing("load")
    assert prod.target == "", "what the check said before it meant something else does not count"


# --- windows ------------------------------------------------------------------------------------------------------------


def verified(**more: Any) -> Instance:
    use = check("alerts", Phase.POST_DEPLOYMENT, window=MINUTE, **more)
    return Instance(checks=(use,)).offer(1, "1.0").comes_up("1.0")


def test_a_window_counts_only_time_covered_by_fresh_passes():
    prod = verified().passing("alerts")
    began = prod.now
    assert prod.waits_for("alerts must pass for another 1m")
    prod.wait(20 * SECOND).passing("alerts", covered=began, answered=began).wait(40 * SECOND)
    assert prod.condition == "verifying"
    assert prod.rollout.attempt.gates["alerts"].request_id == 2, "at the window's end a last run is asked for"
    prod.passing("alerts", covered=began, answered=began)
    assert prod.condition == "converged"


def test_a_clock_set_back_while_a_window_ends_has_it_asked_once_more():
    """The run that was asked for at the window's end ended, by the clock, before that end."""
    prod = verified().passing("alerts")
    began = prod.now
    prod.wait(MINUTE)
    prod.now -= 20 * SECOND
    prod.passing("alerts", covered=began, answered=began)
    assert prod.condition == "verifying"
    prod.wait(30 * SECOND)
    assert prod.rollout.attempt.gates["alerts"].request_id == 3
    prod.passing("alerts", covered=began, answered=began)
    assert prod.condition == "converged"


def test_passes_from_before_the_gate_do_not_count_for_its_window():
    prod = verified()
    prod.passing("alerts", covered=prod.now - HOUR, answered=prod.now - HOUR)
    assert prod.condition == "verifying"


def test_a_gap_extends_the_window():
    prod = verified().passing("alerts").wait(50 * SECOND).passing("alerts").wait(30 * SECOND)
    assert prod.condition == "verifying"
    prod.wait(30 * SECOND)
    assert prod.condition == "verifying"


def test_tolerated_noes_do_not_fail_the_window():
    prod = verified(tolerate=1).passing("alerts")
    began = prod.now
    prod.wait(20 * SECOND).blocking("alerts", failures_total=1, answered=began)
    assert prod.condition == "verifying"
    prod.wait(40 * SECOND).passing("alerts", failures_total=1, answered=began)
    assert prod.condition == "converged"


def test_one_no_more_than_tolerated_fails():
    prod = verified(tolerate=1).passing("alerts").blocking("alerts", failures_total=1).blocking("alerts", failures_total=2)
    assert prod.condition == "failed"


def test_a_delay_before_the_check_is_asked():
    prod = verified(delay=30 * SECOND)
    assert prod.waits_for("alerts runs after its initial delay")
    assert prod.rollout.attempt.gates == {}
    prod.wait(30 * SECOND)
    assert "alerts" in prod.rollout.attempt.gates


# --- calendars and cadence --------------------------------------------------------------------------------------------------


def test_a_closed_calendar_waits_until_it_opens():
    prod = Instance(calendars=(hours(9, 17),)).offer(1, "1.0")
    assert prod.waits_for("hours is closed until Thu 2026-01-01 09:00 UTC")
    prod.wait(9 * HOUR)
    assert prod.target == "1.0"


def test_the_engine_asleep_through_a_window():
    prod = Instance(calendars=(hours(9, 17),)).offer(1, "1.0")
    prod.now += 20 * HOUR
    prod.receive(Woken())
    assert prod.target == ""
    prod.wait(14 * HOUR)
    assert prod.target == "1.0"


def test_a_window_closes_in_the_middle_of_a_deployment():
    prod = Instance(calendars=(hours(0, 1),)).offer(1, "1.0").wait(2 * HOUR).comes_up("1.0")
    assert prod.condition == "converged"


def test_a_calendar_that_never_opens_names_what_it_waits_for():
    never = CalendarUse("freeze", Calendar("freeze", closed=(Window(),)), "UTC")
    prod = Instance(calendars=(never,)).offer(1, "1.0")
    assert prod.wake_at is None
    assert prod.waits_for("freeze is closed without end")


def test_a_calendar_for_majors_only_lets_minors_through():
    quarter = CalendarUse(
        "quarterly", Calendar("q", open=(Window(hours=(9 * 60, 10 * 60)),)), "UTC", when=parse_selector("step=major")
    )
    prod = Instance().with_good(1, "1.0.0").configure(calendars=(quarter,)).offer(2, "1.1.0")
    assert prod.target == "1.1.0"
    prod.comes_up("1.1.0").offer(3, "2.0.0")
    assert prod.waits_for("quarterly is closed")
    assert prod.skip(3, "quarterly").target == "2.0.0"


def test_cadence_admits_one_finalized_release_per_occurrence():
    prod = Instance(cadence=DAILY).offer(1, "1.0").comes_up("1.0").offer(2, "1.1")
    assert prod.waits_for("the cadence admits 1 here in each window, and this one is used; the next begins in 1d")
    prod.wait(24 * HOUR)
    assert prod.target == "1.1"


def test_a_failed_release_uses_no_slot():
    prod = Instance(cadence=DAILY).offer(1, "1.0").applied("broken", terminal=True).offer(2, "1.1")
    assert prod.target == "1.1"


def test_outside_the_cadences_window():
    prod = Instance(cadence=DAILY)
    prod.now += 7 * HOUR
    prod.offer(1, "1.0")
    assert prod.waits_for("outside the cadence's window; the next begins in 17h")
    assert prod.skip(1, "cadence").target == "1.0"


def test_a_cadence_of_two_and_one_without_another_window():
    once = Cadence(Calendar("once", open=(Window(start="2026-01-01", end="2026-01-01"),)), "UTC", max=2)
    prod = Instance(cadence=once).with_good(1, "1.0").with_good(2, "1.1").offer(3, "1.2")
    assert prod.waits_for("the cadence admits 2 here in each window, and this one is used")
    assert prod.wake_at is None
    prod.now += 48 * HOUR
    prod.configure(cadence=once, timezone="Europe/Berlin")
    assert prod.waits_for("outside the cadence's window")


def test_a_rollout_begun_outside_every_window_uses_no_slot():
    prod = Instance(cadence=DAILY)
    prod.now += 7 * HOUR
    prod.offer(1, "1.0").skip(1, "cadence").comes_up("1.0")
    assert prod.life.slot == (0, 0)


def test_an_informational_check_is_asked_and_gates_nothing():
    prod = Instance(checks=(check("alerts"), check("look", informational=True))).offer(1, "1.0")
    assert set(prod.candidate.gates) == {"alerts", "look"}
    prod.blocking("look")
    assert not prod.waits_for("check `look` failed")
    assert prod.passing("alerts").target == "1.0"


# --- phases -----------------------------------------------------------------------------------------------------------------


def test_a_pre_approval_check_holds_before_anybody_is_asked_and_goes_on_by_itself():
    prod = Instance(checks=(check("ci", Phase.PRE_APPROVAL),), approvals=(approval(),)).offer(1, "1.0").blocking("ci")
    assert prod.candidate.phase is Phase.PRE_APPROVAL
    assert prod.passing("ci").candidate.phase is Phase.APPROVAL


def test_any_no_of_a_phase_that_fails_wins_over_those_that_wait():
    uses = (check("load", Phase.POST_DEPLOYMENT, window=HOUR), check("alerts", Phase.POST_DEPLOYMENT))
    prod = Instance().with_good(1, "1.0").configure(checks=uses).offer(2, "1.1").comes_up("1.1").passing("load")
    assert prod.condition == "verifying"
    assert prod.blocking("alerts").target == "1.0"


def test_a_check_before_the_deployment_that_says_no_only_waits():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0")
    for _ in range(20):
        prod.wait(MINUTE).blocking("alerts")
    assert (prod.condition, prod.vetoed) == ("waiting", set())
    assert prod.passing("alerts").target == "1.0"


def test_deployment_asks_for_every_object_healthy_one_version_and_no_drift():
    prod = Instance().offer(1, "1.0").applied()
    for look in (
        prod.look("1.0+1.0", complete=False),
        prod.look("1.0", healthy=None),
        prod.look("1.0", healthy=False),
        prod.look("1.0+0.9", complete=True),
        prod.look("1.0", difference="a"),
    ):
        prod.receive(look)
        assert prod.good == ""
    assert prod.observed("1.0").good == "1.0"


def test_calendars_gate_before_the_deployment_only():
    """They neither keep anybody from approving nor a rollout from being verified."""
    uses = (check("alerts", Phase.POST_DEPLOYMENT),)
    prod = Instance(approvals=(approval(),), calendars=(hours(0, 1),), checks=uses).offer(1, "1.0")
    assert prod.approve("ann").target == "1.0"
    prod.comes_up("1.0").wait(2 * HOUR).passing("alerts")
    assert prod.good == "1.0"
    prod.offer(2, "1.1")
    assert prod.candidate.phase is Phase.APPROVAL
    assert prod.waits_for("hours is closed"), "told ahead"
    assert prod.approve("ann").candidate.phase is Phase.PRE_DEPLOYMENT


def test_a_result_counts_as_long_as_its_greatest_age_and_no_longer():
    for age, moved in ((45 * SECOND, "1.0"), (45 * SECOND + 1, "")):
        prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts")
        prod.now += age
        assert prod.passing("load").target == moved


# --- asking ---------------------------------------------------------------------------------------------------------------


def test_at_the_end_of_a_window_one_more_run_is_asked_for_once():
    prod = verified().passing("alerts")
    asked = []
    for _ in range(6):
        prod.wait(20 * SECOND)
        asked += prod.sent(RunRequested)
    assert prod.rollout.attempt.gates["alerts"].request_id == 2


def test_at_the_end_of_a_window_nothing_is_asked_for_that_could_not_end_it():
    prod = verified().passing("alerts").result("alerts", Outcome.UNAVAILABLE).wait(HOUR)
    assert prod.rollout.attempt.gates["alerts"].request_id == 1
    tolerant = (
        verified(tolerate=1).passing("alerts").blocking("alerts", failures_total=1, answered=START).wait(HOUR).observed("1.0")
    )
    assert tolerant.rollout.attempt.gates["alerts"].request_id == 1, "a pass is told by itself, as everything that changes"


def test_noes_from_before_the_gate_are_not_held_against_it():
    prod = Instance(checks=(check("alerts", Phase.POST_DEPLOYMENT, window=MINUTE, tolerate=1),))
    prod.failures_total["alerts"] = 5
    prod.offer(1, "1.0").comes_up("1.0").blocking("alerts", failures_total=6)
    assert prod.condition == "verifying"
    assert prod.blocking("alerts", failures_total=7).condition == "failed"


def test_noes_are_counted_on_when_one_more_run_is_asked_for():
    prod = verified(tolerate=1).passing("alerts")
    began = prod.now
    prod.blocking("alerts", failures_total=1, answered=began).passing("alerts", failures_total=1, answered=began)
    prod.failures_total["alerts"] = 1
    prod.wait(MINUTE)
    assert prod.rollout.attempt.gates["alerts"].request_id == 2
    assert prod.blocking("alerts", failures_total=2, answered=began).condition == "failed"


def test_it_wakes_when_a_delay_is_over():
    prod = Instance(checks=(check("alerts", delay=30 * SECOND),)).offer(1, "1.0")
    assert prod.wake_at == START + 30 * SECOND


def test_an_answer_to_an_asking_before_the_last_one_says_nothing():
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts").wait(MINUTE).passing("load")
    gate = prod.candidate.gates["alerts"]
    open_gate = structs.replace(gate, run=0)
    attempt = record_run_assigned(
        structs.replace(prod.candidate, gates={"alerts": open_gate}), late(gate, gate.request_id - 1, 1)
    )
    assert attempt.gates["alerts"].run == 0
    attempt = record_run_assigned(attempt, late(gate, gate.request_id, 9))
    assert attempt.gates["alerts"].run == 9


def late(gate: CheckProgress, ask: int, run: int) -> RunAssigned:
    return RunAssigned(attachment=gate.attachment, request_id=ask, run=run)


def test_a_reason_says_since_when_it_is_so_and_what_the_check_said_last():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").blocking("alerts")
    began = prod.now
    prod.wait(20 * SECOND).blocking("alerts", reason="two alerts fire")
    (reason,) = prod.explained
    assert (reason.text, reason.since, reason.gate) == ("check `alerts` failed: two alerts fire", began, "alerts")
    prod.wait(20 * SECOND).result("alerts", Outcome.UNAVAILABLE)
    assert prod.explained[0].since == prod.now
