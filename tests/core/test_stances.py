"""How an instance stands to the releases that go through waves: said once for each change, and never in doubt."""

from __future__ import annotations

from tests.core.dsl import Instance, approval, check
from tests.core.dsl.limits import GROUP, Member

from setpoint.core.admission import ENTITY
from setpoint.core.facts import Configured, LineStatus, MemberResult, Removed, Standing, WaveVote, Woken
from setpoint.core.instance.requests.waves import KEPT_VOTES
from setpoint.core.instructions import Send
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.people import By
from setpoint.model.policy import Accepts, Phase, Policy, Strategy, WaveUse

OTHER = "app/partners"


def said(prod: Instance) -> list[tuple[int, str]]:
    return [(vote.release, vote.state) for vote in prod.sent(WaveVote)]


def through(prod: Member, release: int) -> Member:
    prod.offer(release, f"{release}.0").grant().comes_up(f"{release}.0")
    return prod


def test_a_vote_says_who_stands_how_to_what_and_is_numbered():
    prod = Member().offer(3, "1.0")
    prod.grant()
    vote = WaveVote(instance="app/web@production", group=GROUP, release=3, number=1, state=MemberResult.BEGUN)
    assert Send(ENTITY, vote) in prod.out
    prod.comes_up("1.0")
    assert [vote.number for vote in prod.sent(WaveVote)] == [2]


def test_of_a_release_that_goes_through_no_waves_nothing_is_said():
    prod = Member()
    assert said(prod.offer(1, "1.0", waves="").comes_up("1.0")) == []
    assert said(prod.hold().offer(2, "1.1", waves="")) == []
    late = through(Member(), 5)
    assert said(late.offer(1, "1.0", waves="")) == []


def test_what_goes_through_the_waves_of_another_group_is_not_taken_part_in():
    assert said(Member().offer(1, "1.0", waves=OTHER)) == [(1, "begun")], "it begins by itself"
    assert said(Member(checks=(check("alerts"),)).offer(1, "1.0", waves=OTHER)) == [(1, "out")]
    assert said(Member(wave=None, checks=(check("alerts"),)).offer(1, "1.0")) == [(1, "out")]
    use = WaveUse(GROUP, 2, when=parse_selector("!urgent"))
    assert said(Member(wave=use, checks=(check("alerts"),)).offer(1, "1.0", urgent=True)) == [(1, "out")]


def test_who_leaves_is_out_and_who_mirrors_is_out():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0")
    assert said(prod.receive(Removed(number=1))) == [(1, "out")]
    policy = Policy("app/web@production", {}, wave=WaveUse(GROUP, 2), strategy=Strategy.MIRROR, mirror="app/web@staging")
    mirror = Member(checks=(check("alerts"),)).offer(1, "1.0")
    assert said(mirror.receive(Configured(policy=policy))) == [(1, "out")]


def test_a_release_that_is_passed_over_is_said_to_be_out_once():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0")
    assert said(prod) == []
    assert said(prod.offer(3, "3.0", urgent=True)) == [(1, "out"), (2, "out")]
    prod.passing("alerts").grant().comes_up("3.0")
    assert {offer.release for offer in prod.offers} == {3}
    assert said(prod.offer(1, "1.0")) == [], "it was said before"


def test_one_that_was_passed_over_for_something_newer_comes_back_when_that_is_cancelled():
    prod = Member(checks=(check("alerts"),)).offer(1, "1.0").blocking("alerts").offer(2, "2.0")
    assert said(prod) == [(1, "out")]
    cancelled = {2: Standing(By("bob"), prod.now)}
    assert said(prod.receive(LineStatus(application="app", number=1, cancelled=cancelled))) == [(1, "waiting"), (2, "out")]


def test_one_that_is_not_accepted_is_out_and_one_that_a_person_pins_is_not():
    prod = Member(accepts=Accepts("<2"), checks=(check("alerts"),)).offer(1, "2.0.0")
    assert said(prod) == [(1, "out")]
    assert said(prod.pin(1, "2.0.0")) == [(1, "waiting")]
    assert said(prod.unpin()) == [(1, "out")]


def test_on_a_train_only_what_was_left_behind_is_out():
    prod = Member(strategy=Strategy.EVERY, checks=(check("alerts"),)).offer(1, "1.0").offer(2, "2.0")
    assert said(prod) == [], "it is next"
    assert said(prod.offer(3, "3.0", urgent=True)) == [], "it might be taken back"
    prod.passing("alerts").grant()
    assert said(prod) == [(1, "out"), (2, "out"), (3, "begun")]


def test_a_rollout_that_fails_without_a_way_back_has_failed_and_only_that():
    prod = Member().offer(1, "1.0")
    prod.grant()
    assert said(prod.applied("broken", terminal=True)) == [(1, "failed")]
    prod.hold().offer(2, "2.0")
    assert said(prod) == [(2, "out")]


def test_a_release_that_was_gone_back_from_has_failed_while_it_is_vetoed():
    prod = through(through(Member(), 1), 2)
    assert said(prod.roll_back()) == [(2, "failed")]
    prod.comes_up("1.0").resume()
    assert said(prod.retry(2)) == [(2, "waiting")]


def test_a_person_who_goes_back_to_a_release_does_not_begin_it():
    prod = through(through(Member(), 1), 2)
    prod.roll_back()
    assert (1, "begun") not in said(prod)
    assert said(prod.comes_up("1.0")) == []


def test_a_release_that_was_rejected_before_it_began_has_not_failed():
    prod = through(Member(), 1)
    prod.configure(wave=WaveUse(GROUP, 2), limits=(), approvals=(approval(),)).offer(2, "2.0")
    assert said(prod.reject("ann")) == [(2, "out")]


def test_one_that_was_finalized_and_is_forgotten_says_nothing_more():
    prod = Member()
    for release in range(1, 12):
        through(prod, release)
        assert said(prod) == [(release, "finalized")]
    assert len(prod.offers) < 11


def test_what_was_finalized_stays_so_until_it_fails():
    prod = Member(checks=(check("slow", Phase.POST_DEPLOYMENT),)).offer(1, "1.0")
    prod.grant().comes_up("1.0")
    assert said(prod.passing("slow")) == [(1, "finalized")]
    for release in range(2, 30):
        prod.offer(release, f"{release}.0").grant().comes_up(f"{release}.0").passing("slow")
        assert [state for number, state in said(prod) if number == 1] == []
    assert prod.life.voted[f"{GROUP}#1"] == "finalized"


def test_of_a_release_that_is_not_taken_it_speaks_once_however_many_there_are():
    prod = Member(strategy=Strategy.MANUAL)
    for release in range(1, KEPT_VOTES + 10):
        assert said(prod.offer(release, f"{release}.0")) == [(release, "out")]
    assert (said(prod.receive(Woken())), prod.life.votes) == ([], KEPT_VOTES + 9)


def test_of_releases_that_are_kept_no_more_only_so_many_answers_are_remembered():
    prod = through(Member(), KEPT_VOTES + 50)
    for release in range(1, KEPT_VOTES + 10):
        prod.offer(release, f"{release}.0")
    assert list(prod.life.voted) == [f"{GROUP}#{release}" for release in (KEPT_VOTES + 50, *range(10, KEPT_VOTES + 10))]


def test_a_release_that_comes_too_late_is_declined_once():
    prod = through(Member(), 9)
    prod.offer(1, "0.1")
    assert said(prod) == [(1, "out")]
    assert said(prod.offer(1, "0.1")) == []
