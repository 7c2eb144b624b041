"""Which release an instance wants: forward only, by its strategy, unless a person goes back."""

from __future__ import annotations

import pytest
from tests.core.dsl import Instance, after, approval, check, hours, version
from tests.core.dsl.situations import mirror

from setpoint.core.facts import Finalization, InstanceStatus
from setpoint.core.instance.status import listened
from setpoint.model.people import ENGINE
from setpoint.model.policy import Accepts, Phase, Strategy
from setpoint.model.release import Pair
from setpoint.model.time import HOUR, MINUTE


def test_nothing_is_applied_before_the_first_rollout():
    prod = Instance()
    assert (prod.target, prod.applies, prod.condition) == ("", [], "empty")
    assert prod.waits_for("nothing has been released here yet")


def test_an_instance_without_a_policy_only_remembers():
    prod = Instance(configured=False).offer(1, "1.0")
    assert (prod.applies, prod.condition, prod.desired) == ([], "empty", "")
    assert prod.waits_for("not configured yet")
    prod.configure()
    assert prod.target == "1.0"


def test_the_newest_release_is_rolled_out_and_finalized():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1")
    assert (prod.target, prod.good, prod.condition, prod.reasons) == ("1.1", "1.1", "converged", [])
    assert prod.desired == "1.1"


def test_a_release_older_than_the_frontier_is_not_taken():
    prod = Instance().with_good(2, "1.1").offer(1, "1.0")
    assert (prod.target, prod.wanted) == ("1.1", "")


def test_the_same_release_twice():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").offer(1, "1.0")
    assert len(prod.offers) == 1
    assert prod.life.attempts == 1


def test_a_release_that_changes_nothing():
    prod = Instance().with_good(1, "1.0").offer(2, "1.0-again", spec="spec-1.0")
    assert (prod.good, prod.applies) == ("1.0-again", ["spec-1.0"])


def test_newest_waits_for_the_newest_though_an_older_one_is_ready():
    prod = Instance(strategy=Strategy.NEWEST, orderings=(after(),))
    prod.offer(1, "1.0").offer(2, "1.1").upstream("staging", "1.0")
    assert (prod.wanted, prod.target) == ("1.1", "")


def test_newest_ready_takes_the_newest_that_is_ordered():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").offer(2, "1.1").offer(3, "1.2").upstream("staging", "1.0", "1.1")
    assert prod.target == "1.1"


def test_newest_ready_prefers_what_is_approved():
    prod = Instance(orderings=(after(),), approvals=(approval(),))
    prod.offer(1, "1.0").offer(2, "1.1").upstream("staging", "1.0", "1.1")
    assert prod.wanted == "1.1"
    prod.approve("ann", release=1)
    assert prod.target == "1.0"


def test_newest_ready_falls_back_to_the_newest():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").offer(2, "1.1")
    assert prod.wanted == "1.1"


def test_an_older_never_run_release_after_a_rollback():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "1.0").comes_up("1.0")
    prod.offer(2, "1.1").offer(3, "1.2").upstream("staging", "1.0", "1.2")
    assert prod.target == "1.2"
    prod.applied("no such image", terminal=True)
    prod.comes_up("1.0").upstream("staging", "1.0", "1.1", "1.2")
    assert (prod.target, prod.good, prod.wanted) == ("1.0", "1.0", "")
    assert prod.waits_for("1.2 is vetoed here")


def test_a_re_released_old_good_version_fails():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").offer(3, "1.0").applied("broken", terminal=True)
    assert (prod.target, prod.vetoed) == ("1.1", {3})
    prod.comes_up("1.1")
    assert prod.condition == "vetoed"


def test_a_release_naming_a_vetoed_version_on_purpose_lifts_the_veto():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0")
    assert prod.vetoed == {2}
    prod.offer(3, "1.1")
    assert (prod.target, prod.vetoed) == ("1.1", set())


def test_a_release_made_by_a_changed_configuration_lifts_no_veto():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0")
    prod.offer(3, "1.1", automatic=True, author=ENGINE.person)
    assert (prod.target, prod.vetoed) == ("1.0", {2})


# --- mirrors ------------------------------------------------------------------------------------------------------------


def test_a_mirror_follows_the_good_of_its_channel_and_goes_back_with_it():
    prod = mirror().offer(1, "1.0").offer(2, "1.1")
    assert prod.waits_for("mirrors production, which has finalized nothing yet")
    prod.upstream("production", "1.0", "1.1", good=2, change=1).comes_up("1.1")
    assert prod.good == "1.1"
    prod.upstream("production", good=1, change=2).comes_up("1.0")
    assert (prod.good, prod.condition) == ("1.0", "converged")


def test_a_mirror_finds_the_version_under_another_release():
    prod = mirror().offer(1, "1.0")
    prod.upstream("production", good=7, version=prod.make(7, "1.0").version, change=1)
    assert prod.target == "1.0"


def test_a_mirror_that_does_not_know_the_version_says_so():
    prod = mirror().upstream("production", good=7, version=Instance().make(7, "1.0").version, change=1)
    assert prod.waits_for("the version that production runs is not known here")


def test_a_mirror_of_what_failed_here_waits_for_a_change():
    prod = mirror().offer(1, "1.0").upstream("production", good=1, change=1).applied("broken", terminal=True)
    prod.retry().applied("broken", terminal=True)
    assert prod.condition == "failed"
    prod.upstream("production", good=1, change=1, number=9)
    assert prod.target == "1.0"


def test_a_mirror_gone_back_to_good_says_what_failed_here():
    prod = mirror().offer(1, "1.0").offer(2, "1.1").upstream("production", good=1, change=1).comes_up("1.0")
    prod.upstream("production", good=2, change=2).applied("broken", terminal=True).comes_up("1.0")
    assert prod.waits_for("1.1, which production runs, failed here")


def test_an_approval_on_a_mirror_binds_to_the_change():
    prod = mirror(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").upstream("production", "1.0", "1.1", good=2, change=1)
    prod.approve("ann", change=1).comes_up("1.1")
    prod.upstream("production", good=1, change=2)
    assert (prod.wanted, prod.target) == ("1.0", "1.1")
    prod.approve("ann", change=2)
    assert prod.target == "1.0"


# --- accepts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepts", "taken"),
    [
        (Accepts(max_step="minor"), "1.2.0"),
        (Accepts(max_step="patch"), "1.1.1"),
        (Accepts(min_step="major"), "2.0.0"),
        (Accepts(range="<1.2"), "1.1.1"),
        (Accepts(), "2.0.0"),
    ],
)
def test_accepts_narrows_by_range_and_step(accepts: Accepts, taken: str):
    prod = Instance(accepts=accepts).with_good(1, "1.1.0")
    prod.configure(accepts=accepts, orderings=(after(),))
    for release, name in enumerate(("1.1.1", "1.2.0", "2.0.0"), 2):
        prod.offer(release, name)
    prod.upstream("staging", "1.1.1", "1.2.0", "2.0.0")
    assert prod.target == taken


def test_without_good_every_step_passes():
    assert Instance(accepts=Accepts(max_step="patch")).offer(1, "7.0.0").target == "7.0.0"


def test_a_step_that_cannot_be_told_is_refused():
    prod = Instance(accepts=Accepts(max_step="minor")).with_good(1, "blue").offer(2, "green")
    assert prod.target == "blue"


def test_the_same_version_again_is_no_step():
    prod = Instance(accepts=Accepts(min_step="minor")).with_good(1, "1.0.0").offer(2, "1.0.0", spec="other-config")
    assert prod.life.target == Pair(2)


# --- a slow gate and frequent releases ------------------------------------------------------------------------------------


def test_a_candidate_whose_first_check_runs_is_not_replaced_and_goes_on_when_it_passes():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0").offer(2, "1.1")
    assert prod.wanted == "1.0"
    prod.passing("load").applied()
    assert (prod.target, prod.wanted) == ("1.0", "1.1")


def test_one_whose_check_passes_but_which_waits_at_the_next_gate_is_replaced_in_the_same_turn():
    prod = Instance(checks=(check("load", Phase.PRE_APPROVAL),), calendars=(hours(9, 10),)).offer(1, "1.0").offer(2, "1.1")
    assert prod.wanted == "1.0"
    assert prod.passing("load").wanted == "1.1"


def test_an_urgent_release_replaces_it_all_the_same():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0").offer(2, "1.1", urgent=True)
    assert prod.wanted == "1.1"


def test_a_candidate_whose_check_says_no_is_replaced():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0").blocking("load").offer(2, "1.1")
    assert prod.wanted == "1.1"


def test_a_candidate_that_accepts_no_longer_takes_is_replaced():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0.0")
    prod.configure(checks=(check("load"),), accepts=Accepts(range=">=1.1")).offer(2, "1.1.0")
    assert prod.wanted == "1.1.0"


def test_the_end_of_a_soak_changes_what_is_picked_by_the_clock_alone():
    prod = Instance(orderings=(after(soak=10 * MINUTE),)).offer(1, "1.0").offer(2, "1.1").upstream("staging", "1.0")
    assert prod.wanted == "1.1"
    prod.wait(10 * MINUTE)
    assert prod.target == "1.0"


# --- forward only ---------------------------------------------------------------------------------------------------------


def test_without_anything_newer_the_frontier_itself_is_wanted():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").pin(1, "1.0").comes_up("1.0")
    assert prod.unpin().target == "1.1"


def test_a_vetoed_frontier_starts_nothing():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0")
    prod.pin(1, "1.0").unpin()
    assert (prod.frontier, prod.target, prod.wanted) == (2, "1.0", "")


def test_pins_and_rollbacks_leave_the_frontier_alone():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").with_good(3, "1.2")
    prod.pin(1, "1.0").comes_up("1.0").unpin()
    prod.comes_up("1.2").roll_back().comes_up("1.0")
    assert (prod.frontier, prod.good) == (3, "1.0")


def test_a_pin_of_something_newer_starts_no_frontier():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").approve("ann").comes_up("1.0").pin(7, "1.7")
    prod.approve("ann", release=7).comes_up("1.7")
    assert (prod.good, prod.frontier) == ("1.7", 1)


def test_approvals_may_be_given_to_any_release_newer_than_the_frontier():
    """Whoever approves the one before the newest is heard at once, and a yes is not wasted."""
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1")
    topics = {topic.rpartition("#")[2] for topic in listened(prod.policy, prod.life, removed=False) if topic.startswith("topic:")}
    assert topics == {"1", "2"}
    assert prod.approve("ann", release=1).target == "1.0"


def test_a_slow_channel_is_not_starved_by_a_fast_one_before_it():
    """Staging finalizes a release every hour and each soaks for two: production takes those that are through."""
    prod, done, taken = Instance(orderings=(after(soak=2 * HOUR),)), [], []
    for release in range(1, 8):
        prod.offer(release, f"1.{release}")
        done.append(Finalization(version(f"1.{release}"), release, prod.now))
        prod.receive(InstanceStatus(instance="app/web@staging", number=release, finalized=tuple(done))).wait(HOUR)
        if prod.applying.operation:
            taken.append(prod.target)
            prod.comes_up(prod.target)
    assert taken == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]


# --- a candidate and those that come after it -----------------------------------------------------------------------------


def told_of_ends(prod: Instance) -> list[tuple[str, str, int]]:
    return [(event.text, event.outcome, event.attempt) for event in prod.events if event.kind == "attempt-ended"]


def test_every_attempt_tells_how_it_began_and_how_it_ended():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").reject("bob", why="no")
    assert [(event.text, event.attempt) for event in prod.events if event.kind == "attempt-started"] == [
        ("1.0 is wanted", 1),
        ("1.1 is wanted", 2),
        ("1.0 is wanted", 3),
    ]
    assert told_of_ends(prod) == [
        ("1.0 is replaced: by 1.1", "replaced", 1),
        ("1.1 is rejected: bob rejected it for release-manager: no", "rejected", 2),
    ]


def test_a_candidate_that_nothing_wants_any_more_says_so():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0.0")
    prod.configure(checks=(check("load"),), accepts=Accepts(range=">=1.1"))
    assert told_of_ends(prod) == [("1.0.0 is replaced: nothing newer may start", "replaced", 1)]


def test_a_candidate_whose_first_check_runs_is_replaced_when_it_is_ruled_out():
    prod = Instance(checks=(check("load"),)).offer(1, "1.0.0").offer(2, "1.1.0")
    prod.configure(checks=(check("load"),), accepts=Accepts(range=">=1.1"))
    assert prod.wanted == "1.1.0"


def test_a_candidate_that_waits_for_something_else_as_well_is_replaced():
    prod = Instance(checks=(check("load"),), calendars=(hours(9, 17),)).offer(1, "1.0").offer(2, "1.1")
    assert prod.wanted == "1.1"


def test_a_candidate_that_may_not_start_when_its_check_passes_is_replaced():
    prod = Instance(checks=(check("load"),)).hold().offer(1, "1.0").offer(2, "1.1")
    assert prod.wanted == "1.0"
    prod.passing("load")
    assert (prod.target, prod.wanted) == ("", "1.1")


def test_a_candidate_whose_check_is_only_asked_once_more_is_replaced():
    """It was through once: what it waits for is no first run."""
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").passing("alerts").wait(MINUTE).passing("load")
    assert prod.waits_for("waits for a first result of alerts")
    assert prod.offer(2, "1.1").wanted == "1.1"


def test_a_mirrored_change_is_another_attempt_though_the_version_is_the_same():
    prod = mirror(approvals=(approval(),)).offer(1, "1.0").upstream("production", good=1, change=1)
    assert prod.waits_for("waits for release-manager")
    prod.upstream("production", good=1, change=3)
    assert prod.candidate.change == 3
    assert prod.approve("ann", change=1).target == "", "an answer for the change before"
    assert prod.approve("ann", change=3).target == "1.0"
