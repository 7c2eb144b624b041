"""Tasks: side effects that must succeed once in an attempt. Section 4 of the algorithm, sentence by sentence."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import WithTasks, a_task, after, approval, check, hours, version
from tests.core.dsl.scopes import INCIDENT
from tests.core.dsl.tasks import RUN, Run, with_tasks

from setpoint.core.facts import (
    LineStatus,
    ScopeStatus,
    TaskFinished,
    TaskLeft,
    TaskRetried,
    TaskStatus,
    TaskWanted,
    Woken,
)
from setpoint.core.instructions import Unsubscribe
from setpoint.core.task import TaskState, operation
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.names import operation_entity, parse_task
from setpoint.model.people import By
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.tasks import TaskEnd, TaskResult, TaskStage
from setpoint.model.time import HOUR, MINUTE, SECOND

# --- before deployment -------------------------------------------------------------------------------------------------------


def test_target_moves_once_the_task_has_succeeded():
    prod = with_tasks(a_task()).offer(2, "1.1")
    assert (prod.tried, prod.target) == (["migrate"], "1.0")
    assert prod.succeeds().target == "1.1"


def test_a_task_starts_only_when_all_protections_of_the_phase_hold():
    prod = with_tasks(a_task(), checks=(check("alerts"),)).offer(2, "1.1")
    assert prod.blocking("alerts").tried == []
    assert prod.waits_for("migrate runs once everything else holds")
    assert prod.passing("alerts").tried == ["migrate"]


def test_a_task_starts_only_when_calendars_are_open():
    prod = with_tasks(a_task(), calendars=(hours(9, 17),)).offer(2, "1.1")
    assert prod.tried == []
    assert prod.wait(9 * HOUR).tried == ["migrate"]


def test_a_task_starts_only_when_orderings_and_approvals_hold():
    prod = with_tasks(a_task(), orderings=(after(),), approvals=(approval(),)).offer(2, "1.1")
    assert prod.upstream("staging", "1.1").tried == []
    assert prod.approve("ann").tried == ["migrate"]


def test_the_next_releases_migration_does_not_start_while_this_one_rolls_back():
    prod = with_tasks().offer(2, "1.1")
    prod.applied("the image is gone", terminal=True)
    assert prod.condition == "rolling-back"
    prod.configure(tasks=(a_task(),)).offer(3, "1.2")
    assert prod.tried == [], "it waits for the rollback"
    assert prod.comes_up("1.0").tried == ["migrate"]


def test_a_migration_does_not_start_while_a_rollout_is_under_way():
    prod = with_tasks().offer(2, "1.1").configure(tasks=(a_task(),)).offer(3, "1.2")
    assert prod.tried == []
    assert prod.comes_up("1.1").tried == ["migrate"]


def test_tasks_of_a_phase_run_one_after_the_other_as_written():
    prod = with_tasks(a_task("dump"), a_task("migrate")).offer(2, "1.1")
    assert prod.tried == ["dump"]
    assert prod.waits_for("migrate runs after dump")
    assert prod.succeeds("dump").tried == ["dump", "migrate"]
    assert prod.succeeds("migrate").target == "1.1"


def test_a_check_that_waits_for_a_task_is_asked_once_that_succeeded():
    prod = with_tasks(a_task(), checks=(check("db-migrated", after="migrate"),)).offer(2, "1.1")
    assert prod.tried == ["migrate"]
    assert prod.runs["db-migrated"] == 0
    assert not prod.waits_for("db-migrated")
    assert prod.succeeds().target == "1.0"
    assert prod.waits_for("first result of db-migrated")
    assert prod.passing("db-migrated").target == "1.1"


def test_afterwards_the_checks_must_hold_afresh():
    prod = with_tasks(a_task(), checks=(check("alerts"),)).offer(2, "1.1")
    prod.passing("alerts").wait(SECOND).succeeds()
    assert prod.target == "1.0", "that pass began before the task ended"
    assert prod.passing("alerts", run=prod.runs["alerts"]).target == "1.0", "so did one that was under way"
    assert prod.passing("alerts").target == "1.1"


def test_a_task_with_other_facts_does_not_concern_the_attempt():
    prod = with_tasks(a_task(when=parse_selector("urgent"))).offer(2, "1.1")
    assert (prod.tried, prod.target) == ([], "1.1")


def test_a_person_may_skip_a_task_by_its_name():
    prod = with_tasks(a_task()).offer(2, "1.1").fails_for_good()
    assert prod.skip(2, "migrate").target == "1.1"


def test_one_that_is_skipped_while_it_runs_is_waited_for():
    prod = with_tasks(a_task()).offer(2, "1.1").skip(2, "migrate")
    assert prod.target == "1.0"
    assert prod.fails().target == "1.1"


def test_one_that_leaves_the_configuration_while_it_runs_is_waited_for():
    prod = with_tasks(a_task()).offer(2, "1.1").configure(tasks=())
    assert prod.target == "1.0"
    assert prod.waits_for("waits for the end of migrate of release 2")
    assert prod.fails().target == "1.1"


def test_a_release_that_changes_nothing_runs_no_task():
    prod = with_tasks(a_task()).offer(2, "1.1", spec="spec-1.0")
    assert (prod.tried, prod.good) == ([], "1.1")


def test_rollbacks_run_and_undo_no_task():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds().comes_up("1.1")
    assert prod.good == "1.1"
    prod.roll_back().comes_up("1.0")
    assert (prod.good, prod.tried) == ("1.0", ["migrate"])


# --- under way -----------------------------------------------------------------------------------------------------------------


def test_calendars_do_not_hold_an_attempt_whose_task_has_started():
    prod = with_tasks(a_task(), calendars=(hours(0, 1),)).offer(2, "1.1")
    assert prod.wait(2 * HOUR).succeeds().target == "1.1"


def test_a_stopped_line_does_not_hold_an_attempt_whose_task_has_started():
    prod = with_tasks(a_task("dump"), a_task("migrate")).offer(2, "1.1")
    prod.receive(ScopeStatus(scope="scope:application:app", number=1, stop=INCIDENT))
    assert prod.succeeds("dump").tried == ["dump", "migrate"]
    assert prod.succeeds("migrate").target == "1.1"


def test_a_pause_and_a_hold_do_hold_it():
    prod = with_tasks(a_task()).offer(2, "1.1").hold()
    assert prod.succeeds().target == "1.0"
    assert prod.resume().target == "1.1"
    prod = with_tasks(a_task()).offer(2, "1.1")
    prod.receive(ScopeStatus(scope="scope:application:app", number=1, pause=INCIDENT))
    assert prod.succeeds().target == "1.0"


def test_no_newer_release_replaces_an_attempt_whose_task_has_started():
    prod = with_tasks(a_task()).offer(2, "1.1").fails_for_good().offer(3, "1.2")
    assert prod.wanted == "1.1"
    assert prod.tried == ["migrate"] * 4


def test_an_urgent_release_replaces_it_after_its_task_ended():
    prod = with_tasks(a_task()).offer(2, "1.1").offer(3, "1.2", urgent=True)
    assert prod.wanted == "1.1"
    prod.fails()
    assert prod.wanted == "1.2"
    assert [parse_task(operation_entity(given.operation)).release for given in prod.programs] == [2, 3]


def test_a_cancelled_release_ends_after_its_task_ended_and_is_not_tried_again():
    prod = with_tasks(a_task()).offer(2, "1.1")
    prod.receive(LineStatus(application="app", number=1, cancelled={2: INCIDENT}))
    assert prod.wanted == "1.1"
    prod.fails()
    assert prod.wanted == ""
    assert prod.wait(HOUR).tried == ["migrate"]


def test_a_rejection_counts_until_target_moves_and_ends_it_after_its_task_ended():
    prod = with_tasks(a_task(), approvals=(approval(),)).offer(2, "1.1").approve("ann").reject("bob")
    assert prod.wanted == "1.1"
    prod.succeeds()
    assert (prod.target, prod.wanted) == ("1.0", "")
    assert prod.vetoed == {2}


def test_a_rollback_by_hand_waits_for_no_task_but_the_next_start_does():
    prod = with_tasks().offer(2, "1.1").comes_up("1.1").configure(tasks=(a_task(),)).offer(3, "1.2")
    assert prod.tried == ["migrate"]
    prod.roll_back().comes_up("1.0")
    assert prod.good == "1.0"
    prod.offer(4, "1.3", addressed=True)
    assert prod.tried == ["migrate"]
    assert prod.waits_for("waits for the end of migrate of release 3, which is under way still")
    assert prod.fails().tried == ["migrate", "migrate"]


def test_a_run_that_was_left_is_not_tried_again_until_somebody_comes():
    prod = with_tasks(a_task()).offer(2, "1.1").fails()
    prod.receive(LineStatus(application="app", number=1, cancelled={2: INCIDENT}))
    assert prod.wait(HOUR).tried == ["migrate"]
    assert prod.runs_of_tasks[RUN].stage is TaskStage.WAITING


def test_the_instance_listens_until_the_run_it_left_has_ended():
    prod = with_tasks(a_task()).offer(2, "1.1").remove()
    assert RUN in prod.listening
    prod.fails()
    assert RUN not in prod.listening
    assert prod.wait(HOUR).tried == ["migrate"]


# --- retries -------------------------------------------------------------------------------------------------------------------


def test_a_failed_task_is_tried_again_three_times_with_growing_pauses():
    prod = with_tasks(a_task()).offer(2, "1.1").fails()
    assert prod.waits_for("migrate failed at try 1 of 4: the table is locked; it is tried again in")
    assert prod.tried == ["migrate"]
    assert prod.wait(7 * SECOND).tried == ["migrate"] * 2
    assert prod.fails().wait(7 * SECOND).tried == ["migrate"] * 2
    assert prod.wait(7 * SECOND).tried == ["migrate"] * 3


def test_a_retry_of_a_release_that_nobody_knows_changes_nothing():
    prod = with_tasks(a_task()).offer(2, "1.1")
    before = prod.life.tasks
    assert prod.retry(99).life.tasks == before


def test_one_that_has_used_up_its_retries_waits_for_a_persons_retry():
    prod = with_tasks(a_task()).offer(2, "1.1").fails_for_good()
    assert prod.tried == ["migrate"] * 4
    assert prod.waits_for("migrate failed at try 4 of 4: the table is locked")
    assert prod.target == "1.0"
    assert prod.retry_task().tried == ["migrate"] * 5
    assert prod.succeeds().target == "1.1"


def test_a_persons_retry_starts_nothing_while_another_gate_does_not_hold():
    prod = with_tasks(a_task(), checks=(check("alerts"),)).offer(2, "1.1").passing("alerts").fails_for_good()
    prod.blocking("alerts").retry_task()
    assert prod.tried == ["migrate"] * 4
    assert prod.waits_for("migrate goes on once everything else holds")
    assert prod.passing("alerts").tried == ["migrate"] * 5


def test_a_person_who_retries_gives_it_all_its_tries_again():
    prod = with_tasks(a_task(retries=1)).offer(2, "1.1").fails_for_good().retry_task()
    assert prod.fails_for_good().tried == ["migrate"] * 4


def test_a_task_may_fail_the_attempt_as_declared():
    prod = with_tasks(a_task(on_fail="fail", retries=0)).offer(2, "1.1").fails()
    assert (prod.wanted, prod.vetoed) == ("", {2})
    assert "1.1 is failed: migrate failed at try 1 of 1: the table is locked" in prod.history


def test_a_retry_of_a_release_that_a_task_failed_tries_the_task_again():
    prod = with_tasks(a_task(on_fail="fail", retries=0)).offer(2, "1.1").fails().retry(2)
    assert prod.tried == ["migrate"] * 2
    assert prod.succeeds().target == "1.1"


def test_an_attempt_that_comes_to_a_failed_run_fails_as_well():
    prod = with_tasks(a_task(on_fail="fail", retries=0)).offer(2, "1.1").fails()
    prod.receive(LineStatus(application="app", number=1, absolved={"web/1.1": prod.now}))
    assert prod.vetoed == {2}
    assert prod.tried == ["migrate"]


def test_the_operation_id_of_each_try_is_its_own_and_the_entity_is_the_programs():
    prod = with_tasks(a_task()).offer(2, "1.1").fails_for_good()
    assert [given.operation for given in prod.programs] == [operation(RUN, number) for number in (1, 2, 3, 4)]
    assert parse_task(RUN)[1::2] == ("migrate", 2)


# --- once --------------------------------------------------------------------------------------------------------------------


def test_a_retry_that_names_no_release_is_of_the_newest_that_failed_whatever_task_failed_long_ago():
    prod = with_tasks(a_task(on_fail="fail", retries=0)).offer(2, "1.1").fails()
    prod.configure(tasks=()).offer(3, "1.2").applied("broken", terminal=True)
    assert prod.vetoed == {2, 3}
    prod.comes_up("1.0").receive(*prod.last_published.values())  # told once more, late
    assert prod.retry().vetoed == {2}


def test_success_counts_for_the_release_and_a_retry_does_not_repeat_it():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds()
    prod.applied("the image is gone", terminal=True).comes_up("1.0")
    assert prod.vetoed == {2}
    assert prod.retry(2).target == "1.1"
    assert prod.tried == ["migrate"]


def test_a_changed_definition_does_not_repeat_a_success():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds()
    prod.applied("the image is gone", terminal=True).comes_up("1.0")
    prod.configure(tasks=(a_task(options={"command": ["other"]}),)).retry(2)
    assert (prod.target, prod.tried) == ("1.1", ["migrate"])


def test_a_task_is_run_again_for_the_next_release():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds().comes_up("1.1").offer(3, "1.2")
    assert prod.tried == ["migrate", "migrate"]


def test_an_end_that_was_not_seen_is_tried_again():
    prod = with_tasks(a_task()).offer(2, "1.1").vanishes()
    assert prod.target == "1.0", "it is no success"
    assert prod.wait(MINUTE).tried == ["migrate", "migrate"]


def test_once_asks_a_human_instead():
    prod = with_tasks(a_task(once=True)).offer(2, "1.1").vanishes().wait(HOUR)
    assert prod.tried == ["migrate"]
    assert prod.waits_for("the result of try 1 of 4 of migrate is unknown")
    assert prod.retry_task().tried == ["migrate", "migrate"]


def test_the_human_may_say_that_it_succeeded():
    prod = with_tasks(a_task(once=True)).offer(2, "1.1").vanishes().retry_task(succeeded=True)
    assert (prod.tried, prod.target) == (["migrate"], "1.1")
    assert "migrate succeeded: reported by ann" in prod.run_lines


def test_unknown_fails_no_attempt():
    prod = with_tasks(a_task(once=True, on_fail="fail")).offer(2, "1.1").vanishes()
    assert (prod.wanted, prod.vetoed) == ("1.1", set())


def test_one_that_is_once_is_tried_again_after_a_failure_that_was_seen():
    assert with_tasks(a_task(once=True)).offer(2, "1.1").fails().wait(MINUTE).tried == ["migrate", "migrate"]


# --- shared by key -----------------------------------------------------------------------------------------------------------


def test_attempts_of_one_release_with_the_same_key_share_one_run():
    prod = with_tasks(a_task(key="orders-db")).offer(2, "1.1")
    assert [given.operation for given in prod.programs] == ["task:app/migrate#orders-db#2/try/1"]


def test_a_key_may_look_up_what_the_attempt_knows():
    prod = with_tasks(a_task(key="db-${version}")).offer(2, "1.1")
    assert [given.operation for given in prod.programs] == ["task:app/migrate#db-1.1#2/try/1"]


def test_one_that_comes_while_it_runs_shares_its_success():
    prod = with_tasks(a_task(key="db"), checks=(check("alerts"),)).offer(2, "1.1")
    prod.turn_of_run("task:app/migrate#db#2", TaskWanted(requester="instance:app/worker@production", definition=a_task().task))
    prod.passing("alerts")
    assert prod.tried == ["migrate"]
    assert prod.candidate.committed
    prod.succeeds()
    assert prod.passing("alerts").target == "1.1"


def test_one_that_comes_after_the_success_of_another_runs_nothing():
    prod = with_tasks(a_task(key="db"), checks=(check("alerts"),)).offer(2, "1.1")
    prod.turn_of_run("task:app/migrate#db#2", TaskWanted(requester="instance:app/worker@production", definition=a_task().task))
    prod.succeeds().passing("alerts")
    assert (prod.target, prod.tried) == ("1.1", ["migrate"])


# --- other phases ------------------------------------------------------------------------------------------------------------


def test_a_pre_approval_task_runs_before_anybody_is_asked():
    prod = with_tasks(a_task("plan", Phase.PRE_APPROVAL), approvals=(approval(),)).offer(2, "1.1")
    assert (prod.tried, prod.candidate.phase) == (["plan"], Phase.PRE_APPROVAL)
    assert prod.succeeds("plan").candidate.phase is Phase.APPROVAL


def test_a_pre_approval_task_does_not_run_against_a_hold():
    prod = with_tasks(a_task("plan", Phase.PRE_APPROVAL)).hold().offer(2, "1.1")
    assert prod.tried == []
    assert prod.resume().tried == ["plan"]


def test_an_attempt_whose_pre_approval_task_runs_is_not_replaced_until_it_ended():
    prod = with_tasks(a_task("plan", Phase.PRE_APPROVAL)).offer(2, "1.1").offer(3, "1.2")
    assert prod.wanted == "1.1"
    assert prod.fails("plan").wanted == "1.2"


def test_a_task_that_failed_while_its_phase_was_left_ends_the_attempt_in_the_turn_that_comes_back_to_it():
    prod = with_tasks(a_task(retries=0, on_fail="fail"), approvals=(approval(expires=MINUTE),)).offer(2, "1.1").vote("ann")
    assert prod.tried == ["migrate"]
    prod.wait(2 * MINUTE).receive(Woken())
    assert prod.candidate.phase is Phase.APPROVAL, "the yes has expired"
    assert prod.fails().vetoed == set()
    assert prod.vote("ann").vetoed == {2}


def test_an_attempt_that_has_come_to_change_nothing_ends_once_its_task_has_ended():
    prod = with_tasks().offer(2, "1.1").configure(tasks=(a_task("plan", Phase.PRE_APPROVAL),)).offer(3, "1.1")
    prod.comes_up("1.1")
    assert (prod.tried, prod.life.good, prod.candidate.release) == (["plan"], Pair(2), 3)
    assert prod.waits_for("plan runs, try 1 of 4")
    prod.succeeds("plan")
    assert (prod.life.good, prod.maybe_candidate) == (Pair(3), None)


def test_a_deployment_task_runs_when_everything_is_healthy_and_the_checks_pass():
    prod = with_tasks(a_task("warm", Phase.DEPLOYMENT), checks=(check("smoke", Phase.DEPLOYMENT),)).offer(2, "1.1")
    assert prod.applied().observed("1.1", healthy=False).tried == []
    assert prod.observed("1.1").tried == []
    assert prod.passing("smoke").tried == ["warm"]
    assert prod.good == "1.0"
    assert prod.succeeds("warm").good == "1.1"


def test_a_post_deployment_task_runs_after_the_window():
    watched = check("alerts", Phase.POST_DEPLOYMENT, window=MINUTE)
    prod = with_tasks(a_task("notify", Phase.POST_DEPLOYMENT), checks=(watched,)).offer(2, "1.1").comes_up("1.1")
    prod.passing("alerts").wait(20 * SECOND)
    assert prod.tried == []
    prod.passing("alerts", covered=prod.now - 20 * SECOND).wait(40 * SECOND)
    prod.passing("alerts", covered=prod.now - MINUTE)
    assert prod.tried == ["notify"]
    assert prod.succeeds("notify").good == "1.1"


def test_from_deployment_on_a_failed_task_rolls_back_if_it_says_so():
    prod = with_tasks(a_task("notify", Phase.POST_DEPLOYMENT, on_fail="fail", retries=0)).offer(2, "1.1").comes_up("1.1")
    prod.fails("notify")
    assert (prod.condition, prod.target) == ("rolling-back", "1.0")


def test_a_rollout_that_waits_for_a_failed_task_gives_way_to_a_newer_release():
    prod = with_tasks(a_task("warm", Phase.DEPLOYMENT, retries=0)).offer(2, "1.1").comes_up("1.1").fails("warm")
    assert prod.target == "1.1"
    assert prod.offer(3, "1.2").target == "1.2"


def test_a_rollback_does_not_wait_for_a_task_but_the_next_start_does():
    policy = {"checks": (check("alerts", Phase.POST_DEPLOYMENT),)}
    prod = with_tasks(a_task("notify", Phase.POST_DEPLOYMENT), **policy).offer(2, "1.1").comes_up("1.1").passing("alerts")
    assert prod.tried == ["notify"]
    prod.blocking("alerts", run=5)
    assert prod.target == "1.0"
    prod.comes_up("1.0").offer(3, "1.2")
    assert prod.target == "1.0"
    assert prod.succeeds("notify").target == "1.2"


def test_no_task_starts_while_everything_is_paused():
    prod = with_tasks(a_task("warm", Phase.DEPLOYMENT)).offer(2, "1.1").applied()
    prod.receive(ScopeStatus(scope="scope:application:app", number=1, pause=INCIDENT))
    assert prod.observed("1.1").tried == []
    assert prod.receive(ScopeStatus(scope="scope:application:app", number=2)).tried == ["warm"]


# --- what cannot be undone ---------------------------------------------------------------------------------------------------


def irreversible(**more: Any) -> WithTasks:
    return with_tasks(a_task(irreversible=True, **more)).offer(2, "1.1").succeeds()


def test_once_an_irreversible_task_has_started_nothing_rolls_back_past_it_by_itself():
    prod = irreversible().applied("the image is gone", terminal=True)
    assert (prod.condition, prod.target) == ("failed", "1.1")
    assert prod.waits_for("not rolled back: migrate of release 2 was started, and cannot be undone")


def test_rolling_back_past_it_by_hand_is_possible():
    prod = irreversible().roll_back()
    assert (prod.condition, prod.target) == ("rolling-back", "1.0")
    assert prod.comes_up("1.0").life.irreversible is None


def test_later_releases_do_not_roll_back_past_it_either():
    prod = irreversible().applied("the image is gone", terminal=True).configure(tasks=()).offer(3, "1.2")
    prod.applied("the image is gone", terminal=True)
    assert (prod.condition, prod.target) == ("failed", "1.2")


def test_what_is_newer_than_it_rolls_back_to_what_came_with_it():
    prod = irreversible().comes_up("1.1").configure(tasks=()).offer(3, "1.2")
    assert prod.applied("the image is gone", terminal=True).target == "1.1"


def test_a_person_who_says_once_more_to_go_back_is_heard_though_it_goes_back_already():
    """What was told in between, even of an old start, bars nothing any more."""
    prod = irreversible().roll_back()
    run = TaskStatus(task=next(iter(prod.runs_of_tasks)), number=99, state=TaskStage.SUCCEEDED, irreversible=True)
    assert prod.receive(run).barrier.release == 2
    assert prod.roll_back().life.irreversible is None


def test_what_a_run_published_before_its_attempt_ended_is_late_after_it():
    """The run has failed since: the next attempt must not take it for one that runs."""
    prod = with_tasks(a_task(on_fail="fail", retries=0)).offer(2, "1.1")
    running = prod.last_published[RUN]
    prod.fails()
    assert prod.receive(running).life.tasks == {}


def test_an_irreversible_task_that_is_about_to_start_counts_as_started():
    prod = with_tasks(a_task("cut-over", Phase.DEPLOYMENT, irreversible=True)).offer(2, "1.1").applied()
    prod.observed("1.1")
    prod.runs_of_tasks.clear()
    prod.wait(3 * MINUTE).observed("1.1", healthy=False)
    assert prod.barrier.release == 2


def test_one_that_can_be_undone_rolls_back():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds().applied("the image is gone", terminal=True)
    assert prod.target == "1.0"


# --- words that come late, twice, or out of order ------------------------------------------------------------------------------


def test_the_first_one_to_come_starts_it_and_the_others_do_not():
    run = Run().receive(*(TaskWanted(requester=f"instance:{n}", definition=Run().definition) for n in range(100)))
    assert len(run.started) == 1
    assert not run.wanted().started


def test_who_wanted_it_before_it_failed_does_not_start_it_after_a_persons_retry():
    run = Run().wanted(retries=0).ends(TaskEnd.FAILED).receive(TaskRetried(by=By("ann")))
    assert not run.wanted(seen=0).started
    assert not run.wanted(seen=1).started
    assert run.wanted(seen=run.state.number).started


def test_an_end_delivered_twice_or_of_an_earlier_try_changes_nothing():
    run = Run().wanted().ends(TaskEnd.FAILED)
    state = run.state
    assert run.ends(TaskEnd.SUCCEEDED).state == state
    run.now += MINUTE
    run.receive(Woken())
    assert run.ends(TaskEnd.SUCCEEDED, number=1).state.stage is TaskStage.RUNNING


def test_success_is_for_good():
    run = Run().wanted().ends(TaskEnd.SUCCEEDED)
    for fact in (
        TaskWanted(requester="instance:x", definition=run.definition, seen=run.state.number),
        TaskRetried(by=By("ann")),
        TaskLeft(requester="instance:x", seen=run.state.number),
        TaskFinished(operation=operation(RUN, 1), result=TaskResult(TaskEnd.FAILED)),
        Woken(),
    ):
        assert run.receive(fact).state.stage is TaskStage.SUCCEEDED
        assert not run.started


def test_a_persons_retry_delivered_twice_is_one():
    run = Run().wanted(retries=0).ends(TaskEnd.FAILED)
    act = TaskRetried(by=By("ann"), id="1")
    run.receive(act).wanted(seen=run.state.number, retries=0).ends(TaskEnd.FAILED)
    assert run.receive(act).state.stage is TaskStage.FAILED


def test_a_persons_retry_during_the_back_off_does_not_wait_for_its_end():
    run = Run().wanted().ends(TaskEnd.FAILED)
    assert run.receive(TaskRetried(by=By("ann"))).started


def test_one_who_leaves_does_not_stop_it_for_those_who_still_want_it():
    run = Run().wanted().ends(TaskEnd.FAILED)
    due = run.due
    run.receive(TaskLeft(requester="instance:x", seen=run.state.number))
    assert (run.status.state, run.wake_at) == (TaskStage.WAITING, None)
    assert run.wanted(seen=run.state.number).wake_at == due, "its back-off goes on"
    run.now = due
    assert run.receive(Woken()).started
    assert run.state.most == 4


def test_who_left_an_earlier_try_does_not_stop_a_later_one():
    run = Run().wanted().ends(TaskEnd.FAILED)
    seen = run.state.number
    run.now += MINUTE
    run.receive(Woken()).ends(TaskEnd.FAILED)
    assert run.receive(TaskLeft(requester="instance:x", seen=seen)).state.stage is TaskStage.RETRYING


@pytest.mark.parametrize("stage", [TaskEnd.FAILED, TaskEnd.UNKNOWN])
def test_who_comes_to_one_that_waits_for_a_person_is_told_so(stage: TaskEnd):
    run = Run(once=True).wanted(retries=0).ends(stage)
    number = run.state.number
    run.wanted(seen=number)
    assert (run.status.state, run.status.number) == (stage.value, number + 1)


def test_what_was_told_before_is_dropped():
    prod = with_tasks(a_task()).offer(2, "1.1").fails()
    late = TaskStatus(task=RUN, number=1, state=TaskStage.SUCCEEDED)
    assert prod.receive(late).target == "1.0"


def test_nothing_is_remembered_of_runs_that_nobody_comes_to_any_more():
    prod = with_tasks(a_task()).offer(2, "1.1").succeeds().comes_up("1.1")
    assert prod.life.tasks == {}
    assert RUN not in prod.listening
    assert [given for given in prod.out if isinstance(given, Unsubscribe)]


def test_a_task_that_looks_up_what_the_release_does_not_have_says_so():
    prod = with_tasks(a_task(options={"command": ["x", "${params.schema}"]})).offer(2, "1.1")
    assert prod.programs[0].definition.use == "always"
    assert "params.schema" in prod.programs[0].definition.options["reason"]


def test_an_empty_run_knows_nothing():
    assert Run().receive(Woken()).state == TaskState()


def test_the_end_of_a_try_and_the_word_of_a_person_are_told_with_what_was_said():
    run = Run().wanted().ends(TaskEnd.SUCCEEDED)
    assert run.events[0].outcome == "succeeded"
    assert run.events[0].text.endswith("succeeded: said so")
    failed = Run().wanted(retries=0).ends(TaskEnd.FAILED)
    assert failed.events[0].outcome == "failed"
    (event,) = failed.receive(TaskRetried(by=By("ann", "the lock is gone"), id="1")).events
    assert (event.by, event.text.endswith("retried by ann: the lock is gone")) == (
        By("ann", "the lock is gone"),
        True,
    )


def test_two_acts_of_people_are_two_and_each_lets_it_be_tried_again():
    run = Run().wanted(retries=0)
    for identity in ("1", "2", "3"):
        run.ends(TaskEnd.FAILED).receive(TaskRetried(by=By("ann"), id=identity))
        assert run.wanted(seen=run.state.number, retries=0).started


def test_it_is_tried_again_at_the_very_moment_at_which_its_pause_is_over():
    run = Run().wanted().ends(TaskEnd.FAILED)
    run.now = run.due - 1
    assert not run.receive(Woken()).started
    run.now += 1
    assert run.receive(Woken()).started


def test_an_attempt_that_a_standing_condition_takes_back_is_not_under_way_any_more():
    prod = with_tasks(a_task(), orderings=(after(),)).offer(2, "1.1").upstream("staging", "1.1").fails_for_good()
    prod.upstream("staging", revoked=(version("1.1"),)).offer(3, "1.2")
    assert prod.wanted == "1.2"


def test_a_task_does_not_start_beside_a_rollout_that_would_give_way():
    prod = with_tasks().offer(2, "1.1").configure(tasks=(a_task(),)).offer(3, "1.2", urgent=True)
    assert prod.tried == []
    assert prod.waits_for("migrate runs once the rollout of release 2 has ended")


def test_a_task_starts_beside_a_rollback_that_has_failed():
    prod = with_tasks().offer(2, "1.1").applied("the image is gone", terminal=True).configure(tasks=(a_task(),)).offer(3, "1.2")
    prod.applied("no space left", terminal=True)
    assert prod.condition == "rollback-failed"
    assert prod.tried == ["migrate"]
    assert prod.succeeds().target == "1.2"
