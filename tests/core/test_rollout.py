"""A rollout is judged by what is observed and by its checks: finalized, or taken back to good – here alone, and at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import Instance, approval, check, hours

from setpoint.core.backoff import backoff
from setpoint.core.facts import Applied, RunRequested
from setpoint.core.instructions import Apply, Unwatch, Watch
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.time import HOUR, MINUTE, SECOND


def good(**policy: Any) -> Instance:
    """1.0 is finalized; then the policy counts."""
    prod = Instance().with_good(1, "1.0")
    return prod.configure(**policy) if policy else prod


def failed(reason: str = "broken", **policy: Any) -> Instance:
    return good(**policy).offer(2, "1.1").applied(reason, terminal=True)


# --- observing ----------------------------------------------------------------------------------------------------------


def test_healthy_observed_before_the_apply():
    prod = Instance().offer(1, "1.0")
    early = prod.look("1.0")
    prod.receive(replace(early, watch=early.watch - 1)).applied()
    assert prod.condition == "deploying"
    prod.observed("1.0")
    assert prod.condition == "converged"


def test_an_earlier_look_never_replaces_a_later_one():
    prod = Instance().offer(1, "1.0").applied()
    early = prod.look("")
    prod.observed("1.0")
    before = prod.state
    assert prod.receive(early).state is before


def test_the_end_of_another_apply_counts_for_nothing():
    prod = Instance().offer(1, "1.0").receive(Applied(operation="another/apply/1"))
    assert prod.applying.operation
    prod.applied().receive(Applied(operation="instance:app/web@production/apply/1", error="late"))
    assert prod.applying.errors == 0


def test_two_versions_look_current_for_a_moment():
    prod = good().offer(2, "1.1").applied().observed("1.0+1.1", complete=True)
    assert prod.condition == "deploying"
    assert prod.waits_for("1.1 is starting: 1 healthy at 1.1")
    assert prod.observed("1.1").good == "1.1"


def test_health_is_unknown_right_after_success_and_the_next_version_does_not_slip_through():
    prod = good(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(2, "1.1").comes_up("1.1").offer(3, "1.2")
    prod.observed("1.1", healthy=None)
    assert (prod.target, prod.wanted) == ("1.1", "1.2")
    assert prod.waits_for("waits for the rollout of 1.1 to end")


# --- deadlines ----------------------------------------------------------------------------------------------------------


def starting(prod: Instance, name: str, looks: int, every: int = 30 * SECOND) -> Instance:
    for _ in range(looks):
        prod.wait(every)
        if prod.maybe_rollout is None or prod.rollout.back:
            break
        prod.observed(name, healthy=None)
    return prod


def test_no_progress_past_the_deadline_goes_back():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None)
    starting(prod, "1.1", 5)
    assert (prod.target, prod.condition) == ("1.0", "rolling-back")
    assert prod.waits_for("no progress for 2m")


def test_progress_starts_the_deadline_again():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None)
    starting(prod, "1.1", 3)
    prod.observed("1.1+1.0", message="1 of 2", complete=False)
    assert prod.rollout.idle == 0
    starting(prod, "1.1", 3)
    assert prod.target == "1.1"


def test_a_deadline_is_judged_only_on_a_look_made_after_it():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None).wait(3 * MINUTE)
    assert prod.condition == "deploying"
    assert prod.gave(Watch)
    prod.observed("1.1")
    assert prod.good == "1.1"


def test_a_runtime_that_cannot_be_reached_for_an_hour():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None).unobserved().wait(HOUR)
    assert (prod.condition, prod.target) == ("deploying", "1.1")
    assert prod.waits_for("the runtime is unreachable: no route to it")
    prod.observed("1.1")
    assert prod.good == "1.1"


def test_unreachable_from_the_first_look_is_unknown_not_absent():
    prod = Instance().unobserved("").offer(1, "1.0")
    assert prod.current.unreachable == "the runtime cannot be reached"
    before = prod.state
    late = prod.look("1.0")
    prod.looks -= 2
    assert prod.unobserved().state is before
    assert late


def test_the_deadline_stands_still_while_the_runtime_is_healthy_and_only_checks_are_missing():
    prod = good(checks=(check("alerts", Phase.DEPLOYMENT, on_fail="wait"),)).offer(2, "1.1").comes_up("1.1").blocking("alerts")
    prod.wait(HOUR).observed("1.1")
    assert prod.condition == "deploying"
    prod.passing("alerts")
    assert prod.good == "1.1"


def test_a_deployment_check_that_fails_goes_back_at_once():
    prod = good(checks=(check("alerts", Phase.DEPLOYMENT),)).offer(2, "1.1").blocking("alerts")
    assert (prod.target, prod.condition) == ("1.0", "rolling-back")


def test_two_slow_deployment_checks_are_fresh_together():
    uses = (check("alerts", Phase.DEPLOYMENT), check("load", Phase.DEPLOYMENT))
    prod = good(checks=uses).offer(2, "1.1").comes_up("1.1").passing("alerts").wait(MINUTE).passing("load")
    assert prod.condition == "deploying"
    assert len(prod.sent(RunRequested)) == 1, "the one that grew old"
    prod.passing("alerts")
    assert prod.good == "1.1"


# --- after the deployment -------------------------------------------------------------------------------------------------


def verifying(**more: Any) -> Instance:
    return good(checks=(check("alerts", Phase.POST_DEPLOYMENT, **more),)).offer(2, "1.1").comes_up("1.1")


def test_the_post_deployment_check_rolls_back_and_vetoes():
    prod = verifying().blocking("alerts")
    assert (prod.target, prod.vetoed, prod.applies[-1]) == ("1.0", {2}, "spec-1.0")
    assert prod.published.rolled_back[0].pair == Pair(2)
    prod.comes_up("1.0")
    assert prod.condition == "vetoed"
    assert prod.waits_for("1.1 is vetoed here: check `alerts` failed")


def test_a_check_fails_again_after_approval():
    prod = good(checks=(check("alerts"),), approvals=(approval(),)).offer(2, "1.1").approve("ann").blocking("alerts")
    assert prod.target == "1.0"
    assert prod.waits_for("check `alerts` failed")


def test_a_blink_of_ill_health_within_its_grace_is_forgiven():
    prod = verifying().observed("1.1", healthy=False).wait(5 * SECOND).observed("1.1").passing("alerts")
    assert prod.good == "1.1"


def test_unhealthy_beyond_its_grace_fails():
    prod = verifying().observed("1.1", healthy=False, message="exit 1")
    prod.wait(6 * SECOND).observed("1.1", healthy=False, message="exit 1").wait(6 * SECOND).observed(
        "1.1", healthy=False, message="exit 1"
    )
    assert prod.target == "1.0"
    assert any("unhealthy after it was deployed, for longer than 10s: exit 1" in line for line in prod.history)


def test_a_post_deployment_pass_that_grew_old_is_asked_for_once_more():
    uses = (check("alerts", Phase.POST_DEPLOYMENT), check("load", Phase.POST_DEPLOYMENT))
    prod = good(checks=uses).offer(2, "1.1").comes_up("1.1").passing("alerts").wait(MINUTE).passing("load")
    assert prod.condition == "verifying"
    assert len(prod.sent(RunRequested)) == 1, "the one that grew old"
    assert prod.passing("alerts").good == "1.1"


# --- going back -----------------------------------------------------------------------------------------------------------


def test_a_rollback_waits_for_no_gate():
    prod = verifying()
    prod.configure(
        checks=(check("alerts", Phase.POST_DEPLOYMENT), check("load")), calendars=(hours(9, 17),), approvals=(approval(),)
    )
    prod.blocking("alerts")
    assert prod.applies[-1] == "spec-1.0"
    assert prod.comes_up("1.0").condition == "vetoed"


def test_without_a_good_version_it_fails_and_nothing_more_is_applied():
    prod = Instance().offer(1, "1.0").applied("broken", terminal=True)
    assert (prod.condition, prod.target) == ("failed", "1.0")
    assert prod.waits_for("not rolled back: no good version to go back to")
    prod.wait(HOUR).observed("")
    assert prod.applies == ["spec-1.0"]
    prod.offer(2, "1.1")
    assert (prod.target, prod.maybe_failure) == ("1.1", None)


def test_automatic_rollback_off():
    prod = failed(auto_rollback=False)
    assert (prod.condition, prod.target) == ("failed", "1.1")
    assert prod.waits_for("not rolled back: automatic rollback is off")


def test_a_failed_release_is_tried_again_by_retry():
    prod = Instance().offer(1, "1.0").applied("broken", terminal=True).retry()
    assert prod.maybe_failure is None
    assert prod.applies == ["spec-1.0", "spec-1.0"]
    assert prod.comes_up("1.0").condition == "converged"


def test_the_rollback_fails():
    prod = failed().applied("no such image", terminal=True)
    assert (prod.condition, prod.target) == ("rollback-failed", "1.0")
    assert prod.waits_for("going back to 1.0 fails: no such image")
    prod.wait(10 * SECOND).applied().observed("1.0")
    assert (prod.condition, prod.good) == ("vetoed", "1.0")


def test_a_rollback_without_progress_is_tried_again_with_back_off_and_never_flaps():
    prod = failed().applied().observed("1.0", healthy=None)
    for _ in range(5):
        prod.wait(30 * SECOND)
        if not prod.applying.operation:
            prod.observed("1.0", healthy=None)
    assert prod.condition == "rollback-failed"
    assert prod.waits_for("going back to 1.0 fails: no progress for 2m")
    prod.wait(10 * SECOND)
    assert prod.applies[-2:] == ["spec-1.0", "spec-1.0"]
    assert prod.target == "1.0"


def test_a_failing_rollback_gives_way_to_a_fix():
    prod = failed().applied("no such image", terminal=True).offer(3, "1.2")
    assert prod.target == "1.2"
    assert "1.1 gives way to 1.2" in prod.history


def test_queued_work_starts_while_a_rollback_runs():
    prod = failed().offer(3, "1.2")
    assert prod.target == "1.0"
    assert prod.waits_for("waits for the rollback of 1.1 to end")
    prod.comes_up("1.0")
    assert prod.target == "1.2"


def test_restart_in_the_middle_of_a_rollback():
    """The engine comes back with an open apply: it is performed again under its id, and its end is the end."""
    prod = failed()
    operation = prod.applying.operation
    prod.unobserved().receive(Applied(operation=operation)).receive(Applied(operation=operation)).observed("1.0")
    assert (prod.condition, prod.applies.count("spec-1.0")) == ("vetoed", 2)


def test_a_failing_rollout_gives_way_a_healthy_one_does_not():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None).offer(3, "1.2")
    assert prod.target == "1.1"
    prod.observed("1.1", healthy=False)
    assert prod.target == "1.2"


def test_a_rollout_whose_waiting_check_says_no_gives_way():
    prod = good(checks=(check("alerts", Phase.DEPLOYMENT, on_fail="wait"),)).offer(2, "1.1").comes_up("1.1").offer(3, "1.2")
    assert prod.target == "1.1"
    prod.blocking("alerts")
    assert prod.target == "1.2"


def test_a_look_at_what_ran_before_does_not_make_a_rollout_fail():
    prod = good().observed("1.0", healthy=False).offer(2, "1.1").offer(3, "1.2")
    assert (prod.target, prod.wanted) == ("1.1", "1.2")


def test_an_urgent_release_waits_for_a_rollback():
    prod = good().offer(2, "1.1").applied("broken", terminal=True).offer(3, "1.2", urgent=True)
    assert (prod.condition, prod.target) == ("rolling-back", "1.0")
    assert prod.waits_for("waits for the rollback of 1.1 to end")
    assert prod.comes_up("1.0").target == "1.2"


def test_an_urgent_release_does_not_wait_for_a_healthy_rollout():
    prod = verifying().offer(3, "1.2", urgent=True)
    assert prod.target == "1.2"


def test_the_refusal_of_what_target_has_left_says_nothing_about_its_successor():
    prod = good().offer(2, "1.1").offer(3, "1.2", urgent=True)
    assert prod.applies == ["spec-1.0", "spec-1.1"]
    prod.applied("no such image", terminal=True)
    assert (prod.target, prod.applies[-1], prod.vetoed) == ("1.2", "spec-1.2", set())


# --- applying ---------------------------------------------------------------------------------------------------------------


def test_apply_errors_retry_with_exponential_back_off():
    prod = Instance().offer(1, "1.0").applied("try again")
    assert prod.waits_for("could not start 1.0: try again")
    waits = []
    for _ in range(5):
        waits.append(prod.due - prod.now)
        prod.wait(waits[-1]).applied("try again")
    assert all(later > 1.4 * earlier for earlier, later in pairwise(waits))
    assert prod.applying.errors == 6


def test_one_apply_at_a_time():
    prod = Instance().offer(1, "1.0").observed("").wait(HOUR)
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("1.0 is being applied")


def test_an_apply_that_does_not_show_is_made_again_after_its_grace():
    prod = Instance().offer(1, "1.0").applied().observed("")
    assert prod.gave(Apply) == []
    prod.wait(10 * SECOND)
    assert prod.applies == ["spec-1.0", "spec-1.0"]


def test_a_look_long_after_the_apply_that_shows_nothing_applies_at_once():
    prod = Instance().offer(1, "1.0").applied()
    prod.now += MINUTE
    prod.observed("")
    assert prod.applies == ["spec-1.0", "spec-1.0"]


# --- leaving ----------------------------------------------------------------------------------------------------------------


def test_a_channel_removed_while_it_deploys():
    prod = good(checks=(check("alerts"),)).offer(2, "1.1").passing("alerts").offer(3, "1.2").remove()
    assert prod.wanted == ""
    assert "1.2 is cancelled: it left the configuration" in prod.history
    prod.comes_up("1.1")
    assert prod.good == "1.1"
    assert prod.gave(Unwatch)
    assert prod.waits_for("it left the configuration; 1.1, which runs, is left alone")
    assert prod.observed("").gave(Apply) == []


def test_an_offer_that_is_gone_is_a_mistake_that_is_not_hidden():
    prod = Instance().offer(1, "1.0")
    prod.state = replace(prod.state, life=replace(prod.life, offers=()))
    with pytest.raises(AssertionError, match="its offer is gone"):
        prod.wait(0).observed("1.0")


# --- seldom -----------------------------------------------------------------------------------------------------------------


def test_a_look_that_was_asked_for_is_not_asked_for_twice():
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None).wait(3 * MINUTE)
    number = prod.applying.watch
    prod.configure(timezone="Europe/Berlin")
    assert prod.applying.watch == number


def test_nothing_is_judged_while_a_rollout_is_put_right():
    prod = verifying().observed("1.1", difference="a").wait(10 * SECOND)
    assert prod.applying.operation
    prod.observed("1.1", healthy=False).wait(MINUTE)
    assert (prod.target, prod.condition) == ("1.1", "verifying")


def test_a_rollback_that_fails_again_is_told_once():
    prod = failed().applied().observed("1.0", healthy=None)
    for _ in range(12):
        prod.wait(30 * SECOND)
        if prod.applying.operation:
            prod.applied()
        prod.observed("1.0", healthy=None)
    assert sum("going back to 1.0 fails" in line for line in prod.history) == 1
    assert prod.applies.count("spec-1.0") > 3


def test_a_failure_whose_spec_was_never_applied_stays_untouched_while_held():
    prod = Instance(checks=(check("alerts", Phase.DEPLOYMENT),)).offer(1, "1.0").offer(2, "1.1", urgent=True).blocking("alerts")
    assert prod.condition == "failed"
    prod.hold().retry(2).applied()
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("held by ann")


def test_what_gets_healthy_after_it_failed_is_told_and_not_finalized_until_somebody_retries():
    prod = Instance().offer(1, "1.0").applied().observed("1.0", healthy=None)
    starting(prod, "1.0", 6)
    assert prod.condition == "failed"
    prod.observed("1.0").wait(HOUR).observed("1.0")
    assert (prod.condition, prod.good) == ("failed", "")
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("not rolled back: no good version")
    prod.retry()
    assert prod.comes_up("1.0").good == "1.0"


def test_back_off_has_jitter_so_that_not_all_come_back_at_once():
    waits = {backoff(4, f"instance:app/web@{name}") for name in ("a", "b", "c", "d")}
    assert len(waits) > 1
    assert all(8 * SECOND <= wait <= 10 * SECOND for wait in waits)
    assert backoff(4, "x") == backoff(4, "x"), "the same at every replay"
    assert backoff(60, "x") <= 5 * MINUTE * 5 // 4


def test_it_looks_often_while_something_moves_and_rarely_when_settled():
    prod = Instance(poll_moving=2 * SECOND, poll_settled=5 * MINUTE).offer(1, "1.0")
    assert [given.watch.every for given in prod.gave(Apply)] == [2 * SECOND]
    prod.comes_up("1.0")
    assert [given.every for given in prod.gave(Watch)] == [5 * MINUTE]


def test_a_look_that_began_before_the_apply_ended_does_not_judge_it():
    """It may show the version of before: neither success nor failure is read from it."""
    prod = good().offer(2, "1.1")
    begun = prod.look("1.0", healthy=False)
    prod.applied().receive(replace(begun, watch=begun.watch - 1)).offer(3, "1.2")
    assert (prod.target, prod.condition) == ("1.1", "deploying")


def test_transient_errors_are_retried_and_terminal_ones_fail():
    assert good().offer(2, "1.1").applied("no route").target == "1.1"
    assert good().offer(2, "1.1").applied("no such image", terminal=True).target == "1.0"


def test_what_runs_after_a_rollback_is_good_and_is_not_a_new_finalization():
    prod = failed()
    before = prod.finalized
    prod.comes_up("1.0")
    assert (prod.good, prod.finalized) == ("1.0", before)


def test_time_that_was_not_observed_does_not_count_for_a_deadline():
    """One look every ten minutes where one was expected every two seconds: only what the host says of the gap is counted."""
    prod = good().offer(2, "1.1").applied().observed("1.1", healthy=None)
    for _ in range(10):
        prod.now += 10 * MINUTE
        prod.receive(replace(prod.look("1.1", healthy=None), gap=4 * SECOND))
    assert prod.condition == "deploying"
    assert prod.rollout.idle == 40 * SECOND


def test_after_the_deployment_the_same_check_is_asked_anew():
    prod = (
        good(checks=(check("alerts", Phase.DEPLOYMENT), check("alerts", Phase.POST_DEPLOYMENT))).offer(2, "1.1").comes_up("1.1")
    )
    prod.passing("alerts")
    assert (prod.condition, len(prod.sent(RunRequested))) == ("verifying", 1)
    assert prod.passing("alerts").good == "1.1"


def test_a_delay_after_the_deployment_begins_when_the_deployment_ended():
    prod = good(checks=(check("alerts", Phase.POST_DEPLOYMENT, delay=MINUTE),)).offer(2, "1.1").wait(HOUR).comes_up("1.1")
    assert prod.waits_for("alerts runs after its initial delay")
    assert prod.wake_at == prod.now + MINUTE


def test_it_is_told_once_when_verifying_begins_and_not_at_all_where_nothing_is_verified():
    prod = verifying().observed("1.1").wait(HOUR).observed("1.1")
    assert sum("1.1 runs and is verified" in line for line in prod.history) == 1
    (event,) = [event for event in prod.events if event.kind == "phase-entered" and event.phase == "post-deployment"]
    assert (event.release, event.attempt) == (2, 2)
    assert not any("is verified" in line for line in good().offer(2, "1.1").comes_up("1.1").history)
