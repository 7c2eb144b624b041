"""An instance that needs a lease, a wave or a budget: it asks last, evaluates again when granted, keeps nothing in vain."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.dsl import Instance, WithTasks, a_task, check, hours, version
from tests.core.dsl.limits import GROUP, LEASE, Limited, Member, budgeted

from setpoint.core.facts import AdmissionRequested, Began, Ended, Granted, Queued, Returned, WaveVote
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Phase, Strategy, WaveUse
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import DAY, HOUR


def test_it_asks_when_everything_else_holds_and_starts_when_granted():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0")
    assert not prod.sent(AdmissionRequested)
    prod.passing("alerts")
    (asked,) = prod.sent(AdmissionRequested)
    assert [(need.unit, need.limit) for need in asked.needs] == [("lease:runtime:k8s", 2)]
    assert prod.target == ""
    prod.receive(Granted(request_id=asked.request_id))
    assert prod.target == "1.0"
    assert [fact.request_id for fact in prod.sent(Began)] == [asked.request_id]


def test_one_without_limits_never_asks():
    prod = Instance().offer(1, "1.0")
    assert prod.target == "1.0"
    assert not prod.sent(AdmissionRequested)


def test_it_does_not_ask_twice():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").passing("alerts")
    assert not prod.sent(AdmissionRequested)


def test_a_grant_is_returned_when_another_gate_holds_no_more_and_asked_for_again_when_it_does():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts")
    first = prod.admission.request_id
    prod.blocking("alerts").receive(Granted(request_id=first))
    assert [(fact.request_id, fact.gone) for fact in prod.sent(Returned)] == [(first, False)]
    assert prod.target == ""
    prod.passing("alerts")
    (again,) = prod.sent(AdmissionRequested)
    assert (again.request_id > first, again.attempt) == (True, prod.candidate.number)


def test_a_late_word_to_a_returned_grant_counts_no_more():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts")
    first = prod.admission.request_id
    prod.blocking("alerts").receive(Granted(request_id=first)).receive(Granted(request_id=first))
    assert not prod.sent(Returned)
    prod.passing("alerts").receive(Granted(request_id=first))
    assert prod.target == ""


def test_what_was_granted_is_kept_while_a_check_says_yes_afresh():
    """After a long wait in the queue results are old: without this, whoever came just now would always be faster."""
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").wait(HOUR)
    prod.grant()
    assert not prod.sent(Returned)
    assert prod.target == ""
    assert prod.passing("alerts").target == "1.0"


def test_it_is_given_back_when_that_check_says_no():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").wait(HOUR)
    prod.grant()
    assert prod.blocking("alerts").sent(Returned)


def test_a_hold_gives_it_back():
    prod = Limited().offer(1, "1.0")
    ask = prod.requested.request_id
    prod.hold().receive(Granted(request_id=ask))
    assert [(fact.request_id, fact.gone) for fact in prod.sent(Returned)] == [(ask, False)]
    assert prod.resume().sent(AdmissionRequested)


def test_a_place_is_given_up_when_the_attempt_is_replaced():
    prod = Limited().offer(1, "1.0")
    first = prod.requested.request_id
    prod.offer(2, "2.0")
    assert [(fact.request_id, fact.gone) for fact in prod.sent(Returned)] == [(first, True)]
    assert prod.requested.release == 2


def test_a_place_is_given_up_when_the_instance_is_removed_or_rolled_back_by_hand():
    for act in (Instance.remove, Instance.roll_back):
        prod = Limited().offer(1, "1.0")
        act(prod)
        assert [fact.gone for fact in prod.sent(Returned)] == [True]


def test_a_grant_that_comes_after_its_attempt_has_ended_was_given_back_then():
    prod = Limited().offer(1, "1.0")
    first = prod.requested.request_id
    assert [fact.request_id for fact in prod.offer(2, "2.0").sent(Returned)] == [first]
    assert not prod.receive(Granted(request_id=first)).sent(Returned)


def test_a_grant_told_again_after_the_start_is_not_given_back_however_late():
    """Admission may not have heard of the start yet, and would forget that a deployment of the budget is spent."""
    prod = Limited(checks=(check("smoke", Phase.POST_DEPLOYMENT),)).rolls(1, "1.0")
    lease = prod.rollout.lease
    assert lease
    assert not prod.receive(Granted(request_id=lease)).sent(Returned)
    prod.comes_up("1.0")
    assert prod.rollout.lease == 0
    assert not prod.receive(Granted(request_id=lease)).sent(Returned)


def test_one_that_passed_a_check_long_ago_is_not_replaced_while_it_asks():
    """Its check belongs to an earlier phase; the next release would wait for it again, and so would the one after that."""
    prod = Limited(checks=(check("load", Phase.PRE_APPROVAL),)).offer(1, "1.0").offer(2, "1.1").passing("load")
    assert (prod.wanted, prod.requested.release) == ("1.0", 1)
    assert prod.offer(3, "1.2").wanted == "1.0"
    assert prod.grant().target == "1.0"


def test_a_lease_ends_when_the_rollout_leaves_deployment():
    prod = Limited(checks=(check("smoke", Phase.POST_DEPLOYMENT),)).rolls(1, "1.0")
    lease = prod.rollout.lease
    prod.applied()
    assert not prod.sent(Ended)
    prod.observed("1.0")
    assert [fact.request_id for fact in prod.sent(Ended)] == [lease]
    assert not prod.passing("smoke").sent(Ended)


def test_a_lease_is_held_until_the_rollback_has_ended():
    prod = Limited().rolls(1, "1.0").comes_up("1.0")
    prod.offer(2, "2.0").receive(Granted(request_id=prod.requested.request_id))
    lease = prod.rollout.lease
    prod.applied("no", terminal=True)
    assert prod.rollout.back
    assert not prod.sent(Ended)
    prod.comes_up("1.0")
    assert [fact.request_id for fact in prod.sent(Ended)] == [lease]


def test_a_rollback_that_has_failed_holds_no_lease():
    """Its fix may come after another channel that needs the same lease: else both would wait for a person."""
    prod = Limited().rolls(1, "1.0").comes_up("1.0")
    prod.offer(2, "2.0").receive(Granted(request_id=prod.requested.request_id))
    lease = prod.rollout.lease
    prod.applied("no", terminal=True).applied("no space left", terminal=True)
    assert prod.condition == "rollback-failed"
    assert [fact.request_id for fact in prod.sent(Ended)] == [lease]
    assert not prod.wait(HOUR).comes_up("1.0").sent(Ended)


def test_a_failure_without_a_rollback_frees_the_lease():
    prod = Limited().rolls(1, "1.0")
    prod.applied("no", terminal=True)
    assert prod.maybe_failure
    assert len(prod.sent(Ended)) == 1


def test_a_rollout_that_gives_way_frees_its_lease():
    prod = Limited().rolls(1, "1.0")
    old = prod.rollout.lease
    prod.offer(2, "2.0", urgent=True).receive(Granted(request_id=prod.requested.request_id))
    assert prod.target == "2.0"
    assert [fact.request_id for fact in prod.sent(Ended)] == [old]


def test_a_rollback_needs_no_lease():
    prod = Limited(checks=(check("smoke", Phase.POST_DEPLOYMENT),)).rolls(1, "1.0").comes_up("1.0").passing("smoke")
    prod.offer(2, "2.0").receive(Granted(request_id=prod.requested.request_id)).comes_up("2.0").blocking("smoke")
    assert prod.rollout.back
    assert not prod.sent(AdmissionRequested)
    assert prod.applies[-1] == "spec-1.0"


def test_a_lease_that_is_skipped_is_not_asked_for():
    prod = Limited().offer(1, "1.0")
    prod.skip(1, "limit-runtime")
    assert prod.target == "1.0"
    assert [fact.gone for fact in prod.sent(Returned)] == [True]
    assert "ann skips limit-runtime: I know better" in prod.history


def test_a_lease_concerns_only_attempts_that_its_when_matches():
    use = replace(LEASE, when=parse_selector("!urgent"))
    assert Limited(limits=(use,)).offer(1, "1.0", urgent=True).target == "1.0"


def test_a_changed_limit_is_asked_for_anew():
    prod = Limited().offer(1, "1.0")
    prod.configure(limits=(replace(LEASE, limit=5),))
    assert prod.requested.needs[0].limit == 5


def test_the_reasons_of_admission_are_its_own():
    prod = Limited().offer(1, "1.0")
    assert prod.codes == ["admission-pending"]
    why = Reason(Code.LEASE_TAKEN, "runtime k8s is busy", subject="lease:runtime:k8s", since=prod.now, awaits="a free place")
    prod.receive(Queued(request_id=prod.admission.request_id, number=1, reasons=(why,)))
    assert prod.reasons == ["runtime k8s is busy"]


def test_an_older_word_of_admission_is_dropped():
    prod = Limited().offer(1, "1.0")
    ask = prod.admission.request_id
    prod.receive(Queued(request_id=ask, number=2, reasons=(Reason(Code.LEASE_TAKEN, "new", awaits="x"),)))
    prod.receive(Queued(request_id=ask, number=1, reasons=(Reason(Code.LEASE_TAKEN, "old", awaits="x"),)))
    assert prod.reasons == ["new"]


# --- budgets ---------------------------------------------------------------------------------------------------------------


def test_a_budget_is_a_need_of_its_occurrence():
    (need,) = budgeted().offer(1, "1.0").sent(AdmissionRequested)[0].needs
    assert (need.unit, need.limit) == ("budget:application:app/hours", 2)
    assert need.until - need.occurrence == 12 * HOUR


def test_a_calendar_without_a_budget_needs_nothing():
    assert Limited(limits=(), calendars=(hours(0, 24),)).offer(1, "1.0").target == "1.0"


def test_the_next_occurrence_is_asked_for_when_it_begins():
    prod = budgeted().offer(1, "1.0")
    first = prod.requested.needs[0]
    prod.wait(DAY)
    asked = prod.admission.needs[0]
    assert asked.occurrence == first.occurrence + DAY


def test_a_budget_is_not_asked_for_outside_of_its_window():
    prod = budgeted()
    prod.wait(13 * HOUR).offer(1, "1.0")
    assert not prod.sent(AdmissionRequested)
    assert any("closed" in reason for reason in prod.reasons)


def test_skipping_the_calendar_skips_its_budget():
    prod = budgeted().offer(1, "1.0")
    assert prod.skip(1, "hours").target == "1.0"


# --- waves -----------------------------------------------------------------------------------------------------------------


def test_a_member_needs_its_wave():
    (need,) = Member().offer(1, "1.0").sent(AdmissionRequested)[0].needs
    assert (need.unit, need.limit) == (f"wave:{GROUP}", 2)


def test_a_release_that_goes_through_no_waves_needs_none():
    assert Member().offer(1, "1.0", waves="").target == "1.0"


def test_a_wave_that_is_skipped_is_not_waited_for():
    assert Member().offer(1, "1.0").skip(1, "wave").target == "1.0"


def test_an_attempt_without_the_facts_of_its_wave_waits_for_none_and_counts_in_none():
    prod = Member(wave=WaveUse(GROUP, 2, when=parse_selector("!urgent"))).offer(1, "1.0", urgent=True)
    assert prod.target == "1.0"
    assert (1, "started") in prod.voted or (1, "out") in prod.voted


def test_who_waits_at_a_gate_says_nothing():
    assert Member(checks=(check("alerts"),)).offer(1, "1.0").voted == []


def test_it_says_that_it_began_and_that_it_is_finalized():
    prod = Member().offer(1, "1.0")
    assert prod.grant().sent(WaveVote)[0].state == "started"
    prod.applied()
    assert prod.voted == []
    assert prod.observed("1.0").voted == [(1, "finalized")]


def test_it_says_that_it_failed():
    prod = Member().rolls(1, "1.0").comes_up("1.0")
    prod.offer(2, "2.0")
    prod.grant().applied("no", terminal=True)
    assert prod.voted == [(2, "failed")]
    assert prod.comes_up("1.0").voted == []


def test_one_that_is_tried_again_waits_again():
    prod = Member().rolls(1, "1.0").comes_up("1.0")
    prod.offer(2, "2.0")
    prod.grant().applied("no", terminal=True).comes_up("1.0")
    assert prod.retry(2).voted == [(2, "waiting")]


def test_a_held_or_pinned_or_observing_one_is_out_and_comes_back():
    prod = Member().offer(1, "1.0").hold()
    assert prod.voted == [(1, "out")]
    assert prod.resume().voted == [(1, "waiting")]


def test_a_version_that_is_not_accepted_is_out():
    assert Member(strategy=Strategy.MANUAL).offer(1, "1.0").voted == [(1, "out")]


def test_a_release_that_is_passed_over_is_out():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0", urgent=True)
    assert prod.voted == [(1, "out")]


def test_a_release_that_comes_too_late_is_declined():
    prod = Member().rolls(2, "2.0").comes_up("2.0")
    assert prod.offer(1, "1.0").voted == [(1, "out")]
    assert prod.offer(1, "1.0").voted == []


def test_one_that_is_offered_once_more_after_it_was_finalized_stays_finalized():
    prod = Member().rolls(1, "1.0").comes_up("1.0")
    for release in range(2, 9):
        prod.offer(release, f"{release}.0").grant().comes_up(f"{release}.0")
    assert prod.offer(1, "1.0").voted == []


def test_a_pin_waits_for_no_wave():
    prod = Member().offer(1, "1.0")
    prod.pin(1, "1.0")
    assert prod.target == "1.0"


def test_a_removed_member_is_out():
    assert Member().offer(1, "1.0").remove().voted == [(1, "out")]


def test_a_slow_gate_and_frequent_releases_meet_although_a_lease_is_asked_for_in_between():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0").passing("alerts")
    assert prod.wanted == "1.0"
    assert prod.offer(3, "3.0").wanted == "1.0", "it is not replaced before admission has answered"
    assert prod.grant().target == "1.0"


def test_a_lease_of_a_rollout_that_gives_way_in_the_turn_in_which_it_begins_is_free():
    calm = parse_selector("!urgent")
    prod = WithTasks(
        strategy=Strategy.MIRROR,
        mirror="app/web@staging",
        tasks=(a_task(when=calm),),
        limits=(replace(LEASE, when=calm),),
    )
    prod.offer(1, "1.0", urgent=True).offer(2, "1.1").upstream("staging", good=2, version=version("1.1"), change=1)
    ask = prod.admission.request_id
    prod.receive(Granted(request_id=ask)).upstream("staging", good=1, version=version("1.0"), change=2)
    assert (prod.tried, prod.candidate.release) == (["migrate"], 2), "its task runs"
    prod.succeeds()
    assert prod.target == "1.0"
    found = ([fact.request_id for fact in prod.sent(Began)], [fact.request_id for fact in prod.sent(Ended)], prod.sent(Returned))
    assert found == ([ask], [ask], [])
