"""Instances of one release that move as one: the set, and one of its members."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.dsl import LEADS, NAME, START, Actor, approval, check, hours
from tests.core.dsl.scopes import OUTAGE, paused, stopped
from tests.core.dsl.sets import LEASE, SET, A, B, C, Member, Set

from setpoint.core.facts import (
    AdmissionRequested,
    Began,
    Ended,
    Granted,
    LineStatus,
    MemberState,
    Queued,
    Returned,
    SetFormed,
    SetVote,
    StandingOrder,
)
from setpoint.core.sets import SetState
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.people import By
from setpoint.model.policy import CalendarUse, Ordering, Phase, Strategy
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import DAY, HOUR, MINUTE

# --- the set ---------------------------------------------------------------------------------------------------------------


def test_it_goes_once_all_were_ready_and_all_are_locked():
    both = Set().vote("ready", A)
    assert (both.stage, both.status.waiting) == ("gathering", {B: ""})
    assert both.vote("ready", B).stage == "preparing"
    assert both.vote("locked", A).stage == "preparing"
    assert both.vote("locked", B).stage == "going"
    assert both.status.start == (A, B)


def test_none_is_finalized_before_all_have_passed():
    both = Set().gone().vote("passed", A)
    assert both.stage == "going"
    assert both.vote("passed", B).stage == "finalizing"
    assert both.vote("ended", A).stage == "finalizing"
    assert both.vote("ended", B).stage == "ended"


def test_half_a_set_fails_and_all_go_back():
    both = Set().gone().vote("passed", A).vote("failed", B, reason="it is unhealthy")
    assert (both.stage, both.status.reason) == ("going-back", "b: it is unhealthy")


def test_it_gathers_anew_once_everybody_heard_of_it_and_is_back():
    both = Set().gone().vote("failed", B)
    both.vote("vetoed", B, back=1)
    assert both.stage == "going-back"
    both.vote("vetoed", A)
    assert both.stage == "going-back"
    both.vote("failed", A, back=1)
    assert both.stage == "going-back"
    both.vote("vetoed", A, back=1)
    assert (both.stage, both.status.epoch) == ("gathering", 2)


def test_leases_are_free_once_who_has_not_gone_back_fails_to():
    """The fix of that member may need them; the set itself waits until it is back."""
    both = (
        Set()
        .vote("ready", needs=(LEASE,))
        .receive(Granted(request_id=1))
        .vote("locked", needs=(LEASE,))
        .vote("started")
        .vote("failed")
    )
    assert both.vote("stuck", A).facts == []
    assert both.vote("vetoed", B, back=1).facts == [Ended(requester=SET, request_id=1)]
    assert both.stage == "going-back"
    assert both.vote("vetoed", A, back=1).stage == "gathering"


def test_a_member_that_failed_before_is_waited_for_when_another_is_retried():
    both = Set().gone().vote("failed").vote("vetoed", back=1)
    assert both.vote("ready", A).stage == "gathering"
    assert both.status.waiting == {B: "is vetoed"}
    assert both.vote("ready", B).stage == "preparing"


def test_a_no_before_it_goes_only_takes_it_back_to_gathering():
    both = Set().vote("ready").vote("locked", A).vote("waiting", A)
    assert (both.stage, both.status.epoch) == ("gathering", 2)


def test_a_no_after_it_was_told_to_go_is_a_failure():
    both = Set().vote("ready").vote("locked").vote("started", A).vote("waiting", B, reason="waits at alerts")
    assert (both.stage, both.status.reason) == ("going-back", "b: waits at alerts")


def test_who_was_locked_before_it_gathered_anew_must_lock_again():
    both = Set().vote("ready").vote("locked", B).vote("waiting", A).vote("ready", A)
    assert both.stage == "gathering"
    both.vote("ready", B).vote("locked", A)
    assert both.stage == "preparing"
    assert both.vote("locked", B).stage == "going"


def test_a_vote_that_comes_late_changes_nothing():
    both = Set().vote("ready", A, number=5)
    assert both.vote("waiting", A, number=4).vote("ready", B).stage == "preparing"


def test_votes_may_come_before_it_is_formed():
    early = Actor(SET, SetState).receive(SetVote(member=A, number=1, state=MemberState.READY, epoch=1))
    assert early.out == ()
    status = early.receive(SetFormed(release=2, members=(A, B))).state.status
    assert status
    assert status.waiting == {B: ""}


def test_a_rejection_by_one_members_topic_ends_it_for_all():
    both = Set().vote("waiting", A).vote("vetoed", B, reason="ann rejected it")
    assert (both.stage, both.status.reason) == ("going-back", "b: ann rejected it")


def test_a_member_that_does_not_take_it_makes_the_others_wait():
    both = Set().vote("ready", A).vote("gone", B, reason="pinned to 0.9")
    assert (both.stage, both.status.waiting) == ("gathering", {B: "pinned to 0.9"})


def test_a_newer_release_that_one_member_began_takes_it_out_for_all():
    both = Set().vote("ready", A).vote("out", B, reason="1.1 was started (release 3)")
    assert both.status.out == "b: 1.1 was started (release 3)"


def test_a_member_that_left_the_configuration_is_not_waited_for():
    assert Set().vote("left", B).vote("ready", A).vote("locked", A).stage == "going"


def test_a_member_that_is_there_already_is_not_waited_for():
    both = Set().vote("ended", B).vote("ready", A).vote("locked", A).vote("passed", A)
    assert both.stage == "finalizing"
    assert Set().vote("ended").stage == "ended"


def test_members_start_in_the_order_that_their_after_asks():
    three = Set(A, B, C, after={B: (A,), C: (B,)})
    three.vote("ready", A, B, C).vote("locked", A, B, C)
    assert three.status.start == (A,)
    three.vote("started", A)
    assert three.vote("passed", A).status.start == (A, B)
    assert three.vote("passed", B).status.start == (A, B, C)


def test_it_is_as_ready_as_the_least_of_its_members():
    both = Set().vote("waiting", A, level=2)
    assert both.status.level == 0
    assert both.vote("waiting", B, level=1).status.level == 1


def test_overlapping_sets_are_two_each_with_its_own_votes():
    """The newer one takes its members out of the older, whose other members then drop that."""
    older = Set(A, B).vote("ready", A).vote("out", B, reason="2.0 was started (release 3)")
    newer = Set(B, C).vote("ready", B, C).vote("locked", B, C)
    assert (older.stage, newer.stage) == ("gathering", "going")


# --- admission ----------------------------------------------------------------------------------------------------------------


def test_admission_is_asked_for_all_members_at_once():
    both = Set().vote("ready", needs=(LEASE,))
    (asked,) = both.facts
    assert isinstance(asked, AdmissionRequested)
    assert (asked.needs, asked.members) == ((LEASE, LEASE), (A, B))
    both.receive(Queued(request_id=asked.request_id, number=1, reasons=(Reason(Code.ADMISSION_PENDING, "waits for a lease"),)))
    assert (both.stage, both.status.queued[0].text) == ("gathering", "waits for a lease")
    assert both.receive(Granted(request_id=asked.request_id)).stage == "preparing"


def test_what_was_granted_is_given_back_when_a_member_says_no_and_asked_for_anew():
    both = Set().vote("ready", needs=(LEASE,)).receive(Granted(request_id=1)).vote("waiting", A)
    assert both.facts == [Returned(requester=SET, request_id=1)]
    both.vote("ready", needs=(LEASE,))
    assert [request.request_id for request in both.sent(AdmissionRequested)] == [2]
    assert len(both.facts) == 1


def test_who_had_left_when_the_set_went_takes_no_part_though_it_comes_back():
    both = Set().vote("left", B).vote("ready", A).vote("locked", A)
    assert (both.stage, both.status.went, both.status.start) == ("going", (A,), (A,))
    assert both.vote("waiting", B).stage == "going"
    assert both.vote("passed", A).stage == "finalizing"
    assert both.vote("ended", A).stage == "ended"


def test_who_leaves_on_the_way_takes_no_part_any_more_though_it_comes_back():
    both = Set().gone().vote("left", B).vote("out", B)
    assert (both.stage, both.status.went) == ("going", (A,))
    assert both.vote("failed", A).stage == "going-back"


def test_a_set_that_everybody_leaves_on_the_way_has_ended():
    assert Set().gone().vote("left").stage == "ended"
    assert Set().vote("ready").vote("left").stage == "ended"


def test_a_grant_that_comes_too_late_was_given_back_before():
    both = Set().vote("ready", needs=(LEASE,)).vote("waiting", A)
    assert both.facts == [Returned(requester=SET, request_id=1)]
    assert both.receive(Granted(request_id=1)).facts == []


def test_a_grant_told_again_when_all_is_over_is_not_given_back():
    """Admission may not have heard of the start yet, and would forget that a deployment of the budget is spent."""
    both = (
        Set()
        .vote("ready", needs=(LEASE,))
        .receive(Granted(request_id=1))
        .vote("locked", needs=(LEASE,))
        .vote("passed")
        .vote("ended")
    )
    assert both.receive(Granted(request_id=1)).facts == []


def test_nothing_is_given_back_once_a_task_was_started():
    both = Set().vote("ready", needs=(LEASE,)).receive(Granted(request_id=1)).vote("waiting", A, committed=True)
    assert (both.facts, both.stage) == ([], "gathering")


def test_leases_are_free_when_all_is_over():
    both = Set().vote("ready", needs=(LEASE,)).receive(Granted(request_id=1)).vote("locked", needs=(LEASE,))
    assert both.facts == [Began(requester=SET, request_id=1)]
    both.vote("passed").vote("ended")
    assert both.facts == [Ended(requester=SET, request_id=1)]
    assert both.vote("ended").facts == [], "once"


def test_a_set_that_is_out_gives_its_place_up():
    both = Set().vote("ready", needs=(LEASE,)).vote("out", B)
    assert both.facts == [Returned(requester=SET, request_id=1, gone=True)]


# --- a member -------------------------------------------------------------------------------------------------------------------


def test_it_says_that_it_is_ready_and_waits_for_the_others():
    web = Member().member().set_is("gathering", waiting={B: "waits at alerts"})
    assert (web.vote_given, web.target) == ("ready", "")
    assert web.waits_for("moves together with b: waits at alerts")


def test_it_starts_by_itself_after_its_set_that_went_without_it():
    web = Member().member().set_is("going", start=(B,), went=(B,), waiting={B: "is being rolled out"})
    assert (web.target, web.candidate.committed) == ("", False)
    assert web.waits_for("its set went without it, and it starts after b: is being rolled out")
    assert web.set_is("finalizing", start=(), went=(B,)).target == ""
    assert web.set_is("ended").target == "1.1"


def test_a_time_that_its_set_waited_for_is_not_waited_for_once_it_is_over():
    soaks = Reason(Code.WAVE_NOT_OPEN, "wave 2 waits for wave 1, which soaks", subject="wave:app/all", until=START + HOUR)
    web = Member().member().set_is("gathering", queued=(soaks,))
    assert web.waits_for("wave 2 waits for wave 1, which soaks")
    assert web.wake_at == START + HOUR
    assert web.wait(HOUR).wake_at is None
    assert web.waits_for("wave 2 waits for wave 1, which soaks")


def test_it_starts_when_the_set_goes():
    web = Member().member().set_is("preparing")
    assert (web.vote_given, web.target) == ("locked", "")
    assert (web.set_is("going").target, web.vote_given) == ("1.1", "started")


@pytest.mark.parametrize(("strategy", "level"), [(Strategy.NEWEST_READY, 1), (Strategy.NEWEST, 0)])
def test_how_ready_a_release_is_counts_only_where_it_may_still_be_chosen(strategy: Strategy, level: int):
    web = Member(strategy=strategy, approvals=(approval(),)).member().set_is("gathering")
    assert web.votes_given[-1].level == 1
    web.offer(3, "1.2")
    said = web.votes_given[-1]
    assert (said.state, said.reason, said.level) == ("gone", "wants 1.2", level)


def test_it_says_in_which_epoch_it_heard_that_its_set_goes_back():
    web = Member().member().set_is("preparing").set_is("going")
    assert web.votes_given[-1].back == 0
    assert web.set_is("going-back", epoch=1).votes_given[-1].back == 1


def test_it_says_whether_it_is_rolled_out_or_verified():
    web = Member(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).member().set_is("preparing").set_is("going")
    assert web.votes_given[-1].reason == "is being rolled out"
    web.comes_up("1.1")
    assert (web.vote_given, web.votes_given[-1].reason) == ("started", "is being verified")


def test_it_says_nothing_twice():
    web = Member().member().set_is("gathering")
    said = list(web.votes_given)
    assert web.set_is("gathering").wait(MINUTE).votes_given == said


def test_a_pause_is_no_no_once_it_is_locked_and_its_set_goes():
    web = Member().member().set_is("preparing").set_is("going", start=(B,))
    paused(web)
    assert (web.vote_given, web.target) == ("locked", "")


def test_who_takes_a_release_up_later_is_no_no_once_its_set_goes():
    tenants = Ordering("tenants", ("app/web@a",), members=("app/web@a",), allow_empty=True)
    web = Member(orderings=(tenants,)).upstream("a", declined={2: "its cadence admits nothing now"}).member().set_is("preparing")
    web.set_is("going", start=(B,)).upstream("a")
    assert (web.vote_given, web.target) == ("locked", "")
    assert web.set_is("going", start=(B, NAME)).target == "1.1"


def test_it_starts_after_those_that_it_comes_after():
    web = Member().member().set_is("preparing").set_is("going", start=(B,), waiting={B: "is being rolled out"})
    assert web.target == ""
    assert web.waits_for("starts after others of its set: b: is being rolled out")
    assert web.set_is("going", start=(B, NAME)).target == "1.1"


def test_a_late_starter_is_under_way_a_window_that_closes_does_not_hold_it():
    web = Member(calendars=(hours(0, 6),)).member().set_is("preparing").set_is("going", start=(B,))
    web.now += 7 * HOUR
    assert web.set_is("going").target == "1.1"


def test_a_late_starter_waits_for_a_calendar_that_pauses_what_is_in_flight():
    days = CalendarUse("days", Calendar("days", open=(Window(hours=(0, 6 * 60)),), in_flight="pause"), "UTC")
    web = Member(calendars=(days,)).member().set_is("preparing").set_is("going", start=(B,))
    web.now += 7 * HOUR
    assert (web.set_is("going").target, web.vote_given) == ("", "locked")
    assert web.waits_for("paused: days is closed")
    assert web.wake_at == START + DAY
    assert web.wait(17 * HOUR).target == "1.1"


def test_a_late_starter_waits_for_a_line_that_is_stopped_with_a_pause():
    web = Member().member().set_is("preparing").set_is("going", start=(B,))
    stopped(web, stop=replace(OUTAGE, in_flight="pause"))
    assert (web.set_is("going").target, web.vote_given) == ("", "locked")
    assert web.waits_for("froze")


def test_a_gate_that_says_no_after_it_was_locked_is_told():
    web = Member(checks=(check("alerts"),)).member().passing("alerts").set_is("preparing")
    assert web.vote_given == "locked"
    assert web.blocking("alerts").votes_given[-1].reason == "waits at alerts"
    assert web.vote_given == "waiting"


def test_a_result_that_only_grew_old_is_no_no():
    web = Member(checks=(check("alerts"),)).member().passing("alerts").set_is("preparing").set_is("going", start=(B,))
    web.wait(2 * MINUTE).set_is("going", start=(B,), waiting={B: "is being verified"})
    assert web.vote_given == "locked"


def test_it_is_finalized_with_the_others_only():
    web = Member().member().set_is("preparing").set_is("going").comes_up("1.1")
    assert (web.vote_given, web.good, web.condition) == ("passed", "", "verifying")
    assert web.set_is("going", waiting={B: "is being verified"}).waits_for("has passed, and is finalized together with b")
    assert (web.set_is("finalizing").good, web.vote_given) == ("1.1", "ended")


def test_it_goes_back_when_its_set_does():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").comes_up("1.1").set_is("going-back", reason="b: it is unhealthy")
    assert (web.target, web.vote_given, web.vetoed) == ("1.0", "failed", {2})
    assert web.comes_up("1.0").reasons == ["1.1 is vetoed here: its set goes back: b: it is unhealthy"]
    assert web.vote_given == "vetoed"


def test_it_says_when_it_fails_to_go_back():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").applied("no such image", terminal=True).applied(
        "no space left", terminal=True
    )
    assert (web.vote_given, web.votes_given[-1].reason) == ("stuck", "the runtime refuses it: no such image")


def test_who_has_not_moved_drops_what_failed_elsewhere():
    web = Member().member().set_is("going-back", reason="b: ann rejected it")
    assert (web.maybe_candidate, web.vetoed, web.vote_given) == (None, {2}, "vetoed")
    assert web.votes_given[-1].back == 1


def test_what_fails_after_it_has_passed_asks_its_set_first():
    """The others may have been finalized by now: only the set knows which came first."""
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").comes_up("1.1")
    mark = StandingOrder(By("ann"), web.now)
    web.receive(LineStatus(application="app", number=1, bad={"web/1.1": mark}))
    assert (web.target, web.vote_given) == ("1.1", "failed")
    assert web.waits_for("failed after it had passed, its set decides: 1.1 was marked bad by ann")
    assert all(reason.awaits for reason in web.explained)
    assert web.set_is("finalizing").target == "1.1"
    assert web.vote_given == "ended"


def test_what_fails_after_it_has_passed_goes_back_when_the_set_says_so():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").comes_up("1.1")
    web.receive(LineStatus(application="app", number=1, bad={"web/1.1": StandingOrder(By("ann"), web.now)}))
    assert web.set_is("going-back", reason="web: 1.1 was marked bad").target == "1.0"


def test_a_person_who_rolls_back_asks_no_set():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").comes_up("1.1").roll_back()
    assert (web.target, web.vote_given) == ("1.0", "failed")


def test_a_release_that_another_member_took_out_is_dropped_and_comes_back_with_it():
    web = Member().member().set_is("gathering", out="b: cancelled by ann")
    assert (web.wanted, web.vote_given) == ("", "gone")
    assert web.waits_for("its set does not take it any more: b: cancelled by ann")
    assert web.set_is("gathering").wanted == "1.1"


def test_it_says_what_it_does_not_take_and_why():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.pin(1, "1.0")
    assert (web.member().vote_given, web.votes_given[-1].reason) == ("gone", "pinned to 1.0")
    web.unpin()
    assert (web.hold().vote_given, web.votes_given[-1].reason) == ("waiting", "held by ann")


def test_it_says_that_it_never_will_once_it_began_something_newer():
    web = Member(approvals=(approval(),)).member().set_is("gathering")
    web.offer(3, "1.2", urgent=True).approve("ann", release=3).approve(LEADS["bob"], release=3)
    assert (web.target, web.vote_given) == ("1.2", "out")


def test_a_release_that_comes_too_late_to_be_kept_is_answered():
    web = Member().with_good(5, "2.0")
    assert isinstance(web, Member)
    assert web.member().vote_given == "out"


def test_what_a_person_pins_moves_by_itself():
    web = Member()
    web.pin(2, "1.1")
    assert web.target == "1.1"


def test_a_removed_member_says_that_it_left():
    web = Member().member().set_is("gathering")
    web.remove()
    assert web.vote_given == "left"


def test_an_older_word_of_the_set_changes_nothing():
    web = Member().member().set_is("preparing").set_is("going", number=9).set_is("going-back", number=8)
    assert (web.target, web.vetoed) == ("1.1", set())


def test_retried_once_its_set_has_ended_it_moves_by_itself():
    web = Member().with_good(1, "1.0")
    assert isinstance(web, Member)
    web.member().set_is("preparing").set_is("going").comes_up("1.1").set_is("finalizing").set_is("ended")
    web.roll_back().comes_up("1.0").resume().retry(2)
    assert web.target == "1.1"


@pytest.mark.parametrize(("set_level", "wanted"), [(2, "1.1"), (0, "1.0")])
def test_newest_ready_chooses_what_is_ready_at_every_member(set_level: int, wanted: str):
    web = Member()
    web.hold().offer(1, "1.0")
    assert web.member().set_is("gathering", level=set_level).wanted == wanted
