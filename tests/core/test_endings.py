"""What a finalized, failed or rolled back attempt leaves behind: what others are told, and what may be forgotten."""

from __future__ import annotations

import pytest
from tests.core.dsl import Instance, after, approval, check, failed, version
from tests.core.dsl.builders import DAILY
from tests.core.dsl.situations import mirror

from setpoint.core.facts import Revoked, Woken
from setpoint.core.instance.outcomes import KEPT_NEWS, KEPT_VETOES
from setpoint.core.instance.state import PUBLISHED
from setpoint.core.instructions import Unsubscribe
from setpoint.model.policy import Cadence, DriftPolicy, Phase
from setpoint.model.release import Pair
from setpoint.model.time import DAY, HOUR, MINUTE


def ends(prod: Instance) -> list[tuple[str, str, int]]:
    return [(event.kind, event.outcome, event.release) for event in prod.events if event.outcome and event.attempt]


# --- finalized --------------------------------------------------------------------------------------------------------------


def test_every_end_of_an_attempt_is_told_with_its_outcome():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0")
    assert ends(prod) == [("finalized", "converged", 1), ("rolled-back", "rolled-back", 2)]
    stuck = Instance().offer(1, "1.0").applied("broken", terminal=True)
    assert ends(stuck) == [("failed", "failed", 1)]


def test_a_version_that_is_finalized_again_stands_once_with_its_first_time_and_as_the_newest():
    prod = Instance().with_good(1, "1.0").wait(HOUR).with_good(2, "1.1")
    first = prod.now
    prod.wait(HOUR).with_good(3, "1.2").wait(HOUR).offer(4, "1.1").comes_up("1.1")
    assert [done.version.name for done in prod.finalized] == ["1.0", "1.2", "1.1"]
    assert prod.finalized[-1].at == first


def test_a_release_that_changes_nothing_moves_the_frontier_and_uses_no_slot():
    prod = Instance(cadence=DAILY).with_good(1, "1.0")
    slot = prod.life.slot
    prod.offer(2, "1.0-again", spec="spec-1.0")
    assert (prod.good, prod.frontier, prod.life.target, prod.life.slot) == ("1.0-again", 2, Pair(2), slot)


def test_every_change_of_good_is_numbered():
    prod = Instance()
    for release in (1, 2, 3):
        prod.with_good(release, f"1.{release}")
        assert prod.published.change == release
    prod.roll_back().comes_up("1.2")
    assert (prod.published.change, prod.published.good) == (4, Pair(2))


def test_a_version_that_was_gone_back_from_is_confirmed_again_when_it_is_finalized_again():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").with_good(3, "1.2")
    prod.roll_back(prod.make(1, "1.0")).comes_up("1.0").roll_back(prod.make(2, "1.1")).comes_up("1.1")
    assert list(prod.revoked) == [Revoked(version("1.2")), Revoked(version("1.0"))]
    prod.offer(4, "1.2", addressed=True).comes_up("1.2")
    assert (prod.good, prod.revoked) == ("1.2", (Revoked(version("1.0")),))


def test_a_cadence_of_two_admits_two_in_every_window():
    prod = Instance(cadence=Cadence(DAILY.calendar, "UTC", max=2))
    for day in range(3):
        prod.with_good(3 * day + 1, f"{day}.1").with_good(3 * day + 2, f"{day}.2").offer(3 * day + 3, f"{day}.3")
        assert prod.waits_for("the cadence admits 2 here in each window")
        prod.skip(3 * day + 3, "cadence").comes_up(f"{day}.3").wait(DAY)


# --- forgotten --------------------------------------------------------------------------------------------------------------


def busy() -> Instance:
    """Six releases went through; the sixth is verified while the seventh, half approved, and the eighth, rejected, wait."""
    prod = Instance(
        approvals=(approval(min=2),), orderings=(after(),), checks=(check("alerts", Phase.POST_DEPLOYMENT), check("load"))
    )
    for release in range(1, 7):
        name = f"1.{release}"
        prod.offer(release, name).skip(release, "load").upstream("staging", *(f"1.{each}" for each in range(1, release + 1)))
        prod.approve("ann", release=release).approve("bob", release=release).comes_up(name)
        if release < 6:
            prod.passing("alerts")
    prod.offer(7, "1.7").offer(8, "1.8").upstream("staging", "1.6", "1.7", "1.8")
    return prod.approve("ann", release=7).skip(7, "load").approve("ann", release=8).reject("bob", release=8)


def test_what_people_said_about_open_releases_outlives_the_end_of_another():
    prod = busy().passing("alerts")
    assert prod.good == "1.6"
    assert prod.approve("bob", release=7).target == "1.7", "one yes, and the skip, were given before"
    other = busy().passing("alerts").retry(8)
    assert other.waits_for("(0 of 2 given)"), "what was used up stays used up"


def test_what_concerns_releases_that_are_over_is_forgotten():
    prod = busy()
    assert 1 in {skip.release for skip in prod.life.skips}
    prod.passing("alerts")
    kept = {offer.release for offer in prod.offers}
    assert kept == {2, 3, 4, 5, 6, 7, 8}
    assert {skip.release for skip in prod.life.skips} == kept - {8}
    assert {int(topic.rpartition("#")[2]) for topic in prod.life.topics} == kept
    assert {done.version.name for done in prod.life.upstream["app/web@staging"].finalized} == {
        f"1.{each}" for each in range(2, 9)
    }


def test_skips_and_vetoes_do_not_grow_without_bound():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0")
    for number in range(300):
        prod.skip(1, f"gate-{number}")
    prod.skip(1, "alerts").comes_up("1.0")
    for release in range(2, 80):
        prod.offer(release, f"1.{release}").skip(release, "alerts").applied("broken", terminal=True).comes_up("1.0")
    assert KEPT_VETOES <= len(prod.life.vetoes) <= KEPT_VETOES + len(prod.offers) < 60
    assert prod.vetoed >= set(range(80 - KEPT_VETOES, 80))
    assert tuple(one.pair.release for one in prod.life.rolled_back) == tuple(range(80 - KEPT_NEWS, 80))


def test_no_veto_is_forgotten_while_its_release_may_be_wanted():
    """Else the oldest would be wanted again, fail, push out the next one, and so on without end."""
    prod = Instance(approvals=(approval(),))
    releases = range(1, KEPT_VETOES + 20)
    for release in releases:
        prod.offer(release, f"1.{release}").reject("ann")
    assert prod.vetoed == set(releases)
    assert prod.maybe_candidate is None


def test_a_mirror_keeps_what_its_channel_may_go_back_to():
    prod, names = mirror(), [f"1.{release}" for release in range(1, 13)]
    for release, name in enumerate(names, 1):
        prod.offer(release, name).upstream("production", *names[:release], good=release, change=release).comes_up(name)
    prod.upstream("production", *names, good=3, change=13)
    assert prod.target == "1.3"


def test_what_no_channel_may_go_back_to_is_forgotten_by_its_mirror():
    prod = mirror()
    for release in range(1, 40):
        name = f"1.{release}"
        prod.offer(release, name).upstream("production", name, good=release, change=release).comes_up(name)
    assert len(prod.offers) == PUBLISHED


# --- failed and rolled back -------------------------------------------------------------------------------------------------


def test_a_release_that_failed_twice_is_told_and_vetoed_once():
    prod = Instance().with_good(1, "1.0")
    prod.offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0").retry().applied("still broken", terminal=True)
    assert [(veto.release, veto.reason) for veto in prod.life.vetoes] == [(2, "the runtime refuses it: still broken")]
    assert prod.life.rolled_back == (failed(2, "1.1"),)


def test_the_checks_of_a_rollout_are_asked_no_more_when_it_goes_back():
    prod = (
        Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(2, "1.1").comes_up("1.1")
    )
    asked = prod.rollout.attempt.gates["alerts"].attachment
    prod.blocking("alerts")
    assert [given.to for given in prod.gave(Unsubscribe)] == [asked]
    assert prod.rollout.attempt.phase is Phase.DEPLOYMENT


def test_a_rollback_begins_afresh_whatever_went_wrong_before():
    """Errors and refusals were those of the version that is left."""
    prod = Instance().with_good(1, "1.0").offer(2, "1.1")
    for _ in range(6):
        prod.applied("try again").wait(MINUTE)
    prod.applied("refused", terminal=True)
    assert prod.applies[-1] == "spec-1.0", "at once"
    assert (prod.applying.errors, prod.applying.error) == (0, "")
    assert prod.receive(Woken()).condition == "rolling-back"
    assert not any(event.kind == "rollback-failed" for event in prod.events)


def test_the_end_of_the_apply_that_was_under_way_says_nothing_about_the_rollback():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").roll_back().applied("no such image", terminal=True)
    assert (prod.condition, prod.applies[-1]) == ("rolling-back", "spec-1.0")
    same = Instance().offer(1, "1.0", spec="s").applied()
    same.receive(same.look_at("s", "1.0")).configure(checks=(check("alerts", Phase.DEPLOYMENT),))
    same.offer(2, "1.1", urgent=True).offer(3, "1.0", spec="s", urgent=True)
    assert same.applies == ["s", "spec-1.1"], "one at a time"
    same.applied("no such image", terminal=True)
    assert (same.target, same.applies[-1], same.vetoed) == ("1.0", "s", set())


def test_going_back_is_told_since_it_began():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").wait(MINUTE).applied("broken", terminal=True)
    assert {reason.since for reason in prod.explained} == {prod.now}


def test_a_rollback_by_hand_ends_what_failed_and_could_not_go_back_by_itself():
    prod = Instance().with_good(1, "1.0").configure(auto_rollback=False).offer(2, "1.1").applied("broken", terminal=True)
    assert prod.condition == "failed"
    prod.roll_back(prod.make(1, "1.0"))
    assert prod.comes_up("1.0").good == "1.0"
    assert prod.maybe_failure is None


def test_a_breaker_that_tripped_is_about_the_version_that_was_left():
    prod = Instance(drift=DriftPolicy(breaker=1)).with_good(1, "1.0").with_good(2, "1.1").wait(MINUTE)
    for _ in range(3):
        prod.observed("1.1", difference="a").wait(MINUTE)
        if prod.applying.operation:
            prod.applied()
    assert prod.breaker.tripped
    assert prod.roll_back().maybe_breaker is None


@pytest.mark.parametrize("good", ["1.0", ""])
def test_a_rollback_is_told_by_the_attempt_that_goes_back(good: str):
    prod = Instance().with_good(1, "1.0").offer(2, "1.1") if good else Instance().offer(2, "1.1")
    prod.applied("broken", terminal=True)
    (event,) = [event for event in prod.events if event.kind == ("rolling-back" if good else "failed")]
    assert (event.release, event.version, event.phase, event.attempt) == (2, "1.1", "deployment", prod.life.attempts)
