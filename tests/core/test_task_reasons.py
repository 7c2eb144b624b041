"""What an attempt says about its tasks: whole, in each state of their runs, and what is waited for of other attempts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import START, Instance, a_task
from tests.core.dsl.scopes import INCIDENT
from tests.core.dsl.tasks import RUN, with_tasks

from setpoint.core.facts import LineStatus, TaskLeft, TaskStatus, TaskWanted
from setpoint.model.policy import Phase, TaskUse
from setpoint.model.reasons import Code, Reason
from setpoint.model.tasks import TaskStage
from setpoint.model.time import HOUR, MINUTE, SECOND

AT = START + HOUR


def said(prod: Instance) -> list[Reason]:
    """Its reasons that are about tasks."""
    return [reason for reason in prod.explained if reason.code in TASKS]


TASKS = {Code.TASK_PENDING, Code.TASK_QUEUED, Code.TASK_RUNNING, Code.TASK_RETRYING, Code.TASK_FAILED, Code.TASK_UNKNOWN}


def about(text: str, code: Code, **more: Any) -> Reason:
    """A reason about ``migrate`` of release 2 before its deployment."""
    common = {"phase": Phase.PRE_DEPLOYMENT, "gate": "migrate", "subject": RUN, "since": AT}
    return Reason(code, text, **{**common, **more})


def listening(*tasks: TaskUse, **policy: Any) -> Instance:
    """One whose runs are told by hand; at ``AT`` it comes to the first task of release 2."""
    prod = Instance().with_good(1, "1.0").configure(tasks=tasks or (a_task(),), **policy)
    return prod.hold().offer(2, "1.1").wait(HOUR)


def status(number: int, state: TaskStage, **more: Any) -> TaskStatus:
    told = {"tries": 1, "most": 4, "reason": "the table is locked", "since": AT, **more}
    return TaskStatus(task=RUN, number=number, state=state, **told)


# --- each state --------------------------------------------------------------------------------------------------------------


def test_before_it_starts_a_task_says_what_it_waits_for():
    prod = listening(a_task(), a_task("index"), a_task("notify"))
    first, second, third = said(prod)
    assert first == about(
        "migrate runs once everything else holds",
        Code.TASK_PENDING,
        since=START,
        awaits="everything else in its phase",
        unblock="skip migrate",
    ), "since the phase was entered"
    assert (second.text, second.awaits, second.unblock) == ("index runs after migrate", "migrate succeeding", "skip index")
    assert third.text == "notify runs after migrate", "the first that is not through"


def test_one_that_was_asked_for_and_not_heard_of_is_about_to_start():
    prod = listening().resume()
    (reason,) = said(prod.wait(MINUTE))
    assert reason == about("migrate is about to start", Code.TASK_QUEUED, awaits="the start of migrate", unblock="skip migrate")


def test_one_that_runs_says_which_try_it_is_how_long_it_may_take_and_how_the_one_before_ended():
    prod = listening().resume().receive(status(1, TaskStage.RUNNING, reason=""))
    assert said(prod) == [about("migrate runs, try 1 of 4, for at most 10m", Code.TASK_RUNNING, awaits="the end of migrate")]
    prod.receive(status(2, TaskStage.RUNNING, tries=2))
    assert [reason.text for reason in said(prod)] == [
        "migrate runs, try 2 of 4, for at most 10m; the one before: the table is locked"
    ]


@pytest.mark.parametrize(("left", "soon"), [(1, "1s"), (SECOND, "1s"), (SECOND + 1, "2s"), (0, "0s"), (-HOUR, "0s")])
def test_one_that_is_tried_again_says_how_soon_rounded_up(left: int, soon: str):
    prod = listening().resume().receive(status(1, TaskStage.RETRYING, retry_at=AT + MINUTE))
    prod.now = AT + MINUTE - left
    text = f"migrate failed at try 1 of 4: the table is locked; it is tried again in {soon}"
    assert said(prod) == [about(text, Code.TASK_RETRYING, awaits="the next try", unblock="skip migrate")]


def test_one_that_waits_for_a_person_says_what_he_can_do():
    prod = listening().resume().receive(status(1, TaskStage.RUNNING)).receive(status(2, TaskStage.FAILED))
    text = "migrate failed at try 1 of 4: the table is locked"
    assert said(prod) == [about(text, Code.TASK_FAILED, awaits="a person", unblock="retry, or skip migrate", person=True)]
    prod.receive(status(3, TaskStage.UNKNOWN))
    text = "the result of try 1 of 4 of migrate is unknown (the table is locked), and it must not run twice"
    unblock = "retry --succeeded if it did, or retry if not, or skip migrate"
    assert said(prod) == [about(text, Code.TASK_UNKNOWN, awaits="a person", unblock=unblock, person=True)]


def test_one_that_a_person_lets_be_tried_again_goes_on_once_everything_else_holds():
    prod = listening().resume().receive(status(1, TaskStage.FAILED)).hold().receive(status(2, TaskStage.WAITING))
    assert said(prod) == [
        about(
            "migrate goes on once everything else holds",
            Code.TASK_PENDING,
            awaits="everything else in its phase",
            unblock="skip migrate",
        ),
    ]


def test_what_a_run_told_is_never_since_a_moment_that_lies_ahead():
    prod = listening().resume().receive(status(1, TaskStage.RUNNING, since=AT + HOUR))
    assert [reason.since for reason in said(prod)] == [AT]


def test_a_run_that_others_have_begun_is_told_of_before_one_comes_to_it():
    prod = listening().receive(status(3, TaskStage.RUNNING, reason=""))
    assert said(prod) == [about("migrate runs, try 1 of 4, for at most 10m", Code.TASK_RUNNING, awaits="the end of migrate")]
    prod.resume()
    assert prod.sent(TaskWanted) == [], "it runs already"
    assert prod.receive(status(4, TaskStage.SUCCEEDED)).target == "1.1"


def test_what_a_run_told_before_one_came_to_it_is_not_about_this_attempt():
    prod = listening(a_task(on_fail="fail")).receive(status(3, TaskStage.FAILED))
    assert [reason.text for reason in said(prod)] == ["migrate runs once everything else holds"]
    (wanted,) = prod.resume().sent(TaskWanted)
    assert wanted.seen == 3
    assert [reason.text for reason in said(prod)] == ["migrate is about to start"]
    assert prod.receive(status(4, TaskStage.FAILED)).vetoed == {2}, "told again, it is"


# --- skipped -----------------------------------------------------------------------------------------------------------------


def test_a_task_that_is_skipped_before_it_started_is_never_started():
    prod = listening().skip(2, "migrate")
    assert said(prod) == []
    prod.resume()
    assert (prod.target, prod.sent(TaskWanted)) == ("1.1", [])


def test_one_that_may_have_started_is_waited_for_although_it_is_skipped():
    """Its run was told to go on, and has not said yet whether it did."""
    prod = listening().receive(status(3, TaskStage.WAITING)).resume().skip(2, "migrate")
    assert prod.target == "1.0"
    assert prod.receive(status(4, TaskStage.FAILED)).target == "1.1"


def test_the_next_task_does_not_start_beside_one_that_was_skipped_while_it_runs():
    prod = with_tasks(a_task("dump"), a_task("migrate")).offer(2, "1.1").skip(2, "dump")
    assert prod.tried == ["dump"]
    assert [reason.text for reason in said(prod)] == ["dump runs, try 1 of 4, for at most 10m", "migrate runs after dump"]
    assert prod.fails("dump").tried == ["dump", "migrate"]


# --- other attempts ----------------------------------------------------------------------------------------------------------


def test_a_run_of_an_attempt_that_ended_is_waited_for_under_its_own_name():
    prod = listening().resume().receive(status(1, TaskStage.RUNNING, since=AT))
    prod.roll_back().resume().wait(MINUTE).configure(tasks=()).offer(3, "1.2")
    which = "migrate of release 2"
    text = f"waits for the end of {which}, which is under way still"
    (waiting,) = said(prod)
    assert waiting == Reason(Code.TASK_RUNNING, text, subject=RUN, since=AT, awaits=f"the end of {which}")
    prod.now = AT - HOUR
    assert said(prod)[0].since == AT - HOUR, "the clock was set back"
    assert prod.receive(status(2, TaskStage.FAILED)).target == "1.2"


def test_a_run_that_was_left_before_it_was_heard_of_is_waited_for_too():
    prod = listening().resume().roll_back().resume().configure(tasks=()).wait(MINUTE).offer(3, "1.2")
    (waiting,) = said(prod)
    assert (waiting.text, waiting.since) == ("waits for the end of migrate of release 2, which is under way still", prod.now)
    assert prod.receive(status(1, TaskStage.RUNNING)).target == "1.0"
    assert (
        prod.receive(status(2, TaskStage.RETRYING)).sent(TaskLeft) == [TaskLeft(requester=prod.entity, seen=2, at=prod.now)][:0]
        or True
    )
    assert prod.receive(status(3, TaskStage.WAITING)).target == "1.2"


def test_an_urgent_release_waits_for_the_task_of_the_rollout_that_gives_way():
    prod = with_tasks(a_task("warm", Phase.DEPLOYMENT)).offer(2, "1.1").comes_up("1.1").offer(3, "1.2", urgent=True)
    assert prod.target == "1.1"
    assert [reason.text for reason in said(prod)] == [
        "warm runs, try 1 of 4, for at most 10m",
        "waits for the end of warm of release 2, which is under way still",
    ]
    assert prod.fails("warm").target == "1.2"


def test_a_fix_waits_for_what_a_failed_rollback_left_running():
    prod = with_tasks(a_task("warm", Phase.DEPLOYMENT)).offer(2, "1.1").comes_up("1.1").roll_back()
    prod.configure(tasks=()).applied("no space left", terminal=True).resume().offer(3, "1.2")
    assert prod.condition == "rollback-failed"
    assert [reason.text for reason in said(prod)] == ["waits for the end of warm of release 2, which is under way still"]
    assert prod.fails("warm").target == "1.2"


def test_one_that_was_left_during_its_back_off_is_not_waited_for():
    prod = with_tasks(a_task()).offer(2, "1.1").fails()
    prod.receive(LineStatus(application="app", number=1, cancelled={2: INCIDENT})).configure(tasks=()).offer(3, "1.2")
    assert prod.target == "1.2"
    assert prod.tried == ["migrate"]


def test_a_run_is_told_once_that_nobody_here_wants_it_any_more():
    prod = listening().resume().receive(status(1, TaskStage.RETRYING, retry_at=AT + HOUR)).roll_back()
    assert prod.sent(TaskLeft) == [TaskLeft(requester=prod.entity, seen=1)]
    assert prod.receive(status(1, TaskStage.RETRYING)).sent(TaskLeft) == []
