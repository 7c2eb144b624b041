"""What people do: approve, reject, pin, hold, roll back, retry – each void for anything but what it was said about."""

from __future__ import annotations

from typing import Any

from tests.core.dsl import Instance, after, approval, check, hours

from setpoint.core import orders
from setpoint.core.facts import Healing, Held, Observing, Resumed, RolledBack, Woken
from setpoint.model.people import By, Person
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.time import HOUR, MINUTE


def asking(**more: Any) -> Instance:
    return Instance(approvals=(approval(**more),)).offer(1, "1.0")


# --- approvals ----------------------------------------------------------------------------------------------------------


def test_it_waits_for_an_approval():
    prod = asking()
    assert prod.waits_for("waits for release-manager: approval by anyone who may approve")
    assert prod.approve("ann").target == "1.0"


def test_quorum_is_of_distinct_people():
    prod = asking(min=2).approve("ann").approve("ann")
    assert prod.waits_for("(1 of 2 given)")
    assert prod.approve("bob").target == "1.0"


def test_only_approvers_count():
    prod = asking(approvers=("group:leads",)).approve(Person("eve"))
    assert prod.waits_for("approval by group:leads")
    assert prod.approve("ann").target == "1.0"


def test_the_author_does_not_count_unless_allowed():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0", author="ann").approve("ann")
    assert prod.target == ""
    assert Instance(approvals=(approval(allow_author=True),)).offer(1, "1.0", author="ann").approve("ann").target == "1.0"


def test_an_approval_that_expires_is_asked_for_anew_at_that_moment():
    prod = Instance(approvals=(approval(min=2, expires=HOUR),), checks=(check("alerts"),)).offer(1, "1.0").approve("ann")
    prod.now += MINUTE
    prod.approve("bob")
    assert (prod.candidate.phase, prod.wake_at) == (Phase.PRE_DEPLOYMENT, prod.now - MINUTE + HOUR)
    prod.now = prod.due
    prod.receive(Woken())
    assert prod.candidate.phase is Phase.APPROVAL
    assert prod.waits_for("(1 of 2 given) – an earlier yes has expired")


def test_an_approval_expires_before_target_moves():
    prod = Instance(approvals=(approval(expires=HOUR),), calendars=(hours(9, 17),)).offer(1, "1.0").approve("ann")
    assert prod.candidate.phase is Phase.PRE_DEPLOYMENT
    prod.wait(10 * HOUR)
    assert prod.target == ""
    assert prod.waits_for("an earlier yes has expired")
    assert prod.approve("ann").target == "1.0"


def test_a_rejection_ends_the_attempt_and_vetoes():
    prod = asking(min=2).approve("ann").reject("bob", why="not on a Friday")
    assert (prod.wanted, prod.vetoed) == ("", {1})
    assert any("1.0 is rejected: bob rejected it for release-manager: not on a Friday" in line for line in prod.history)


def test_two_humans_approve_and_reject_in_the_same_second():
    prod = asking().reject("bob", release=1)
    prod.approve("ann", release=1)
    assert (prod.target, prod.vetoed) == ("", {1})


def test_the_authors_own_rejection_counts():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0", author="ann").reject("ann")
    assert prod.vetoed == {1}


def test_a_rejection_of_a_release_that_is_not_the_candidate():
    prod = Instance(approvals=(approval(),), orderings=(after(),)).offer(1, "1.0").offer(2, "1.1").reject("bob", release=1)
    assert (prod.wanted, prod.vetoed) == ("1.1", {1})
    assert prod.life.attempts == 2, "the candidate goes on"


def test_an_approval_holds_for_one_release_only():
    prod = asking().approve("ann").comes_up("1.0").offer(2, "1.1")
    assert prod.target == "1.0"


def test_an_approval_is_used_up_when_the_attempt_fails():
    prod = asking().approve("ann").applied("broken", terminal=True).retry()
    assert prod.waits_for("waits for release-manager")
    assert prod.approve("ann", release=1).applies == ["spec-1.0", "spec-1.0"]


def test_an_approved_candidate_that_can_never_deploy_and_its_fix():
    prod = Instance(approvals=(approval(),), checks=(check("alerts"),)).offer(1, "1.0").approve("ann").blocking("alerts")
    prod.offer(2, "1.1", urgent=True).skip(2, "*")
    assert prod.target == "1.1"


def test_a_lower_status_of_a_topic_is_dropped():
    prod = asking(min=3).approve("ann")
    early = next(iter(prod.life.topics.values()))
    prod.approve("bob")
    before = prod.state
    assert prod.receive(early).state is before
    assert prod.waits_for("(2 of 3 given)")


def test_an_approval_shared_by_topics_is_asked_once():
    prod = asking()
    assert len(prod.candidate.gates) == 0
    assert prod.codes == ["approval-missing"]


# --- pins ---------------------------------------------------------------------------------------------------------------


def test_a_pin_goes_back_and_stays():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").pin(1, "1.0").comes_up("1.0").offer(3, "1.2")
    assert (prod.target, prod.good, prod.wanted) == ("1.0", "1.0", "")


def test_unpin_goes_back_to_an_old_approved_version():
    """It does not: after an unpin selection looks ahead of the frontier, and the frontier itself is what is wanted."""
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").pin(1, "1.0").comes_up("1.0").unpin()
    assert prod.target == "1.1"


def test_unpin_of_a_newer_release_stays_there():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").comes_up("1.0").offer(2, "1.1").offer(3, "1.2")
    prod.pin(3, "1.2").passing("alerts").comes_up("1.2")
    assert prod.good == "1.2"
    prod.unpin()
    assert (prod.target, prod.wanted) == ("1.2", "")


def test_a_pin_that_failed_says_so_until_somebody_acts():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").pin(1, "1.0").applied("broken", terminal=True).comes_up("1.1")
    assert prod.waits_for("pinned to 1.0, which failed here")
    assert prod.condition == "vetoed"
    prod.retry(1)
    assert prod.target == "1.0"


def test_the_same_pin_twice_is_one_and_unpin_without_a_pin_nothing():
    prod = Instance().with_good(1, "1.0").pin(1, "1.0")
    lines = len(prod.history)
    prod.pin(1, "1.0")
    assert len(prod.history) == lines
    prod.unpin().unpin()
    assert prod.history[lines:] == ["ann unpins 1.0"]


def test_a_pin_passes_the_gates():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").configure(checks=(check("alerts"),)).pin(1, "1.0")
    assert prod.target == "1.1"
    assert prod.passing("alerts").target == "1.0"


# --- holds --------------------------------------------------------------------------------------------------------------


def test_a_held_instance_starts_nothing_until_resumed():
    prod = Instance().with_good(1, "1.0").hold(why="black friday").offer(2, "1.1")
    assert (prod.target, prod.condition) == ("1.0", "held")
    assert prod.waits_for("held by ann: black friday")
    assert prod.resume().target == "1.1"


def test_a_hold_at_rest_is_a_reason_too():
    prod = Instance().with_good(1, "1.0").hold().hold("bob")
    assert (prod.condition, prod.reasons) == ("held", ["held by ann"])


def test_what_is_under_way_finishes_while_held():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").hold().comes_up("1.1")
    assert prod.good == "1.1"


def test_a_release_that_a_person_addresses_here_lifts_the_hold_automation_never_does():
    prod = Instance().with_good(1, "1.0").hold().offer(2, "1.1", addressed=True, automatic=True)
    assert prod.target == "1.0"
    prod.offer(3, "1.2", addressed=True)
    assert prod.target == "1.2"
    assert any("the hold of ann ends" in line for line in prod.history)


def test_only_a_release_that_is_addressed_here_tells_that_it_ends_a_hold():
    prod = Instance().with_good(1, "1.0").hold().offer(2, "1.1")
    assert not any(event.kind == "resumed" for event in prod.events)
    prod.offer(3, "1.2", addressed=True)
    assert [(event.release, event.version) for event in prod.events if event.kind == "resumed"] == [(3, "1.2")]


def test_so_many_acts_are_remembered_and_no_more():
    prod = Instance()
    for number in range(1, orders.KEPT):
        prod.receive(Held(by=By("ann"), id=str(number))).receive(Resumed(by=By("ann"), id=f"r{number}"))
    assert len(prod.life.signals) == orders.KEPT
    assert prod.life.signals[-1] == f"r{orders.KEPT - 1}"


def test_an_order_that_is_told_again_after_many_others_changes_nothing():
    first = Observing(by=By("bob"), id="first", until=100 * MINUTE)
    prod = Instance().receive(first).receive(Healing(by=By("bob"), id="healed"))
    for number in range(orders.KEPT // 2 - 1):
        prod.receive(Held(by=By("ann"), id=str(number))).receive(Resumed(by=By("ann"), id=f"r{number}"))
    assert prod.receive(first).life.observing is None


def test_resume_of_what_is_not_held_is_nothing():
    prod = Instance().with_good(1, "1.0")
    before = prod.state
    assert prod.resume().state is before


def test_an_act_delivered_twice_is_one():
    hold = Held(by=By("ann"), id="1")
    prod = Instance().with_good(1, "1.0").receive(hold).receive(Resumed(by=By("ann"), id="2")).receive(hold)
    assert not prod.held


# --- rolling back by hand -------------------------------------------------------------------------------------------------


def test_rollback_by_hand_goes_to_the_good_version_before_holds_and_revokes():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").roll_back()
    assert (prod.target, prod.vetoed, prod.held) == ("1.0", {2}, True)
    assert [revoked.version.name for revoked in prod.published.revoked] == ["1.1"]
    prod.comes_up("1.0")
    assert (prod.good, prod.condition) == ("1.0", "vetoed")
    assert prod.resume().wanted == ""


def test_rollback_by_hand_to_a_named_version():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").with_good(3, "1.2")
    prod.roll_back(prod.make(1, "1.0")).comes_up("1.0")
    assert (prod.good, prod.goods) == ("1.0", (Pair(1),))


def test_rollback_by_hand_to_a_version_that_never_ran_here():
    prod = Instance().with_good(2, "1.1").roll_back(Instance().make(1, "0.9")).comes_up("0.9")
    assert prod.good == "0.9"


def test_rollback_by_hand_of_a_rollout_goes_to_good():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").roll_back()
    assert (prod.target, prod.vetoed) == ("1.0", {2})
    prod.applied().comes_up("1.0")
    assert prod.good == "1.0"


def test_rollback_by_hand_of_the_first_rollout_has_nowhere_to_go():
    prod = Instance().offer(1, "1.0").roll_back()
    assert prod.condition == "failed"
    assert prod.waits_for("rolled back by ann: it is slow; not rolled back: no good version")


def test_rollback_by_hand_ends_the_attempt_that_gathers_its_gates_and_says_so():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").configure(approvals=(approval(),)).offer(3, "1.2")
    first = prod.candidate.number
    prod.roll_back()
    (ended,) = [event for event in prod.events if event.kind == "attempt-ended"]
    assert (ended.attempt, ended.outcome) == (first, "cancelled")
    assert ended.text == "1.2 is cancelled: rolled back by ann: it is slow"
    assert prod.candidate.number == first + 2, "1.1 goes back, and 1.2 gathers its gates anew"


def test_rollback_by_hand_with_nothing_before_only_holds():
    prod = Instance().with_good(1, "1.0").roll_back()
    assert (prod.target, prod.condition) == ("1.0", "held")


def test_rollback_by_hand_while_it_goes_back_elsewhere():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").offer(3, "1.2").applied("broken", terminal=True)
    assert prod.target == "1.1"
    prod.roll_back()
    assert prod.target == "1.1"
    prod.roll_back(prod.make(1, "1.0"))
    assert prod.target == "1.0"
    assert prod.applied().comes_up("1.0").good == "1.0"


def test_good_is_gone_back_from_during_a_rollout():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").offer(3, "1.2").roll_back(Instance().make(1, "1.0"))
    assert prod.target == "1.0"
    assert prod.applied().comes_up("1.0").good == "1.0"


def test_a_rollback_delivered_twice_is_one():
    back = RolledBack(by=By("ann"), id="7")
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").with_good(3, "1.2").receive(back).comes_up("1.1").receive(back)
    assert prod.good == "1.1"


# --- retry ----------------------------------------------------------------------------------------------------------------


def test_retry_lifts_the_newest_veto():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0").retry()
    assert (prod.target, prod.vetoed) == ("1.1", set())


def test_retry_of_a_release_that_is_not_vetoed_is_nothing():
    prod = Instance().with_good(1, "1.0")
    before = prod.state
    assert prod.retry().state is before
    assert prod.retry(7).state is before


def test_cancelling_queued_work_disturbs_later_work():
    """It does not: a rejected release leaves the next one alone."""
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").reject("bob", release=1).approve("ann", release=2)
    assert prod.comes_up("1.1").good == "1.1"


def test_a_soak_goes_on_while_people_talk():
    prod = Instance(orderings=(after(soak=HOUR),), approvals=(approval(),)).offer(1, "1.0").upstream("staging", "1.0")
    prod.wait(30 * MINUTE).approve("ann").wait(30 * MINUTE)
    assert prod.target == "1.0"


def test_desired_is_what_is_waited_for():
    prod = Instance().with_good(1, "1.0").configure(approvals=(approval(),)).offer(2, "1.1")
    assert (prod.desired, prod.target) == ("1.1", "1.0")


def test_a_pin_that_is_there_only_says_what_would_be_next_without_it():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").pin(1, "1.0").comes_up("1.0")
    assert (prod.condition, prod.reasons) == ("converged", ["pinned to 1.0 by ann; 1.1 would be next"])


def test_rollback_by_hand_to_a_named_version_where_nothing_ran():
    prod = Instance().roll_back(Instance().make(1, "1.0"))
    assert prod.comes_up("1.0").good == "1.0"


def test_a_failure_uses_up_the_approvals_of_its_own_release_only():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").approve("ann", release=1).approve("ann", release=2)
    prod.applied("broken", terminal=True).offer(3, "1.2")
    topics = {topic.rpartition("#")[2]: used for topic, used in prod.life.used.items()}
    assert topics in ({"2": 1}, {"1": 1})


def test_a_rejection_counts_until_target_moves():
    prod = Instance(approvals=(approval(),), calendars=(hours(9, 17),)).offer(1, "1.0").approve("ann")
    assert prod.candidate.phase is Phase.PRE_DEPLOYMENT
    prod.reject("bob", release=1)
    assert (prod.wanted, prod.vetoed) == ("", {1})
    late = Instance(approvals=(approval(),)).offer(1, "1.0").approve("ann").reject("bob", release=1)
    assert (late.target, late.vetoed) == ("1.0", set()), "target has moved: it is too late for a no"


def test_an_approval_does_not_survive_a_change_of_the_version():
    prod = Instance(approvals=(approval(),), checks=(check("alerts"),)).offer(1, "1.0").approve("ann").blocking("alerts")
    prod.offer(2, "1.0", spec="another-configuration").passing("alerts")
    assert prod.target == "1.0"
    assert prod.life.target == Pair(1), "what was approved, not what came after"


def test_a_pin_that_a_person_sets_ends_a_hold_and_a_pin_keeps_no_rollback_by_hand_away():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").hold().pin(1, "1.0")
    assert (prod.held, prod.target) == (False, "1.0")
    prod.comes_up("1.0").roll_back(prod.make(2, "1.1"))
    assert (prod.target, prod.life.pin) == ("1.1", 0)


def test_a_veto_does_not_mark_the_version_bad():
    """The instance keeps it to itself: it tells the line nothing, and a person may pin the version here."""
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True)
    assert [given for given in prod.out if getattr(given, "to", "").startswith("line:")] == []
    prod.comes_up("1.0").pin(2, "1.1")
    assert prod.target == "1.1"


def test_a_finalized_version_that_fails_later_is_reported_and_nothing_moves():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").observed("1.1", healthy=False, message="exit 1").wait(24 * HOUR)
    assert (prod.target, prod.vetoed, prod.condition) == ("1.1", set(), "unhealthy")
    assert prod.applies == ["spec-1.0", "spec-1.1"]


def test_what_is_said_about_one_release_is_void_for_any_other():
    prod = Instance(approvals=(approval(),), checks=(check("alerts"),)).offer(2, "1.1")
    prod.approve("ann", release=1).skip(1, "alerts").reject("bob", release=1).retry(1)
    assert (prod.wanted, prod.target, prod.vetoed) == ("1.1", "", set())
    assert prod.codes == ["approval-missing"]


def test_what_was_approved_failed_and_is_tried_again_may_still_be_rejected():
    prod = asking().approve("ann").applied("broken", terminal=True).retry()
    assert prod.wanted == "1.0"
    prod.reject("bob", release=1)
    assert (prod.wanted, prod.vetoed) == ("", {1})


def test_a_rejection_is_written_once():
    prod = asking().reject("bob", why="no")
    before = prod.state
    prod.now += HOUR
    assert prod.configure(approvals=(approval(),)).state is before
    assert prod.reject("ann", release=1, why="no either").life.vetoes[0].reason == "bob rejected it for release-manager: no"


def test_a_pin_of_the_candidate_is_another_attempt_that_moves_no_frontier():
    prod = asking().pin(1, "1.0").approve("ann").comes_up("1.0")
    assert (prod.good, prod.life.attempts, prod.frontier) == ("1.0", 2, 0)
