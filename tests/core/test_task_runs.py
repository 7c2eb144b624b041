"""One run of a task by itself: what it tells and writes down, to the last field and the very moment."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.dsl import NAME, START
from tests.core.dsl.tasks import RUN, Run

from setpoint.core import orders
from setpoint.core.backoff import backoff
from setpoint.core.facts import TaskFinished, TaskLeft, TaskRetried, TaskStatus, Woken
from setpoint.core.instructions import Event, RunTask
from setpoint.core.task import FIRST_RETRY, operation
from setpoint.model.people import By
from setpoint.model.tasks import TaskEnd, TaskResult, TaskStage
from setpoint.model.time import SECOND

ANN = By("ann", "I looked")


def statuses(run: Run) -> list[TaskStage]:
    return [status.state for status in run.published(TaskStatus)]


def test_a_run_tells_how_it_stands_whole_at_every_step():
    run = Run(irreversible=True).wanted(retries=1)
    begun = TaskStatus(task=RUN, number=1, state=TaskStage.RUNNING, tries=1, most=2, since=START, irreversible=True)
    assert run.status == begun
    assert (run.wake_at, run.started) == (None, [RunTask(operation(RUN, 1), run.definition)])
    run.now += SECOND
    due = run.now + backoff(1, RUN, FIRST_RETRY)
    failed = replace(begun, number=2, state=TaskStage.RETRYING, reason="said so", since=run.now, retry_at=due)
    assert run.ends(TaskEnd.FAILED).status == failed
    assert run.wake_at == run.now + backoff(1, RUN, FIRST_RETRY)
    run.now = run.due
    again = replace(failed, number=3, state=TaskStage.RUNNING, tries=2, since=run.now, retry_at=0)
    assert run.receive(Woken()).status == again
    run.now += SECOND
    last = replace(again, number=4, state=TaskStage.FAILED, since=run.now)
    assert run.ends(TaskEnd.FAILED).status == last
    run.now += SECOND
    assert run.receive(TaskRetried(by=ANN)).status == replace(last, number=5, state=TaskStage.WAITING)
    run.wanted(seen=5, retries=1).now += SECOND
    run.ends(TaskEnd.SUCCEEDED)
    assert run.status == replace(last, number=7, state=TaskStage.SUCCEEDED, tries=3, most=4, since=run.now)
    assert run.wake_at is None


def test_each_step_is_written_down_with_its_release_version_and_outcome():
    run = Run(facts={"version": "1.1"}).wanted(retries=1)
    line = Event("task-started", "migrate starts, try 1 of 2", release=2, version="1.1")
    assert run.events == [line]
    text = "migrate try 1 of 2 failed: said so; the next one follows in 6s"
    assert run.ends(TaskEnd.FAILED).events == [Event("task-failed", text, release=2, version="1.1", outcome="failed")]
    run.now = run.due
    assert run.receive(Woken()).events == [replace(line, text="migrate starts, try 2 of 2")]
    (event,) = run.ends(TaskEnd.FAILED).events
    assert event.text == "migrate try 2 of 2 failed: said so; no try is left"
    by_hand = run.receive(TaskRetried(by=ANN)).events
    assert by_hand == [Event("signal", "migrate retried by ann: I looked", release=2, version="1.1", by=ANN)]
    (event,) = run.wanted(seen=run.state.number).ends(TaskEnd.SUCCEEDED).events
    assert event == Event("task-succeeded", "migrate succeeded: said so", release=2, version="1.1", outcome="succeeded")


def test_a_person_who_gives_no_reason_and_a_program_that_says_nothing_are_quoted_with_nothing():
    run = Run().wanted(retries=0).ends(TaskEnd.FAILED)
    assert run.receive(TaskRetried(by=By("ann"))).events[0].text == "migrate retried by ann"
    run.wanted(seen=run.state.number)
    run.receive(TaskFinished(operation=operation(RUN, 2), result=TaskResult(TaskEnd.SUCCEEDED)))
    assert run.events[0].text == "migrate succeeded"


def test_an_end_that_nobody_saw_is_told_so():
    (event,) = Run().wanted().ends(TaskEnd.UNKNOWN).events
    assert event.text.startswith("migrate try 1 of 4 ended unseen: said so; the next one follows in")
    once = Run(once=True).wanted().ends(TaskEnd.UNKNOWN)
    assert once.events[0].text == "migrate try 1 of 4 ended unseen: said so; a person must report whether it succeeded"
    assert (once.status.state, once.wake_at) == (TaskStage.UNKNOWN, None)


def test_a_person_who_says_that_it_succeeded_ends_the_back_off():
    run = Run().wanted().ends(TaskEnd.FAILED)
    run.now += SECOND
    run.receive(TaskRetried(by=ANN, succeeded=True))
    assert [event.text for event in run.events] == [
        "migrate reported successful by ann: I looked",
        "migrate succeeded: reported by ann",
    ]
    assert run.status == TaskStatus(
        task=RUN, number=3, state=TaskStage.SUCCEEDED, tries=1, most=4, reason="reported by ann", since=run.now
    )
    assert run.wake_at is None


def test_a_retry_after_an_unseen_end_gives_it_all_its_tries_again():
    run = Run(once=True).wanted().ends(TaskEnd.UNKNOWN).receive(TaskRetried(by=ANN))
    assert (run.status.tries, run.status.most) == (1, 1)
    assert run.wanted(seen=run.state.number).status.most == 5


def test_what_was_started_and_cannot_be_undone_stays_so_whatever_the_next_try_would_do():
    run = Run(irreversible=True).wanted(retries=0).ends(TaskEnd.FAILED).receive(TaskRetried(by=ANN))
    run.definition = Run().definition
    assert run.wanted(seen=run.state.number).status.irreversible
    later = Run().wanted(retries=0).ends(TaskEnd.FAILED).receive(TaskRetried(by=ANN))
    assert not later.status.irreversible
    later.definition = Run(irreversible=True).definition
    assert later.wanted(seen=later.state.number).status.irreversible


def test_who_comes_back_at_the_end_of_the_back_off_starts_it_at_once():
    run = Run().wanted().ends(TaskEnd.FAILED)
    due = run.due
    run.receive(TaskLeft(requester=f"instance:{NAME}", seen=run.state.number))
    run.now = due - 1
    assert statuses(run.wanted(seen=run.state.number)) == [TaskStage.RETRYING]
    run.receive(TaskLeft(requester=f"instance:{NAME}", seen=run.state.number))
    run.now = due
    assert statuses(run.wanted(seen=run.state.number)) == [TaskStage.RUNNING]


def test_acts_are_told_apart_by_their_identities_of_which_the_last_few_are_remembered():
    run = Run().wanted(retries=0)
    for number in range(orders.KEPT + 5):
        run.ends(TaskEnd.FAILED).receive(TaskRetried(by=ANN, id=str(number))).wanted(seen=run.state.number, retries=0)
        assert run.started
    assert run.state.signals == tuple(str(number) for number in range(5, orders.KEPT + 5))
    for _ in range(2):
        run.ends(TaskEnd.FAILED).receive(TaskRetried(by=ANN)).wanted(seen=run.state.number, retries=0)
        assert run.started, "acts without an identity are each their own"


def test_a_retry_means_nothing_to_a_run_that_needs_no_person():
    run = Run().wanted()
    assert run.receive(TaskRetried(by=ANN)).out == ()
    assert run.ends(TaskEnd.SUCCEEDED).receive(TaskRetried(by=ANN)).out == ()


def test_what_else_it_is_told_in_one_turn_with_the_end_of_its_back_off_counts_first():
    """One who leaves at the very moment at which it would be tried again is not served any more."""
    run = Run().wanted().ends(TaskEnd.FAILED)
    run.now = run.due
    assert statuses(run.receive(Woken(), TaskLeft(requester=f"instance:{NAME}", seen=run.state.number))) == [TaskStage.WAITING]
    assert run.wake_at is None
