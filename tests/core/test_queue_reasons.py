"""What those who wait for admission are told, whole: who has what they need, since when, and who comes before."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.dsl import GROUP, START, AdmissionDsl
from tests.core.dsl.admission import budget
from tests.core.dsl.waves import FIRST, REST, SECOND, failing_again_and_again, tenants

from setpoint.core.admission.queue_status import FIRST_FEW
from setpoint.core.facts import AdmissionRequested, Granted, LimitsConfigured, Need, Queued, Returned
from setpoint.model.policy import Wave
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import DAY, HOUR, MINUTE
from setpoint.model.time import SECOND as ONE_SECOND

K8S = "runtime:k8s"
WAVES = f"wave:{GROUP}"
wave = AdmissionDsl().wave


# --- leases ------------------------------------------------------------------------------------------------------------------


def test_a_lease_that_is_held_is_told_whole():
    office = AdmissionDsl().ask("ann", K8S).wait(MINUTE).begins("ann").ask("bob", K8S)
    text = "runtime k8s allows 1 to deploy at a time: web@ann since 2026-01-01T00:00:00Z; no request is ahead"
    awaits = "a free place at runtime k8s"
    assert office.queued["bob"] == (
        Reason(Code.LEASE_TAKEN, text, subject=f"lease:{K8S}", since=START + MINUTE, awaits=awaits),
    ), "since it was granted; and since it asked"


@pytest.mark.parametrize(("limit", "more"), [(2, ""), (3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_three_holders_are_named_and_the_others_counted(limit: int, more: str):
    office = AdmissionDsl(x=limit)
    for number in range(limit):
        office.ask(f"t{number}", "x")
    (reason,) = office.ask("late", "x").queued["late"]
    named = ", ".join(f"web@t{number} since 2026-01-01T00:00:00Z" for number in range(min(limit, 3)))
    assert reason.text == f"the x allows {limit} to deploy at a time: {named}{more}; no request is ahead"


def test_before_one_come_those_that_asked_earlier_and_need_the_same_unit_whatever_else_they_need():
    office = AdmissionDsl().ask("ann", "x").ask("bea", "y").ask("bob", "y").ask("cleo", "y", "x").ask("dan", "x")
    assert [reason.text.rpartition("; ")[2] for reason in office.queued["dan"]] == ["1 request is ahead"]
    office.ask("eve", "x")
    assert office.queued["eve"][0].text.endswith("; 2 requests are ahead")


def test_a_lease_of_which_enough_is_free_is_no_reason():
    office = AdmissionDsl(x=4).ask("ann", "x").ask("bob", "y").ask("set", "x", "x", "x", "y")
    assert [reason.subject for reason in office.queued["set"]] == ["lease:y"]


def test_a_set_larger_than_the_limit_waits_for_the_last_holder_and_no_longer():
    office = AdmissionDsl(x=2).ask("ann", "x").ask("bob", "y").ask("set", "x", "x", "x", "y").ends("ann")
    assert [reason.subject for reason in office.queued["set"]] == ["lease:y"]


def test_who_asks_under_a_name_of_another_kind_is_named_by_it():
    asking = AdmissionRequested(requester="cron", request_id=1, attempt=1, release=1, needs=(Need("lease:x", 1),))
    assert "web" not in AdmissionDsl().receive(asking).ask("bob", "x").queued["bob"][0].text
    assert "at a time: cron since" in AdmissionDsl().receive(asking).ask("bob", "x").queued["bob"][0].text


def test_what_is_free_but_kept_for_another_is_told_whole():
    office = AdmissionDsl().ask("ann", "z").ask("bob", "x", "y", "z").wait(MINUTE)
    office.group(Wave(("c",))).roster("c").ask("cleo", office.wave(1), "x", "y")
    where = "the x and the y"
    text = f"the free place at {where} is kept for one that has waited longer; 1 request is ahead"
    assert office.queued["cleo"] == (
        Reason(Code.LEASE_TAKEN, text, subject="lease:x", since=START + MINUTE, awaits=f"a free place at {where}"),
    )


# --- budgets -----------------------------------------------------------------------------------------------------------------


def test_a_budget_that_is_spent_is_told_whole_with_those_who_are_about_to_spend_it():
    week = START + 7 * DAY
    need = replace(budget(week), unit="budget:application:saas/weekly")
    office = AdmissionDsl().ask("ann", need).begins("ann").ends("ann").ask("bob", need).wait(MINUTE).ask("cleo", need)
    text = "weekly lets 2 start in each window, and 1 have, 1 more are about to"
    told = Reason(Code.BUDGET_USED, text, subject=need.unit, since=START + MINUTE, until=week)
    assert office.queued["cleo"] == (told,)
    office.begins("bob").ask("dan", need)
    spent = "weekly lets 2 start in each window, and 2 have"
    assert (office.queued["cleo"], office.reasons("dan")) == ((replace(told, text=spent),), [spent])


def test_a_budget_of_which_enough_is_left_is_no_reason():
    need = budget(START + 7 * DAY)
    office = AdmissionDsl().ask("ann", need).begins("ann").ask("bob", "x").ask("cleo", need, "x")
    assert [reason.code for reason in office.queued["cleo"]] == ["lease-taken"]


# --- waves -------------------------------------------------------------------------------------------------------------------


def test_a_wave_that_is_not_open_is_told_whole():
    office = tenants(need="50%", max_failures="9").wait(MINUTE).votes_that("a", "failed").ask("c", wave(2))
    text = "wave 2 of tenants waits for wave 1: 0 of 1 finalized; a failed"
    told = Reason(Code.WAVE_NOT_OPEN, text, subject=WAVES, since=START + MINUTE, awaits="wave 1 of tenants")
    assert office.queued["c"] == (told,)
    office.votes_that("b", "finalized").ask("e", wave(3))
    assert office.granted == ["c"]
    assert office.queued["e"] == (
        replace(told, text="wave 3 of tenants waits for wave 2: 0 of 1 finalized", awaits="wave 2 of tenants"),
    )


@pytest.mark.parametrize(("left", "soon"), [(1, "1s"), (ONE_SECOND, "1s"), (ONE_SECOND + 1, "2s"), (HOUR, "1h")])
def test_a_wave_that_soaks_is_told_whole_and_for_how_long_rounded_up(left: int, soon: str):
    office = AdmissionDsl().group(Wave(FIRST), Wave(SECOND, HOUR), Wave(REST)).roster(*FIRST, *SECOND, *REST)
    for channel in FIRST:
        office.votes_that(channel, "finalized")
    office.wait(MINUTE)
    for channel in SECOND:
        office.votes_that(channel, "finalized")
    office.wait(HOUR - left).ask("e", wave(3))
    text = f"wave 3 of tenants waits for wave 2, which soaks for another {soon}"
    over = START + MINUTE + HOUR
    assert office.queued["e"] == (Reason(Code.WAVE_NOT_OPEN, text, subject=WAVES, since=START + MINUTE, until=over),)
    assert office.wake_at == over


def test_a_release_that_stopped_is_told_whole():
    office = tenants().wait(MINUTE).votes_that("a", "failed").wait(MINUTE).ask("b", wave(1))
    text = "release 1 stopped in tenants: a failed"
    told = Reason(
        Code.WAVE_STOPPED,
        text,
        subject=WAVES,
        since=START + MINUTE,
        awaits="resume",
        unblock="resume tenants --release 1",
        person=True,
    )
    assert office.queued["b"] == (told,)


def test_a_release_that_failed_long_ago_is_told_whole():
    office = failing_again_and_again(tenants().votes_that("a", "failed")).wait(MINUTE).ask("b", wave(1))
    text = "release 1 did not get through tenants: some of it failed long ago"
    told = Reason(
        Code.WAVE_STOPPED,
        text,
        subject=WAVES,
        since=START + MINUTE,
        awaits="resume",
        unblock="resume tenants --release 1",
        person=True,
    )
    assert office.queued["b"] == (told,)


def test_a_release_of_which_the_line_has_not_spoken_is_told_whole_though_some_have_voted():
    office = AdmissionDsl().group(Wave(FIRST), Wave(SECOND)).votes_that("b", "started").wait(MINUTE).ask("a", wave(1))
    text = "which channels of tenants release 1 names is not known yet"
    assert office.granted == []
    assert office.queued["a"] == (
        Reason(Code.WAVE_NOT_OPEN, text, subject=WAVES, since=START + MINUTE, awaits="the line's list of members"),
    )


# --- who is told, and when ---------------------------------------------------------------------------------------------------


def test_one_that_gets_all_at_once_is_told_so_and_nothing_else():
    assert AdmissionDsl().ask("ann", "x").sent == [("ann", Granted(request_id=1))]


def test_one_that_asks_and_gives_it_up_in_one_turn_is_told_nothing():
    office = AdmissionDsl().ask("ann", "x")
    asking = office.request("bob", "x")
    office.receive(asking, Returned(requester=asking.requester, request_id=asking.request_id, gone=True))
    assert office.sent == []


def test_words_to_one_are_numbered_and_only_new_ones_are_said():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x")
    ((_, queued),) = office.sent
    assert isinstance(queued, Queued)
    assert queued.number == 1
    office.ask("cleo", "x")
    assert [who for who, _ in office.sent] == ["cleo"], "for bob nothing has changed"
    office.returns("ann", gone=True)
    sent = {who: fact for who, fact in office.sent if isinstance(fact, Queued)}
    assert {who: fact.number for who, fact in sent.items()} == {"cleo": 2}
    office.ends("bob").ask("dan", "x", "y").ask("eve", "y")
    assert {who: (fact.request_id, fact.number) for who, fact in office.sent if isinstance(fact, Queued)} == {"eve": (1, 1)}


def test_what_concerns_others_is_told_to_others():
    office = AdmissionDsl().ask("ann", "x").ask("bea", "y").ask("bob", "x").ask("ben", "y").wait(MINUTE).ends("ann")
    assert [(who, type(fact)) for who, fact in office.sent] == [("bob", Granted)]
    office.ask("cleo", "x").ask("dan", "x").ends("bob")
    assert [who for who, _ in office.sent] == ["cleo", "dan"]


def test_of_each_queue_only_the_first_few_are_told_of_a_change():
    office = AdmissionDsl().ask("ann", "x")
    for number in range(20):
        office.ask(f"t{number}", "x")
    office.ends("ann")
    told = [who for who, fact in office.sent if isinstance(fact, Queued)]
    assert told == [f"t{number}" for number in range(1, 1 + FIRST_FEW)]


def test_a_stop_is_told_to_all_who_wait_for_the_release_whatever_else_they_wait_for_and_to_nobody_else():
    channels = tuple(f"t{number}" for number in range(2 * FIRST_FEW))
    office = AdmissionDsl().group(Wave(("a",)), Wave(channels)).roster("a", *channels).roster("a", *channels, release=2)
    office.ask("holder", "x")
    for channel in channels:
        office.ask(channel, "x", office.wave(2))
        office.ask(f"other-{channel}", "x", office.wave(2), release=2)
    office.votes_that("a", "failed")
    assert {who for who, _ in office.sent} == set(channels)
    office.resumes()
    assert {who for who, _ in office.sent} == set(channels)
    assert "waits for wave 1: 0 of 1 finalized; a failed" in office.queued[channels[-1]][1].text


def test_while_a_wave_soaks_nobody_is_told_every_turn_how_long_it_does():
    office = tenants(soak=HOUR).votes_that("a", "finalized").votes_that("b", "finalized").ask("c", wave(2))
    said = office.messages
    for minute in range(3):
        office.wait(MINUTE).ask(f"somebody-{minute}", "x")
    office.wait(MINUTE).receive(LimitsConfigured(number=9, groups=dict(office.remembered.groups)))
    assert office.messages == said + 3, "one for each of those who asked"
    assert office.wait(HOUR).granted[-1] == "c"
