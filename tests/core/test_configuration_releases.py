"""Version and configuration are two axes (§10.1): releases move versions, applies move configurations, neither goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.core.dsl import START, Instance, WithTasks, a_task, after, approval, check, failed, version

from setpoint.core.facts import LineStatus, Offered, StandingOrder
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.people import By
from setpoint.model.policy import Accepts, Cadence, Strategy
from setpoint.model.release import Pair
from setpoint.model.time import HOUR, MINUTE, SECOND

FORWARD = pytest.mark.parametrize("strategy", [Strategy.NEWEST, Strategy.NEWEST_READY, Strategy.EVERY])
OF_VERSIONS = parse_selector("change=version")


def prod(**policy: Any) -> Instance:
    """4.0.0 (release 1) is good."""
    return Instance(**policy).with_good(1, "4.0.0")


def behind(**policy: Any) -> Instance:
    """4.0.0 (release 1) is good, and came from staging."""
    found = Instance(orderings=(after("staging"),), **policy).offer(1, "4.0.0").upstream("staging", "4.0.0").comes_up("4.0.0")
    assert found.good_in == "4.0.0"
    return found


def cancels(instance: Instance, *releases: int, number: int = 1) -> Instance:
    cancelled = {release: StandingOrder(By("ann"), START) for release in releases}
    return instance.receive(LineStatus(application="app", number=number, cancelled=cancelled))


def marks_bad(instance: Instance, name: str, number: int = 1) -> Instance:
    return instance.receive(LineStatus(application="app", number=number, bad={f"web/{name}": StandingOrder(By("ann"), START)}))


def configurations(instance: Instance) -> list[str]:
    """What was applied, in order: ``4.0.0/R1``."""
    return [spec.removeprefix("spec-") for spec in instance.applies]


# --- which version may come with a configuration -------------------------------------------------------------------------


def test_a_cancelled_version_that_a_configuration_was_to_bring_goes_back_and_good_takes_the_configuration():
    web = prod().offer(2, "5.0.0")
    assert web.target_in == "5.0.0"
    web.reconfigure(3, 1)
    cancels(web, 2).applied().comes_up("4.0.0")
    assert (web.target_in, web.wanted_in) == ("4.0.0/R1", "")
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"


def test_a_version_that_is_cancelled_after_the_apply_does_not_come_by_it():
    web = Instance(approvals=(approval(),)).offer(1, "4.0.0").approve("ann")
    web.comes_up("4.0.0").offer(2, "5.0.0").reconfigure(3, 1)
    assert web.wanted_in == "5.0.0/R1"
    assert cancels(web, 2).wanted_in == "4.0.0/R1"
    web.approve("ann", release=3).comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.condition) == ("4.0.0/R1", "", "converged")


def rejected() -> Instance:
    web = Instance(approvals=(approval(when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    return web.offer(2, "5.0.0").reject("ann")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(rejected, id="rejected"),
        pytest.param(lambda: prod().offer(2, "5.0.0").fails("4.0.0"), id="failed"),
        pytest.param(lambda: marks_bad(prod(), "5.0.0").offer(2, "5.0.0"), id="bad"),
    ],
)
def test_a_rejected_failed_or_bad_version_does_not_come_by_a_configuration(make: Callable[[], Instance]):
    web = make().reconfigure(3, 1)
    assert (web.target_in, web.wanted_in) == ("4.0.0/R1", "")
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.target_in) == ("4.0.0/R1", "", "4.0.0/R1")


def test_a_configuration_released_during_a_rollout_that_fails_comes_with_good():
    web = prod().offer(2, "5.0.0").reconfigure(3, 1)
    assert web.target_in == "5.0.0"
    web.fails("4.0.0")
    assert web.target_in == "4.0.0/R1"
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"
    assert configurations(web) == ["4.0.0", "5.0.0", "4.0.0", "4.0.0/R1"]


def test_a_configuration_released_during_a_rollout_that_succeeds_does_not_go_back():
    web = prod().offer(2, "5.0.0").reconfigure(3, 1).comes_up("5.0.0")
    assert web.target_in == "5.0.0/R1"
    web.comes_up("5.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("5.0.0/R1", "")
    assert configurations(web) == ["4.0.0", "5.0.0", "5.0.0/R1"]


def test_good_marked_bad_and_a_change_of_configuration_move_nothing():
    web = Instance().with_good(1, "3.0.0").offer(2, "4.0.0").comes_up("4.0.0")
    marks_bad(web, "4.0.0").reconfigure(3, 1)
    assert (web.target_in, web.wanted_in, web.good_in) == ("4.0.0", "", "3.0.0")
    assert configurations(web) == ["3.0.0", "4.0.0"]
    assert web.offer(4, "5.0.0/R1", configured=1).target_in == "5.0.0/R1", "a newer version comes"


def test_the_only_good_version_marked_bad_and_a_change_of_configuration_move_nothing():
    web = marks_bad(prod(), "4.0.0").reconfigure(2, 1)
    assert (web.target_in, web.wanted_in, configurations(web)) == ("4.0.0", "", ["4.0.0"])


def test_a_failed_target_that_was_not_rolled_back_takes_no_configuration_with_an_older_version():
    web = prod(auto_rollback=False).offer(2, "5.0.0").fails().reconfigure(3, 1)
    assert (web.target_in, web.wanted_in, web.good_in) == ("5.0.0", "", "4.0.0")
    assert web.offer(4, "6.0.0/R1", configured=1).target_in == "6.0.0/R1", "a newer version comes, in that configuration"


def test_a_task_that_cannot_be_undone_is_not_passed_by_a_configuration_release():
    web = WithTasks(tasks=(a_task(irreversible=True, when=OF_VERSIONS),)).offer(1, "4.0.0").succeeds().comes_up("4.0.0")
    web.offer(2, "5.0.0").succeeds()
    assert web.target_in == "5.0.0"
    web.applied("refused", terminal=True).reconfigure(3, 1)
    assert (web.target_in, web.wanted_in) == ("5.0.0", "")
    assert web.waits_for("cannot be undone")


@FORWARD
def test_the_newest_is_cancelled_and_the_older_pending_one_is_kept(strategy: Strategy):
    web = Instance(approvals=(approval(),), strategy=strategy).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").offer(3, "6.0.0").reconfigure(4, 1)
    assert cancels(web, 3).wanted_in == "5.0.0/R1"
    assert web.approve("ann", release=2).target_in == "5.0.0", "in its own configuration it needs one approval only"
    web.comes_up("5.0.0").approve("ann", release=4)
    assert (web.target_in, web.wanted_in) == ("5.0.0/R1", "")


def test_the_newest_failed_and_an_older_version_that_never_ran_is_not_revived():
    web = Instance(approvals=(approval(when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").offer(3, "6.0.0").approve("ann", release=3).fails("4.0.0")
    web.reconfigure(4, 1).approve("ann", release=2).comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.target_in) == ("4.0.0/R1", "", "4.0.0/R1")


# --- orderings -----------------------------------------------------------------------------------------------------------


def test_staging_took_a_newer_release_to_itself_and_production_still_gets_the_configuration():
    web = behind().reconfigure(3, 1)
    assert (web.wanted_in, web.codes) == ("4.0.0/R1", ["ordering-not-met"])
    web.upstream("staging", "4.0.0", "5.0.0", good=2, frontier=2)
    assert (web.target_in, web.codes) == ("4.0.0", ["ordering-not-met"])
    assert (
        web.upstream("staging", "4.0.0", "5.0.0", "5.0.0/R1", good=2, frontier=2, configuration_frontier=1).target_in
        == "4.0.0/R1"
    )


def test_staging_has_nothing_and_production_gets_the_configuration():
    web = Instance(orderings=(after("staging"),)).offer(1, "4.0.0").skip(1, "after").comes_up("4.0.0")
    web.reconfigure(2, 1)
    assert (web.target_in, web.wanted_in) == ("4.0.0", "4.0.0/R1")
    assert web.upstream("staging", abstains=(2,)).target_in == "4.0.0/R1"


def test_an_instance_that_has_nothing_takes_no_part():
    web = Instance().reconfigure(2, 1)
    assert (web.published.abstains, web.wanted, web.target) == ((2,), "", "")


def test_a_hot_fix_that_staging_never_had_gets_the_configuration():
    web = behind().offer(2, "4.0.1", urgent=True).skip(2, "after").comes_up("4.0.1").reconfigure(3, 1)
    assert (web.target_in, web.wanted_in, web.codes) == ("4.0.1", "4.0.1/R1", ["ordering-not-met"])
    assert web.upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1).target_in == "4.0.1/R1"


def test_an_adopted_version_gets_the_configuration():
    web = Instance()
    web.receive(Offered(offer=web.make(1, "4.0.0", adopt=True))).observed("4.0.0")
    assert web.good_in == "4.0.0"
    assert web.reconfigure(2, 1).target_in == "4.0.0/R1"
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"


@FORWARD
def test_a_pending_version_that_cannot_come_does_not_hold_the_configuration_of_good(strategy: Strategy):
    web = behind(strategy=strategy).offer(2, "5.0.0").reconfigure(3, 1)
    web.upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1)
    assert (web.target_in, web.wanted_in) == ("4.0.0/R1", "5.0.0/R1")
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R1", "5.0.0/R1", ["ordering-not-met"])
    web.upstream("staging", "4.0.0", "4.0.0/R1", "5.0.0/R1", good=2, configuration_frontier=1, frontier=2)
    assert web.target_in == "5.0.0/R1"


def test_a_configuration_soaks_from_when_its_revision_was_finalized_first():
    web = Instance(orderings=(after("staging", soak=HOUR),)).offer(1, "4.0.0").skip(1, "after").comes_up("4.0.0")
    web.reconfigure(2, 1).upstream("staging", "5.0.0/R1", good=1, configuration_frontier=1)
    assert (web.target_in, web.codes) == ("4.0.0", ["ordering-not-met"])
    web.wait(30 * MINUTE).upstream("staging", "5.1.0/R1", good=2, configuration_frontier=1)
    assert web.target_in == "4.0.0"
    assert web.wait(30 * MINUTE).target_in == "4.0.0/R1"


def test_a_pair_that_failed_upstream_does_not_go_downstream():
    web = behind().offer(2, "5.0.0").reconfigure(3, 1)
    web.upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1).comes_up("4.0.0/R1")
    pair = failed(2, "5.0.0/R1", 1, configuration=3)
    web.upstream("staging", "4.0.0", "4.0.0/R1", "5.0.0", good=1, configuration_frontier=1, frontier=2, rolled_back=(pair,))
    assert (web.target_in, web.wanted_in, set(web.codes)) == ("4.0.0/R1", "5.0.0/R1", {"ordering-not-met"})
    web.upstream("staging", "4.0.0", "4.0.0/R1", "5.0.0", "5.0.0/R1", good=2, configuration_frontier=1, frontier=2)
    assert web.target_in == "5.0.0/R1", "it was tried again there, and finalized"


def test_an_instance_that_is_held_and_to_which_nothing_changes_holds_up_no_later_channel():
    staging = prod().hold().reconfigure(2, 1, unchanged=(1,))
    assert staging.published.abstains == (2,)
    web = behind().reconfigure(2, 1).upstream("staging", "4.0.0", abstains=(2,), good=1)
    assert web.target_in == "4.0.0/R1"


# --- approvals and other gates -------------------------------------------------------------------------------------------


@FORWARD
def test_good_gets_the_configuration_while_a_version_waits_for_its_approval(strategy: Strategy):
    web = Instance(approvals=(approval(when=OF_VERSIONS),), strategy=strategy).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").reconfigure(3, 1)
    assert (web.target_in, web.wanted_in) == ("4.0.0/R1", "5.0.0/R1")
    web.comes_up("4.0.0/R1")
    assert (web.wanted_in, web.codes) == ("5.0.0/R1", ["approval-missing"])
    assert web.approve("ann", release=2).target_in == "5.0.0/R1"


def test_an_approval_of_a_pending_version_counts_after_a_change_of_configuration():
    web = Instance(approvals=(approval(min=2, when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").approve("bob")
    web.comes_up("4.0.0").offer(2, "5.0.0").approve("ann", release=2).reconfigure(3, 1).comes_up("4.0.0/R1")
    assert (web.wanted_in, web.waits_for("1 of 2 given")) == ("5.0.0/R1", True)
    assert web.approve("bob", release=2).target_in == "5.0.0/R1"


def test_an_approval_for_releases_by_a_person_is_asked_for_a_pending_version_in_a_new_configuration():
    web = Instance(approvals=(approval(when=parse_selector("by=person")),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").reconfigure(3, 1).comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R1", "5.0.0/R1", ["approval-missing"])
    assert web.approve("ann", release=2).target_in == "5.0.0/R1"


def test_the_author_of_a_pending_version_may_not_approve_it_in_a_new_configuration():
    web = Instance(approvals=(approval(),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0", author="bob").reconfigure(3, 1, author="ann")
    web.approve("bob", release=2).approve("ann", release=3)
    assert (web.target_in, web.good_in) == ("4.0.0", "4.0.0"), "each is an author of what they approved"
    web.approve("bob", release=3)
    assert web.target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1").approve("ann", release=2)
    assert web.target_in == "5.0.0/R1"


def test_urgent_and_labels_stay_with_the_version():
    regulated = approval(when=parse_selector("release.regulated=yes"))
    web = Instance(approvals=(regulated,)).offer(1, "4.0.0", labels={"regulated": "yes"}, urgent=True).approve("ann")
    assert web.comes_up("4.0.0").reconfigure(2, 1).target_in == "4.0.0/R1", "the configuration has no labels"
    web.comes_up("4.0.0/R1").offer(3, "5.0.0/R1", configured=1, labels={"regulated": "yes"}).reconfigure(4, 2)
    web.comes_up("4.0.0/R2")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R2", "5.0.0/R2", ["approval-missing"])


def test_a_configuration_of_an_urgent_version_takes_over_from_no_healthy_rollout():
    web = Instance().offer(1, "4.0.0", urgent=True).comes_up("4.0.0").reconfigure(2, 1)
    assert web.reconfigure(3, 2).target_in == "4.0.0/R1"
    assert web.wanted_in == "4.0.0/R2"
    assert web.comes_up("4.0.0/R1").target_in == "4.0.0/R2"


def test_one_approval_of_a_version_is_enough_under_endless_changes_of_configuration():
    web = Instance(approvals=(approval(when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0").offer(2, "5.0.0")
    for configured in range(1, 30):
        web.reconfigure(configured + 2, configured).comes_up(f"4.0.0/R{configured}")
        assert (web.good_in, web.wanted_in) == (f"4.0.0/R{configured}", f"5.0.0/R{configured}")
    web.reconfigure(32, 30).approve("ann", release=2).comes_up("4.0.0/R30")
    assert web.target_in == "5.0.0/R30"


@FORWARD
def test_no_strategy_is_starved_by_changes_of_configuration(strategy: Strategy):
    """Every attempt needs a check whose first run takes longer than the next change of configuration does."""
    web = Instance(checks=(check("load"),), strategy=strategy).offer(1, "4.0.0").passing("load").comes_up("4.0.0")
    web.offer(2, "5.0.0")
    for configured in range(1, 8):
        web.reconfigure(configured + 2, configured).wait(10 * SECOND)
    web.passing("load")
    assert web.target_in.partition("/")[0] == "5.0.0"


def test_each_version_begins_though_the_configuration_changes_during_every_rollout():
    web = prod(strategy=Strategy.NEWEST)
    for release in range(2, 12, 2):
        configured = release // 2
        web.offer(release, f"{release}.0.0/R{configured - 1}" if configured > 1 else "2.0.0", configured=configured - 1)
        assert web.target == f"{release}.0.0"
        web.reconfigure(release + 1, configured).comes_up(web.target_in).comes_up(web.target_in)
        assert web.good_in == f"{release}.0.0/R{configured}"


# --- trains, manual channels, accepted versions, cadence ------------------------------------------------------------------


def test_a_train_is_not_slowed_by_changes_of_configuration():
    web = prod(strategy=Strategy.EVERY).offer(2, "5.0.0").offer(3, "6.0.0").reconfigure(4, 1)
    web.comes_up("5.0.0").reconfigure(5, 2)
    web.comes_up(web.target_in)
    assert configurations(web) == ["4.0.0", "5.0.0", "6.0.0/R1", "6.0.0/R2"]


def test_a_stopped_train_takes_configuration():
    web = prod(strategy=Strategy.EVERY).offer(2, "5.0.0").offer(3, "6.0.0").fails("4.0.0")
    assert web.waits_for("the train stops at 5.0.0")
    assert web.reconfigure(4, 1).target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R1", "", ["train-stopped"])
    assert web.retry(2).target_in == "5.0.0/R1"


@FORWARD
def test_the_fix_of_a_failed_configuration_passes_it(strategy: Strategy):
    web = prod(strategy=strategy).reconfigure(2, 1).fails("4.0.0")
    assert (web.good_in, web.target_in, web.wanted_in, web.codes) == ("4.0.0", "4.0.0", "", ["vetoed"])
    assert web.reconfigure(3, 2).target_in == "4.0.0/R2"
    assert web.comes_up("4.0.0/R2").good_in == "4.0.0/R2"


def test_a_train_goes_on_past_a_version_that_failed_upstream_in_the_configuration_in_force():
    web = (
        behind(strategy=Strategy.EVERY)
        .reconfigure(2, 1)
        .upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1)
    )
    web.comes_up("4.0.0/R1").offer(3, "5.0.0/R1", configured=1).offer(4, "6.0.0/R1", configured=1)
    pair = failed(3, "5.0.0/R1", 1)
    web.upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1, frontier=3, rolled_back=(pair,))
    assert (web.target_in, web.wanted_in, web.codes) == ("4.0.0/R1", "5.0.0/R1", ["ordering-not-met"]), (
        "it may be tried again there"
    )
    web.upstream("staging", "4.0.0/R1", "6.0.0/R1", good=4, configuration_frontier=1, frontier=4, rolled_back=(pair,))
    assert web.target_in == "6.0.0/R1"


def test_a_version_that_was_finalized_upstream_before_a_configuration_broke_it_drops_out_of_the_train():
    web = behind(strategy=Strategy.EVERY).offer(2, "5.0.0").reconfigure(3, 1)
    web.upstream("staging", "4.0.0", "4.0.0/R1", good=1, configuration_frontier=1).comes_up("4.0.0/R1").offer(
        4, "6.0.0/R1", configured=1
    )
    pair = failed(2, "5.0.0/R1", 1, configuration=3, kept=True)
    web.upstream("staging", "5.0.0", "4.0.0/R1", good=2, configuration_frontier=1, frontier=2, rolled_back=(pair,))
    assert (web.target_in, web.wanted_in) == ("4.0.0/R1", "5.0.0/R1")
    web.upstream("staging", "5.0.0", "6.0.0/R1", good=4, configuration_frontier=1, frontier=4, rolled_back=(pair,))
    assert web.target_in == "6.0.0/R1"


def test_a_manual_channel_takes_configuration_and_no_version_that_was_not_sent_to_it():
    web = Instance(strategy=Strategy.MANUAL).offer(1, "4.0.0", addressed=True).comes_up("4.0.0")
    web.offer(2, "5.0.0").reconfigure(3, 1).comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("4.0.0/R1", "")
    web.offer(4, "6.0.0/R1", configured=1, addressed=True)
    assert web.target_in == "6.0.0/R1"


def test_a_narrowed_range_does_not_stop_configuration():
    web = prod().offer(2, "5.0.0").comes_up("5.0.0").configure(accepts=Accepts("<5")).offer(3, "6.0.0").reconfigure(4, 1)
    assert web.target_in == "5.0.0/R1"
    web.comes_up("5.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("5.0.0/R1", "")


DAILY = Cadence(Calendar("daily", open=(Window(hours=(0, 6 * 60)),)), "UTC")


def test_a_configuration_waits_for_a_cadence_and_uses_none_of_its_slots():
    web = prod(cadence=DAILY).wait(8 * HOUR).reconfigure(2, 1)
    assert (web.target_in, web.wanted_in) == ("4.0.0", "4.0.0/R1"), "its window is closed"
    web.wait(17 * HOUR)
    assert web.target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1").offer(3, "5.0.0/R1", configured=1)
    assert web.target_in == "5.0.0/R1", "the slot of this day was still free"
    web.comes_up("5.0.0/R1").reconfigure(4, 2)
    assert web.target_in == "5.0.0/R2", "nor does it need one"


# --- tasks ---------------------------------------------------------------------------------------------------------------


def migrated(**more: Any) -> WithTasks:
    web = WithTasks(tasks=(a_task(options={"args": ["${params.schema}"]}),))
    web.offer(1, "4.0.0", parameters={"schema": 1}).succeeds().comes_up("4.0.0")
    assert (web.good_in, web.tried) == ("4.0.0", ["migrate"])
    return web


def test_an_attempt_that_changes_only_the_configuration_does_not_repeat_a_migration():
    web = migrated().reconfigure(2, 1, parameters={"schema": 1})
    assert (web.target_in, web.tried) == ("4.0.0/R1", ["migrate"])


def test_a_migration_whose_arguments_changed_runs():
    web = migrated().reconfigure(2, 1, parameters={"schema": 2})
    assert (web.target_in, web.tried) == ("4.0.0", ["migrate", "migrate"])
    assert web.succeeds().target_in == "4.0.0/R1"


# --- pins and rollbacks by hand ------------------------------------------------------------------------------------------


def pinned_back() -> Instance:
    """5.0.0 was finalized, and 4.0.0 is pinned and good again."""
    web = prod().offer(2, "5.0.0").comes_up("5.0.0").pin(1, "4.0.0").comes_up("4.0.0")
    assert (web.good_in, web.target_in) == ("4.0.0", "4.0.0")
    return web


def test_a_pinned_instance_gets_the_configuration_with_its_pin():
    web = pinned_back().reconfigure(3, 1)
    assert web.target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("4.0.0/R1", "")


def test_a_pin_begins_no_attempt_at_what_a_rollback_that_fails_goes_back_to():
    """§5: a rollback that fails is loud, and tried again; an attempt at the same pair would only hide it."""
    web = pinned_back().reconfigure(3, 1).applied("no room", terminal=True)
    assert (web.target_in, web.wanted_in) == ("4.0.0", ""), "it goes back, and nothing else is wanted"
    assert web.maybe_candidate is None
    web.applied("no room", terminal=True)
    assert web.condition == "rollback-failed"
    assert web.wait(HOUR).maybe_candidate is None
    assert web.condition == "rollback-failed"
    assert web.comes_up("4.0.0").condition == "converged"


@FORWARD
def test_unpin_after_a_configuration_goes_to_the_frontier_in_the_newest_one(strategy: Strategy):
    web = pinned_back().configure(strategy=strategy).reconfigure(3, 1).comes_up("4.0.0/R1").unpin()
    assert web.target_in == "5.0.0/R1"
    assert web.comes_up("5.0.0/R1").good_in == "5.0.0/R1"


def test_a_configuration_taken_with_a_pin_ends_with_the_pin():
    web = pinned_back().configure(checks=(check("load"),)).reconfigure(3, 1)
    assert (web.wanted_in, web.target_in) == ("4.0.0/R1", "4.0.0")
    assert web.unpin().wanted_in == "5.0.0/R1"
    assert (web.frontier, web.life.configuration_frontier) == (2, 0), "what came with a pin begins nothing"


def test_unpin_after_a_pin_forward_that_was_cancelled_does_not_go_back():
    web = Instance(strategy=Strategy.MANUAL).offer(1, "4.0.0", addressed=True).comes_up("4.0.0").offer(2, "5.0.0")
    web.pin(2, "5.0.0").comes_up("5.0.0")
    cancels(web, 2).unpin()
    assert (web.good_in, web.target_in, web.wanted_in) == ("5.0.0", "5.0.0", "")
    assert web.reconfigure(3, 1).target_in == "5.0.0/R1"


def test_unpin_of_a_train_takes_the_frontier_first():
    web = pinned_back().configure(strategy=Strategy.EVERY).offer(3, "6.0.0").reconfigure(4, 1).comes_up("4.0.0/R1").unpin()
    assert web.target_in == "5.0.0/R1"
    assert web.comes_up("5.0.0/R1").target_in == "6.0.0/R1"


def test_unpin_of_newest_takes_what_is_newer_than_the_frontier():
    web = pinned_back().configure(strategy=Strategy.NEWEST).offer(3, "6.0.0").reconfigure(4, 1).comes_up("4.0.0/R1").unpin()
    assert web.target_in == "6.0.0/R1"


def test_an_approval_of_the_frontier_counts_after_unpin():
    web = Instance(approvals=(approval(when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").approve("ann").comes_up("5.0.0").pin(1, "4.0.0").approve("bob", release=1)
    assert web.comes_up("4.0.0").good_in == "4.0.0"
    assert web.unpin().target_in == "5.0.0"


def test_a_cancelled_or_bad_frontier_is_not_taken_after_unpin():
    assert cancels(pinned_back(), 2).unpin().target_in == "4.0.0"
    assert marks_bad(pinned_back(), "5.0.0").unpin().target_in == "4.0.0"


def test_after_a_rollback_by_hand_a_change_of_configuration_keeps_what_was_gone_back_to():
    web = prod().offer(2, "5.0.0").comes_up("5.0.0").roll_back().comes_up("4.0.0")
    assert web.good_in == "4.0.0"
    web.reconfigure(3, 1)
    assert (web.target_in, web.codes) == ("4.0.0", ["held"])
    web.resume()
    assert web.target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("4.0.0/R1", "")


def test_a_rollback_by_hand_upstream_revokes_every_configuration_of_the_version():
    staging = prod().offer(2, "5.0.0").comes_up("5.0.0").reconfigure(3, 1).comes_up("5.0.0/R1")
    staging.roll_back(staging.make(1, "4.0.0"))
    (revoked,) = staging.published.revoked
    assert all(revoked.covers(version(name)) for name in ("5.0.0", "5.0.0/R1", "5.0.0/R2"))
    assert not revoked.covers(version("4.0.0"))
    web = behind().offer(2, "5.0.0").reconfigure(3, 1)
    web.upstream(
        "staging", "4.0.0", "4.0.0/R1", "5.0.0", "5.0.0/R1", good=1, configuration_frontier=1, frontier=2, revoked=(revoked,)
    )
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in) == ("4.0.0/R1", "5.0.0/R1")
    assert set(web.codes) == {"ordering-not-met"}


def test_a_rollback_by_hand_to_the_same_version_revokes_only_the_configuration():
    staging = prod().offer(2, "5.0.0").comes_up("5.0.0").reconfigure(3, 1).comes_up("5.0.0/R1").roll_back()
    assert staging.target_in == "5.0.0"
    (revoked,) = staging.published.revoked
    assert (revoked.covers(version("5.0.0/R1")), revoked.covers(version("5.0.0"))) == (True, False)
    web = behind().offer(2, "5.0.0").reconfigure(3, 1)
    web.upstream("staging", "4.0.0", "5.0.0", "5.0.0/R1", good=2, frontier=2, revoked=(revoked,))
    assert web.target_in == "5.0.0"
    web.comes_up("5.0.0")
    assert (web.good_in, web.wanted_in, set(web.codes)) == ("5.0.0", "5.0.0/R1", {"ordering-not-met"})
    staging.comes_up("5.0.0").resume()
    assert (staging.target_in, staging.wanted_in) == ("5.0.0", ""), "the configuration is vetoed there"
    assert staging.reconfigure(4, 2).target_in == "5.0.0/R2"


# --- vetoes --------------------------------------------------------------------------------------------------------------


def test_a_pending_version_that_is_broken_is_not_tried_again_at_each_apply():
    web = prod().offer(2, "5.0.0").fails("4.0.0")
    for configured in range(1, 6):
        web.reconfigure(configured + 2, configured).comes_up(f"4.0.0/R{configured}")
    assert configurations(web) == ["4.0.0", "5.0.0", "4.0.0", *(f"4.0.0/R{configured}" for configured in range(1, 6))]


def test_a_version_that_failed_with_a_configuration_is_vetoed_in_every_configuration():
    web = Instance(approvals=(approval(when=OF_VERSIONS),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").reconfigure(3, 1).comes_up("4.0.0/R1").approve("ann", release=2)
    assert web.target_in == "5.0.0/R1"
    web.fails("4.0.0/R1").approve("bob", release=2).reconfigure(4, 2)
    assert web.target_in == "4.0.0/R2"
    web.comes_up("4.0.0/R2")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R2", "", ["vetoed"])


def test_a_configuration_that_failed_with_good_does_not_veto_good_or_another_version():
    web = prod().reconfigure(2, 1).fails("4.0.0")
    assert (web.good_in, web.target_in, web.condition) == ("4.0.0", "4.0.0", "vetoed")
    web.offer(3, "5.0.0/R1", configured=1)
    assert web.target_in == "5.0.0/R1"
    web.fails("4.0.0").reconfigure(4, 2)
    assert web.target_in == "4.0.0/R2"


def test_a_revision_that_is_reverted_and_applied_again_is_tried_again():
    web = prod().reconfigure(2, 1, revision="R1").fails("4.0.0").reconfigure(3, 2, revision="R0", unchanged=(1,))
    assert (web.target_in, web.wanted_in, web.life.abstains) == ("4.0.0", "", (3,)), "the revert changes nothing here"
    assert web.reconfigure(4, 3, revision="R1").target_in == "4.0.0/R1"
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"


def test_a_version_release_older_than_the_configuration_of_good_is_retried_in_the_newest_configuration():
    web = prod().offer(2, "5.0.0").fails("4.0.0").reconfigure(3, 1).comes_up("4.0.0/R1").reconfigure(4, 2).comes_up("4.0.0/R2")
    assert web.retry(2).target_in == "5.0.0/R2"


def test_a_configuration_release_is_retried_with_good():
    web = prod().reconfigure(2, 1).fails("4.0.0")
    assert web.retry(2).target_in == "4.0.0/R1"
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"


def test_a_cancelled_configuration_release_reaches_nothing_and_the_next_release_carries_it():
    web = cancels(prod(), 2).reconfigure(2, 1)
    assert (web.target_in, web.wanted_in) == ("4.0.0", "")
    assert web.offer(3, "5.0.0/R1", configured=1).target_in == "5.0.0/R1"


def test_five_applies_leave_five_versions_to_go_back_to():
    web = Instance()
    for release in range(1, 6):
        web.with_good(release, f"{release}.0.0")
    for configured in range(1, 6):
        web.reconfigure(configured + 5, configured).comes_up(f"5.0.0/R{configured}")
    assert {good.release for good in web.goods} == {1, 2, 3, 4, 5}
    assert web.good_in == "5.0.0/R5"


def test_configuration_goes_back_only_by_a_person():
    """Invariant 20: no older configuration follows a newer one without a person's act."""
    web = prod().reconfigure(4, 2, parts={1: "4.0.0", 3: "5.0.0"}).comes_up("4.0.0/R2").reconfigure(2, 1)
    assert (web.good_in, web.wanted_in) == ("4.0.0/R2", "")
    web.offer(3, "5.0.0")
    assert web.target_in == "5.0.0/R2", "it was numbered before the configuration, and comes in no older one than good has"


# --- mirrors, services, what lacks a parameter ----------------------------------------------------------------------------


def mirror(**policy: Any) -> Instance:
    source = "app/web@staging"
    web = Instance(strategy=Strategy.MIRROR, mirror=source, **policy).offer(1, "4.0.0")
    return web.upstream("staging", "4.0.0", good=1, version=version("4.0.0"), change=1).comes_up("4.0.0")


def test_a_mirror_takes_the_configuration_with_the_mirrored_good():
    web = mirror().reconfigure(2, 1)
    assert (web.good_in, web.target_in, web.wanted_in) == ("4.0.0", "4.0.0", "")
    web.upstream("staging", "4.0.0", "4.0.0/R1", good=Pair(1, 1), version=version("4.0.0/R1"), change=2)
    assert web.target_in == "4.0.0/R1"


def test_a_mirror_with_its_own_constants_gets_its_configuration():
    web = mirror().reconfigure(2, 1)
    web.upstream("staging", "4.0.0", good=1, version=version("4.0.0"), change=1, abstains=(2,))
    assert web.target_in == "4.0.0/R1"
    assert web.comes_up("4.0.0/R1").good_in == "4.0.0/R1"


def test_an_instance_takes_no_part_in_what_lacks_a_required_parameter_and_shows_why():
    web = prod().reconfigure(2, 1, lacking={1: "parameter size has no value"})
    assert (web.target_in, web.wanted_in, web.codes) == ("4.0.0", "", ["configuration-not-taken"])
    assert web.waits_for("parameter size has no value")
    assert web.life.abstains == (2,)


def test_a_configuration_keeps_the_digests_of_the_version():
    web = Instance()
    offer = web.make(1, "4.0.0", images={"web:4": "sha256:aa"})
    web.receive(Offered(offer=offer)).comes_up("4.0.0").reconfigure(2, 1)
    kept = next(one for one in web.offers if one.pair == web.life.target)
    assert (web.target_in, kept.images, kept.version.same(offer.version)) == ("4.0.0/R1", {"web:4": "sha256:aa"}, True)


def test_a_configuration_that_was_rejected_before_a_pin_would_bring_it_is_not_taken_with_the_pin():
    """The rejection counts in the turn of the pin: nothing else would wake the instance."""
    web = Instance(strategy=Strategy.MANUAL, approvals=(approval(),)).offer(1, "4.0.0", addressed=True).offer(2, "5.0.0")
    web.reconfigure(3, 1).reject("ann", release=1).reject("ann", release=3)
    assert web.wanted_in == ""
    assert web.pin(2, "5.0.0").wanted_in == "5.0.0"
    assert "5.0.0 in the configuration of release 3 is rejected: ann rejected it for release-manager" in web.history


@pytest.mark.parametrize(
    ("rolled_back", "target"), [((), "4.0.0/R1"), ((failed(1, "4.0.0/R1", 1),), "4.0.0")], ids=["nothing failed", "it failed"]
)
def test_a_channel_that_takes_no_part_holds_back_the_very_pair_that_failed_there(rolled_back: Any, target: str):
    """§10.1 Ordered: such a channel may have gone back from it, and have nothing left that it would change."""
    web = Instance(orderings=(after(),)).offer(1, "4.0.0").upstream("staging", "4.0.0").comes_up("4.0.0")
    web.upstream("staging", "4.0.0", rolled_back=rolled_back, abstains=(3,)).reconfigure(3, 1)
    assert web.target_in == target


def test_a_rollback_by_hand_of_what_was_finalized_uses_up_no_approval():
    web = Instance(approvals=(approval(),)).offer(1, "4.0.0").approve("ann").comes_up("4.0.0")
    web.offer(2, "5.0.0").approve("ann").comes_up("5.0.0").roll_back().comes_up("4.0.0")
    assert web.retry(2).resume().target_in == "5.0.0"
