"""How an instance stands to the releases that go through waves: said once for each change, and never in doubt."""

from __future__ import annotations

from tests.core.dsl import approval, check
from tests.core.dsl.limits import GROUP, Member

from setpoint.core.admission import ENTITY
from setpoint.core.facts import Configured, LineStatus, MemberResult, Removed, StandingOrder, WaveVote, Woken
from setpoint.core.instance.requests.waves import KEPT_VOTES
from setpoint.core.instructions import Send
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.people import By
from setpoint.model.policy import Accepts, Phase, Policy, Strategy, WaveUse

OTHER = "app/partners"


def through(prod: Member, release: int) -> Member:
    prod.offer(release, f"{release}.0").grant().comes_up(f"{release}.0")
    return prod


def test_a_vote_says_who_stands_how_to_what_and_is_numbered():
    prod = Member().offer(3, "1.0")
    prod.grant()
    vote = WaveVote(instance="app/web@production", group=GROUP, release=3, number=1, state=MemberResult.STARTED)
    assert Send(ENTITY, vote) in prod.out
    prod.comes_up("1.0")
    assert [vote.number for vote in prod.sent(WaveVote)] == [2]


def test_of_a_release_that_goes_through_no_waves_nothing_is_said():
    prod = Member()
    assert prod.offer(1, "1.0", waves="").comes_up("1.0").voted == []
    assert prod.hold().offer(2, "1.1", waves="").voted == []
    late = through(Member(), 5)
    assert late.offer(1, "1.0", waves="").voted == []


def test_what_goes_through_the_waves_of_another_group_is_not_taken_part_in():
    assert Member().offer(1, "1.0", waves=OTHER).voted == [(1, "started")], "it begins by itself"
    assert Member(checks=(check("alerts"),)).offer(1, "1.0", waves=OTHER).voted == [(1, "out")]
    assert Member(wave=None, checks=(check("alerts"),)).offer(1, "1.0").voted == [(1, "out")]
    use = WaveUse(GROUP, 2, when=parse_selector("!urgent"))
    assert Member(wave=use, checks=(check("alerts"),)).offer(1, "1.0", urgent=True).voted == [(1, "out")]


def test_who_leaves_is_out_and_who_mirrors_is_out():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0")
    assert prod.receive(Removed(number=1)).voted == [(1, "out")]
    policy = Policy("app/web@production", {}, wave=WaveUse(GROUP, 2), strategy=Strategy.MIRROR, mirror="app/web@staging")
    mirror = Member(checks=(check("alerts"),)).offer(1, "1.0")
    assert mirror.receive(Configured(policy=policy)).voted == [(1, "out")]


def test_a_release_that_is_passed_over_is_said_to_be_out_once():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0")
    assert prod.voted == []
    assert prod.offer(3, "3.0", urgent=True).voted == [(1, "out"), (2, "out")]
    prod.passing("alerts").grant().comes_up("3.0")
    assert {offer.release for offer in prod.offers} == {3}
    assert prod.offer(1, "1.0").voted == [], "it was said before"


def test_one_that_was_passed_over_for_something_newer_comes_back_when_that_is_cancelled():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0").blocking("alerts").offer(2, "2.0")
    assert prod.voted == [(1, "out")]
    cancelled = {2: StandingOrder(By("bob"), prod.now)}
    assert prod.receive(LineStatus(application="app", number=1, cancelled=cancelled)).voted == [(1, "waiting"), (2, "out")]


def test_one_that_is_not_accepted_is_out_and_one_that_a_person_pins_is_not():
    prod = Member(accepts=Accepts("<2"), checks=(check("alerts"),)).offer(1, "2.0.0")
    assert prod.voted == [(1, "out")]
    assert prod.pin(1, "2.0.0").voted == [(1, "waiting")]
    assert prod.unpin().voted == [(1, "out")]


def test_on_a_train_only_what_was_left_behind_is_out():
    prod = Member(strategy=Strategy.EVERY, checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0")
    assert prod.voted == [], "it is next"
    assert prod.offer(3, "3.0", urgent=True).voted == [], "it might be taken back"
    prod.passing("alerts").grant()
    assert prod.voted == [(1, "out"), (2, "out"), (3, "started")]


def test_a_rollout_that_fails_without_a_way_back_has_failed_and_only_that():
    prod = Member().offer(1, "1.0")
    prod.grant()
    assert prod.applied("broken", terminal=True).voted == [(1, "failed")]
    prod.hold().offer(2, "2.0")
    assert prod.voted == [(2, "out")]


def test_a_release_that_was_gone_back_from_has_failed_while_it_is_vetoed():
    prod = through(through(Member(), 1), 2)
    assert prod.roll_back().voted == [(2, "failed")]
    prod.comes_up("1.0").resume()
    assert prod.retry(2).voted == [(2, "waiting")]


def test_a_person_who_goes_back_to_a_release_does_not_begin_it():
    prod = through(through(Member(), 1), 2)
    prod.roll_back()
    assert (1, "started") not in prod.voted
    assert prod.comes_up("1.0").voted == []


def test_a_release_that_was_rejected_before_it_began_has_not_failed():
    prod = through(Member(), 1)
    prod.configure(wave=WaveUse(GROUP, 2), limits=(), approvals=(approval(),)).offer(2, "2.0")
    assert prod.reject("ann").voted == [(2, "out")]


def test_one_that_was_finalized_and_is_forgotten_says_nothing_more():
    prod = Member()
    for release in range(1, 12):
        through(prod, release)
        assert prod.voted == [(release, "finalized")]
    assert len(prod.offers) < 11


def test_what_was_finalized_stays_so_until_it_fails():
    prod = Member(checks=(check("slow", Phase.POST_DEPLOYMENT),)).offer(1, "1.0")
    prod.grant().comes_up("1.0")
    assert prod.passing("slow").voted == [(1, "finalized")]
    for release in range(2, 30):
        prod.offer(release, f"{release}.0").grant().comes_up(f"{release}.0").passing("slow")
        assert [state for number, state in prod.voted if number == 1] == []
    assert prod.life.voted[f"{GROUP}#1"] == "finalized"


def test_of_a_release_that_is_not_taken_it_speaks_once_however_many_there_are():
    prod = Member(strategy=Strategy.MANUAL)
    for release in range(1, KEPT_VOTES + 10):
        assert prod.offer(release, f"{release}.0").voted == [(release, "out")]
    assert (prod.receive(Woken()).voted, prod.life.votes) == ([], KEPT_VOTES + 9)


def test_of_releases_that_are_kept_no_more_only_so_many_answers_are_remembered():
    prod = through(Member(), KEPT_VOTES + 50)
    for release in range(1, KEPT_VOTES + 10):
        prod.offer(release, f"{release}.0")
    assert list(prod.life.voted) == [f"{GROUP}#{release}" for release in (KEPT_VOTES + 50, *range(10, KEPT_VOTES + 10))]


def test_a_release_that_comes_too_late_is_declined_once():
    prod = through(Member(), 9)
    prod.offer(1, "0.1")
    assert prod.voted == [(1, "out")]
    assert prod.offer(1, "0.1").voted == []
