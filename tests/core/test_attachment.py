"""The attachment: run for everybody who waits, by numbers, polling only while somebody does."""

from __future__ import annotations

from typing import Self

from tests.core.dsl import START, Actor

from setpoint.core.attachment import AttachmentState
from setpoint.core.facts import CheckFinished, CheckStatus, CheckUnwanted, Held, RunAssigned, RunRequested, Woken
from setpoint.core.instructions import RunCheck
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.people import By
from setpoint.model.time import MINUTE, SECOND

DEFINITION = CheckDefinition(
    "alerts", "program", "channel:app/production", interval=20 * SECOND, timeout=5 * SECOND, max_age=45 * SECOND
)
ENTITY = DEFINITION.attachment


class Attachment(Actor[AttachmentState]):
    def __init__(self) -> None:
        super().__init__(ENTITY, AttachmentState)

    def ask(self, requester: str = "instance:a", ask: int = 1) -> Self:
        return self.receive(RunRequested(requester=requester, request_id=ask, definition=DEFINITION))

    def ends(self, outcome: Outcome = Outcome.PASSING, run: int = 0, reason: str = "") -> Self:
        result = CheckResult(outcome, reason or outcome)
        return self.receive(CheckFinished(operation=f"{ENTITY}/check/{run or self.state.run}", result=result))

    @property
    def last(self) -> CheckStatus:
        """The result that finished last."""
        assert self.state.last
        return self.state.last

    @property
    def answers(self) -> list[tuple[str, int]]:
        return [(to, fact.run) for to, fact in self.sent_to(RunAssigned)]

    @property
    def status(self) -> CheckStatus:
        (status,) = self.published(CheckStatus)
        return status


def test_asking_starts_a_run_and_says_which_one_counts():
    alerts = Attachment().ask()
    assert alerts.answers == [("instance:a", 1)]
    assert [given.operation for given in alerts.gave(RunCheck)] == [f"{ENTITY}/check/1"]


def test_one_run_answers_everybody_who_waits():
    alerts = Attachment().receive(
        *(RunRequested(requester=f"instance:{number}", request_id=1, definition=DEFINITION) for number in range(1000))
    )
    assert len(alerts.answers) == 1000
    assert len(alerts.gave(RunCheck)) == 1


def test_who_asks_while_a_run_is_under_way_waits_for_the_next_one():
    alerts = Attachment().ask().ask("instance:b")
    assert alerts.answers == [("instance:b", 2)]
    assert alerts.gave(RunCheck) == []
    alerts.ends()
    assert len(alerts.gave(RunCheck)) == 1
    assert alerts.status.run == 1


def test_it_polls_while_somebody_waits_and_publishes_changes_only():
    alerts = Attachment().ask().ends()
    assert alerts.status.outcome is Outcome.PASSING
    assert alerts.wake_at == START + 20 * SECOND
    alerts.now += 20 * SECOND
    alerts.receive(Woken()).ends()
    assert alerts.published(CheckStatus) == []
    alerts.now += 20 * SECOND
    alerts.receive(Woken()).ends(Outcome.BLOCKING)
    assert (alerts.status.outcome, alerts.status.failures_total) == (Outcome.BLOCKING, 1)


def test_nobody_waiting_no_polling():
    alerts = Attachment().ask().ends()
    alerts.now += 20 * SECOND
    alerts.receive(Woken()).receive(CheckUnwanted(operation=f"{ENTITY}/check/2"))
    assert alerts.wake_at is None
    alerts.now += MINUTE
    assert alerts.receive(Woken()).gave(RunCheck) == []
    assert alerts.ask().answers == [("instance:a", 3)]


def test_somebody_asks_just_when_a_run_is_not_wanted():
    alerts = Attachment().ask().ask("instance:b").receive(CheckUnwanted(operation=f"{ENTITY}/check/1"))
    assert [given.operation for given in alerts.gave(RunCheck)] == [f"{ENTITY}/check/2"]


def test_ends_of_other_runs_are_dropped():
    alerts = Attachment().ask()
    before = alerts.state
    assert alerts.ends(run=9).state == before
    assert alerts.receive(CheckUnwanted(operation="other")).state == before
    alerts.ends()
    done = alerts.state
    assert alerts.ends(run=1).state == done


def test_passes_are_covered_as_long_as_no_gap_lies_between():
    alerts = Attachment().ask().ends()
    alerts.now += 20 * SECOND
    alerts.ask().ends()
    assert alerts.status.covered == START
    alerts.now += 10 * MINUTE
    alerts.ask().ends()
    assert alerts.status.covered == alerts.now


def test_a_no_breaks_the_cover_but_not_the_answers_and_a_failure_to_run_breaks_both():
    alerts = Attachment().ask().ends()
    alerts.now += 20 * SECOND
    status = alerts.ask().ends(Outcome.BLOCKING).status
    assert (status.covered, status.answered) == (0, START)
    alerts.now += 20 * SECOND
    status = alerts.ask().ends(Outcome.UNAVAILABLE).status
    assert (status.covered, status.answered) == (0, 0)


def test_facts_of_others_before_it_was_asked_are_nothing():
    alerts = Attachment().receive(Held(by=By("ann")), CheckFinished(operation="x", result=CheckResult(Outcome.PASSING, "")))
    alerts.receive(CheckUnwanted(operation="x"))
    assert isinstance(alerts.state, AttachmentState)
    assert alerts.out == ()
    assert alerts.ask().state.definition == DEFINITION


def test_the_last_finished_result_stays_while_a_new_run_is_under_way():
    alerts = Attachment().ask().ends(Outcome.BLOCKING, reason="Checkout is down").ask("instance:b")
    assert (alerts.state.running, alerts.last.outcome, alerts.last.reason) == (
        True,
        Outcome.BLOCKING,
        "Checkout is down",
    )


def test_while_it_runs_it_is_not_run_again_and_polls_from_the_start_of_the_last_run():
    alerts = Attachment().ask()
    alerts.now += 2 * MINUTE
    assert alerts.receive(Woken()).gave(RunCheck) == []
    assert alerts.wake_at is None
    assert [given.operation for given in alerts.ends().gave(RunCheck)] == [f"{ENTITY}/check/2"], "its interval has passed already"


def test_what_was_asked_for_is_published_although_nothing_changed():
    alerts = Attachment().ask().ends().ask("instance:b").ends()
    assert (alerts.status.run, alerts.status.outcome) == (2, Outcome.PASSING)
    alerts.now += 20 * SECOND
    alerts.receive(Woken()).ask("instance:c").ends()
    assert alerts.published(CheckStatus) == [], "this run began before it was asked for, and brought nothing new"
    assert alerts.ends().status.run == 4


def test_who_asks_is_told_how_often_it_has_said_no_so_far():
    alerts = Attachment().ask()
    assert [fact.failures_total for fact in alerts.sent(RunAssigned)] == [0]
    alerts.ends(Outcome.BLOCKING).ask().ends(Outcome.BLOCKING)
    assert alerts.status.failures_total == 2
    assert [fact.failures_total for fact in alerts.ask().sent(RunAssigned)] == [2]


def test_the_same_end_twice_is_one_no_and_an_unwanted_run_that_ended_ends_no_polling():
    alerts = Attachment().ask().ends(Outcome.BLOCKING).ends(Outcome.BLOCKING, run=1)
    assert alerts.last.failures_total == 1
    assert alerts.receive(CheckUnwanted(operation=f"{ENTITY}/check/1")).wake_at == START + 20 * SECOND


def test_results_follow_each_other_without_a_gap_as_long_as_none_is_older_than_its_greatest_age():
    for gap, since in ((45 * SECOND, START), (45 * SECOND + 1, START + 45 * SECOND + 1)):
        alerts = Attachment().ask().ends()
        alerts.now += gap
        status = alerts.ask().ends().status
        assert (status.covered, status.answered) == (since, since)


def test_an_unavailable_run_begins_the_answers_anew():
    alerts = Attachment().ask().ends().ask().ends(Outcome.UNAVAILABLE)
    alerts.now += 20 * SECOND
    status = alerts.ask().ends(Outcome.BLOCKING).status
    assert (status.covered, status.answered) == (0, alerts.now)
