"""Going back by hand: to what, what it takes away from others, and what is good afterwards."""

from __future__ import annotations

from tests.core.dsl import Instance, check, version
from tests.core.dsl.scopes import marked

from setpoint.core.facts import FinalizationReported, FinalizationRequested, Revoked
from setpoint.core.instance.outcomes import KEPT_NEWS
from setpoint.model.people import By
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.time import MINUTE, SECOND


def three() -> Instance:
    return Instance().with_good(1, "1.0").with_good(2, "1.1").with_good(3, "1.2")


def confirmed(prod: Instance, name: str) -> bool:
    """Whether those ordered after are told that it was finalized here."""
    return bool(
        prod.receive(FinalizationRequested(requester="instance:app/web@acme", version=version(name))).sent(FinalizationReported)
    )


def test_it_passes_over_what_is_bad():
    prod = marked(three(), bad=("1.1",)).roll_back()
    assert prod.target == "1.0"
    assert marked(Instance().with_good(1, "1.0").with_good(2, "1.1"), bad=("1.0",)).roll_back().target == "1.1", "nowhere to go"


def test_what_was_about_to_come_begins_anew_and_is_held():
    prod = three().hold().configure(checks=(check("alerts"),)).offer(4, "1.3").passing("alerts")
    prod.roll_back().comes_up("1.1")
    assert (prod.target, prod.wanted) == ("1.1", "1.3")
    assert prod.waits_for("held by ann: it is slow")
    assert prod.waits_for("waits for a first result of alerts")


def test_only_the_version_that_is_left_is_revoked():
    prod = three().roll_back().comes_up("1.1")
    assert [done.version.name for done in prod.finalized] == ["1.0", "1.1"]
    assert (confirmed(prod, "1.0"), confirmed(prod, "1.1"), confirmed(prod, "1.2")) == (True, True, False)


def test_what_was_finalized_long_ago_is_revoked_as_well():
    prod = Instance()
    for release in range(1, 25):
        prod.with_good(release, f"1.{release}")
    old = prod.make(2, "1.2")
    prod.roll_back(old).comes_up("1.2").roll_back(prod.make(3, "1.3")).comes_up("1.3")
    assert (confirmed(prod, "1.1"), confirmed(prod, "1.2"), confirmed(prod, "1.4")) == (True, False, True)
    assert prod.revoked == (Revoked(version("1.24")), Revoked(version("1.2")))


def test_what_was_left_twice_is_revoked_once_and_the_list_is_bounded():
    prod = Instance()
    for release in range(2, 50):
        prod.offer(release, f"1.{release % 20}", addressed=True).comes_up(f"1.{release % 20}")
        prod.roll_back(prod.make(1, "0.1")).comes_up("0.1")
    assert len(prod.revoked) == KEPT_NEWS
    assert len(set(prod.revoked)) == KEPT_NEWS


def test_it_is_an_attempt_of_its_own_and_record_run_assigned_beginning_to_end():
    prod = three()
    prod.roll_back().comes_up("1.1")
    told_of = [(event.kind, event.text, event.release, event.attempt, event.outcome) for event in prod.events[-2:]]
    assert told_of == [
        ("rolling-back", "goes back to 1.1: rolled back by ann: it is slow", 2, 4, ""),
        ("rolled-back", "1.1 runs again: rolled back by ann: it is slow", 2, 4, "rolled-back"),
    ]


def test_what_is_good_afterwards_is_where_it_went_and_what_was_good_before_that():
    prod = three().with_good(4, "1.3").roll_back(Instance().make(2, "1.1")).comes_up("1.1")
    assert prod.goods == (Pair(1), Pair(2))
    assert prod.roll_back().comes_up("1.0").goods == (Pair(1),)


def test_a_version_that_was_never_good_here_takes_its_place_by_its_number():
    prod = Instance().with_good(2, "1.1").with_good(4, "1.3").roll_back(Instance().make(3, "1.2")).comes_up("1.2")
    assert prod.goods == (Pair(2), Pair(3))
    assert prod.roll_back().target == "1.1"


def test_an_automatic_rollback_leaves_good_and_its_number_as_they_are():
    prod = three()
    before = (prod.goods, prod.life.change)
    prod.offer(4, "1.3").applied("broken", terminal=True).comes_up("1.2")
    assert (prod.goods, prod.life.change) == before


def test_while_it_goes_back_already_a_person_may_name_another_version():
    prod = three().offer(4, "1.3").applied("broken", terminal=True)
    began = prod.maybe_rollout
    prod.wait(SECOND).roll_back()
    assert (prod.target, prod.maybe_rollout) == ("1.2", began), "it goes there already"
    prod.roll_back(prod.make(3, "1.2"))
    assert prod.maybe_rollout == began
    prod.roll_back(prod.make(1, "1.0"))
    assert prod.waits_for("goes back to 1.0: rolled back by ann: it is slow")
    prod.applied().comes_up("1.0")
    assert prod.goods == (Pair(1),)


def test_good_that_turns_bad_on_the_way_back_begins_the_way_anew():
    """Its deadline begins again, and what was seen of the first does not count as progress of the second."""
    prod = three().offer(4, "1.3").applied("broken", terminal=True).applied().observed("1.2", healthy=None)
    for _ in range(3):
        prod.wait(30 * SECOND).observed("1.2", healthy=None)
    marked(prod, bad=("1.2",))
    rollout = prod.rollout
    assert (prod.target, rollout.idle, rollout.progress, rollout.began) == ("1.1", 0, 0, prod.now)


def test_where_there_is_nothing_better_it_goes_back_to_good_though_that_was_marked_bad():
    prod = marked(Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True), bad=("1.0",))
    assert (prod.target, prod.condition) == ("1.0", "rolling-back")
    assert prod.comes_up("1.0").condition == "bad"


def test_what_ran_before_a_failed_rollout_is_observed_again_before_it_is_called_that():
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.POST_DEPLOYMENT),))
    prod.offer(2, "1.1").comes_up("1.1").blocking("alerts").wait(MINUTE)
    assert prod.condition == "rolling-back"
    prod.applied().observed("1.1")
    assert prod.condition == "rolling-back"
    assert prod.observed("1.0").condition == "vetoed"


def test_going_back_to_what_runs_only_holds():
    prod = three()
    prod.roll_back(prod.make(3, "1.2"))
    assert (prod.target, prod.condition, prod.vetoed) == ("1.2", "held", set())


def test_one_more_word_without_a_name_does_not_turn_a_named_way_back_around():
    prod = three()
    prod.roll_back(prod.make(1, "1.0")).roll_back()
    assert prod.target == "1.0"


def test_what_was_good_before_is_so_by_the_order_of_events_not_by_number():
    prod = three().pin(1, "1.0").comes_up("1.0").unpin()
    prod.comes_up("1.2").pin(2, "1.1").comes_up("1.1")
    assert prod.goods == (Pair(1), Pair(3), Pair(2))
    assert prod.roll_back().comes_up("1.2").goods == (Pair(1), Pair(3))


def test_a_version_that_is_left_again_stands_once_among_those_revoked():
    prod = Instance().with_good(1, "1.0")
    for release in (2, 3):
        prod.offer(release, "1.1", addressed=True).comes_up("1.1").roll_back().comes_up("1.0")
    assert prod.revoked == (Revoked(version("1.1")),)


def test_the_way_back_forgets_what_is_over():
    prod = Instance()
    for release in range(1, 8):
        prod.with_good(release, f"1.{release}")
    prod.offer(8, "1.8").applied("broken", terminal=True).comes_up("1.7")
    oldest = prod.offers[0].release
    prod.roll_back().comes_up("1.6").roll_back().comes_up("1.5")
    assert [offer.release for offer in prod.offers if offer.release > 5] == [8], "what was left is not to be gone back to"
    assert oldest == 3


def test_good_that_turns_bad_on_the_way_back_is_passed_only_down_to_the_bound():
    prod = Instance().with_good(1, "1.0.0").with_good(2, "1.1.0").with_good(3, "1.2.0")
    prod.offer(4, "2.0.0", not_below="1.1.0").applied("broken", terminal=True)
    assert marked(prod, bad=("1.2.0",)).target == "1.1.0"
    marked(prod, number=2, bad=("1.2.0", "1.1.0"))
    assert (prod.target, prod.condition) == ("1.1.0", "rolling-back")


def test_what_a_person_may_not_have_is_told_with_who_asked_for_it():
    prod = Instance().with_good(1, "1.0.0").offer(2, "2.0.0", not_below="1.5.0").comes_up("2.0.0").roll_back()
    event = prod.events[-1]
    assert (event.kind, event.release, event.by) == ("signal", 2, By("ann", "it is slow"))
    assert event.text.startswith("2.0.0 stays: ")
