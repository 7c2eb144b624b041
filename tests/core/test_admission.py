"""Leases: granted in one turn, all or none, to who asked first; held until the rollout left deployment, and never lost."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, AdmissionDsl, entity
from tests.core.dsl.admission import budget

from setpoint.core.admission import granting
from setpoint.core.facts import AdmissionRequested, Ended, Need
from setpoint.core.recording.codec import Codec
from setpoint.model.time import DAY


def test_what_is_free_is_granted_at_once():
    assert AdmissionDsl().ask("ann", "x").granted == ["ann"]


def test_no_more_than_the_limit_hold_a_lease():
    office = AdmissionDsl(x=2)
    for who in ("ann", "bob", "cleo"):
        office.ask(who, "x")
    assert office.granted == ["ann", "bob"]
    assert office.holders("x") == ["ann", "bob"]


def test_an_end_lets_the_next_one_begin():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("cleo", "x")
    office.begins("ann").ends("ann")
    assert office.granted == ["ann", "bob"]


def test_a_clock_releases_nothing():
    office = AdmissionDsl().ask("ann", "x").begins("ann").ask("bob", "x").wait(10**9)
    assert office.holders("x") == ["ann"]


def test_all_that_is_needed_is_granted_or_nothing():
    office = AdmissionDsl().ask("ann", "y").ask("bob", "x", "y").ask("cleo", "x")
    assert office.granted == ["ann"], "the free x is kept for bob, who has waited longest for it"
    office.ends("ann")
    assert office.granted == ["ann", "bob"]
    assert office.holders("x") == office.holders("y") == ["bob"]


def test_two_leases_taken_crosswise():
    """Both name the same two in opposite order: one gets both, then the other."""
    office = AdmissionDsl().receive(AdmissionDsl().request("ann", "x", "y"), AdmissionDsl().request("bob", "y", "x"))
    office.last_request_ids.update(ann=1, bob=1)
    assert office.granted == ["ann"]
    office.begins("ann").ends("ann")
    assert office.granted == ["ann", "bob"]
    assert office.begins("bob").ends("bob").empty


def test_one_that_waits_is_passed_by_who_needs_other_units():
    office = AdmissionDsl(x=1, y=2).ask("ann", "x").ask("bob", "x", "y").ask("cleo", "y").ask("dan", "z")
    assert office.granted == ["ann", "cleo", "dan"]


def test_who_needs_two_units_is_not_starved_by_streams_of_those_who_need_one():
    office = AdmissionDsl().ask("a0", "x").ask("b0", "y").ask("both", "x", "y")
    for number in range(1, 20):
        office.ask(f"a{number}", "x").ask(f"b{number}", "y")
        if f"a{number - 1}" in office.granted:
            office.ends(f"a{number - 1}")
        if f"b{number - 1}" in office.granted:
            office.ends(f"b{number - 1}")
        if "both" in office.granted:
            break
    assert office.granted == ["a0", "b0", "both"]


def test_who_asked_first_comes_first():
    office = AdmissionDsl().ask("ann", "x")
    for who in ("bob", "cleo", "dan"):
        office.ask(who, "x")
    for who in ("ann", "bob", "cleo"):
        office.ends(who)
    assert office.granted == ["ann", "bob", "cleo", "dan"]


def test_a_place_is_kept_when_a_grant_is_returned():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("cleo", "x").ask("dan", "x")
    office.ends("ann").returns("bob")
    assert office.granted[-1] == "cleo"
    office.ask("bob", "x", again=True).ends("cleo")
    assert office.granted[-1] == "bob", "dan asked later"


def test_a_returned_grant_is_not_granted_again_unasked():
    office = AdmissionDsl().ask("ann", "x").returns("ann")
    assert office.granted == ["ann"]
    assert office.holders("x") == []
    assert office.ask("ann", "x", again=True).granted == ["ann", "ann"]


def test_a_place_that_is_not_wanted_any_more_is_given_up():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("cleo", "x")
    office.returns("bob", gone=True).ends("ann")
    assert office.granted == ["ann", "cleo"]


def test_a_new_attempt_takes_the_place_of_an_old_one_that_waits_and_never_gave_it_up():
    office = AdmissionDsl().ask("bob", "x").ask("ann", "x").ask("ann", "y").ends("bob")
    assert office.granted == ["bob", "ann"]
    assert (office.holders("x"), office.holders("y")) == ([], ["ann"])


@pytest.mark.parametrize(("late", "held"), [("begins", ["ann"]), ("ends", ["bob"]), ("returns", ["bob"])])
def test_an_asking_that_overtakes_the_beginning_of_the_attempt_before_frees_nothing(late: str, held: list[str]):
    """Whether that has begun, and holds what it was granted, is only known by its own word."""
    office = AdmissionDsl().ask("ann", "x").ask("ann", "y").ask("bob", "x")
    assert office.granted == ["ann", "ann"]
    {"begins": office.begins, "ends": office.ends, "returns": office.returns}[late]("ann", request_id=1)
    assert office.holders("x") == held


@pytest.mark.parametrize("stage", ["waiting", "granted", "started", "ended"])
def test_every_word_may_come_twice(stage: str):
    office = AdmissionDsl().ask("other", "x") if stage == "waiting" else AdmissionDsl()
    asking = office.request("ann", "x")
    office.receive(asking)
    if stage in {"started", "ended"}:
        office.begins("ann").begins("ann")
    if stage == "ended":
        office.ends("ann").ends("ann")
    before = office.state
    office.receive(asking)
    assert office.state == before


def test_an_asking_that_comes_after_its_return_is_dropped():
    office = AdmissionDsl()
    asking = office.request("ann", "x")
    assert office.returns("ann", gone=True).receive(asking).empty


def test_an_asking_that_is_overtaken_by_its_return_keeps_its_place_and_waits_for_nothing():
    office = AdmissionDsl()
    asking = office.request("ann", "x")
    office.returns("ann").receive(asking)
    assert office.granted == []
    assert office.ask("bob", "x").ask("ann", "x", again=True).granted == ["bob"]
    assert office.ends("bob").granted == ["bob", "ann"]


def test_a_late_release_by_an_old_holder():
    """Its attempt has ended long ago; the lease belongs to another by now, or to a later attempt of its own."""
    office = AdmissionDsl().ask("ann", "x").begins("ann").ends("ann")
    office.ask("bob", "x").begins("bob").ends("ann", request_id=1).returns("ann", request_id=1, gone=True)
    assert office.holders("x") == ["bob"]
    office.ends("bob").ask("ann", "x").begins("ann").ends("ann", request_id=1)
    assert office.holders("x") == ["ann"]


def test_a_foreign_release_frees_nothing():
    office = AdmissionDsl().ask("ann", "x").begins("ann")
    office.receive(Ended(requester=entity("bob"), request_id=1)).returns("ann", request_id=99)
    assert office.holders("x") == ["ann"]


def test_what_has_begun_is_not_given_back_by_a_return():
    office = AdmissionDsl().ask("ann", "x").begins("ann").returns("ann").returns("ann", gone=True)
    assert office.holders("x") == ["ann"]


def test_an_end_that_overtakes_its_beginning_leaves_nothing():
    assert AdmissionDsl().ask("ann", "x").ends("ann").begins("ann").empty


def test_a_limit_lowered_below_its_holders():
    """It only stops grants: nobody is taken down for it."""
    office = AdmissionDsl(x=3)
    for who in ("ann", "bob", "cleo"):
        office.ask(who, "x").begins(who)
    office.limits["x"] = 1
    office.ask("dan", "x").ends("ann").ends("bob")
    assert office.holders("x") == ["cleo"]
    assert office.ends("cleo").granted[-1] == "dan"


def test_a_raised_limit_lets_those_begin_who_ask_anew():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x")
    office.limits["x"] = 2
    assert office.ask("bob", "x", again=True).granted == ["ann", "bob"]


def test_an_urgent_attempt_does_not_wait_for_the_lease_of_the_rollout_that_it_replaces():
    """Nor behind anybody who waits for that very lease."""
    office = AdmissionDsl().ask("ann", "x").begins("ann").ask("bob", "x").ask("ann", "x")
    assert office.granted == ["ann", "ann"]
    office.begins("ann").ends("ann", request_id=1)
    assert office.holders("x") == ["ann"]
    assert office.ends("ann").granted[-1] == "bob"


def test_a_set_gets_a_place_for_each_member_or_waits_for_all():
    office = AdmissionDsl(x=3).ask("ann", "x").ask("bob", "x")
    office.ask("set", "x", "x", "x").ask("cleo", "x")
    assert office.granted == ["ann", "bob"]
    assert office.ends("ann").granted == ["ann", "bob"]
    assert office.ends("bob").granted == ["ann", "bob", "set"]


def test_a_set_larger_than_the_limit_begins_when_nobody_else_holds_any():
    office = AdmissionDsl().ask("ann", "x").ask("set", "x", "x")
    assert office.ends("ann").granted == ["ann", "set"]
    assert office.ask("bob", "x").granted == ["ann", "set"]


# --- what those who wait are told ------------------------------------------------------------------------------------------


def test_one_that_waits_is_told_who_holds_the_lease_since_when_and_how_many_come_before():
    office = AdmissionDsl().ask("ann", "runtime:k8s").ask("bob", "runtime:k8s").ask("cleo", "runtime:k8s")
    (reason,) = office.queued["cleo"]
    assert reason.text == ("runtime k8s allows 1 to deploy at a time: web@ann since 2026-01-01T00:00:00Z; 1 request is ahead")
    assert reason.awaits == "a free place at runtime k8s"


def test_it_is_told_again_when_the_holder_changes():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("cleo", "x").ends("ann")
    assert "web@bob" in office.queued["cleo"][0].text


def test_all_that_is_missing_is_told():
    office = AdmissionDsl().ask("ann", "x", "y").ask("bob", "x", "y")
    assert len(office.queued["bob"]) == 2


def test_one_for_which_only_a_kept_place_is_free_is_told_so():
    office = AdmissionDsl().ask("ann", "y").ask("bob", "x", "y").ask("cleo", "x")
    assert "kept for one that has waited longer" in office.queued["cleo"][0].text


def test_only_the_first_few_are_told_of_every_change():
    office = AdmissionDsl().ask("holder", "x")
    for number in range(200):
        office.ask(f"t{number}", "x")
    before = office.messages
    office.ends("holder")
    assert office.messages - before < 10


def test_ten_thousand_who_wait_cost_a_turn_no_walk_over_all_of_them(monkeypatch: pytest.MonkeyPatch):
    """Of everybody who needs just the same only the first is looked at."""
    office = AdmissionDsl(x=5)
    office.receive(*(office.request(f"t{number}", "x", f"y{number % 7}") for number in range(10_000)))
    looked, used = 0, granting.used

    def counting(*arguments: Any) -> int:
        nonlocal looked
        looked += 1
        return used(*arguments)

    monkeypatch.setattr(granting, "used", counting)
    office.ends("t0")
    assert looked < 100


# --- state -----------------------------------------------------------------------------------------------------------------


def test_the_state_survives_being_written_and_read():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("cleo", Need("budget:channel:saas/acme/hours", 3, 5, 99))
    codec = Codec()
    fixed, changing = codec.encode_state("admission:organization", office.remembered, None)
    assert codec.decode_state("admission:organization", fixed or b"", changing) == office.state


def test_those_who_once_asked_are_forgotten_in_the_end():
    office = AdmissionDsl()
    for number in range(3_000):
        office.ask(f"t{number}", f"x{number}").ends(f"t{number}")
    assert len(office.remembered.requesters) <= 2_001


def test_an_asking_with_a_lower_number_than_one_heard_changes_nothing():
    office = AdmissionDsl().ask("ann", "x")
    late: AdmissionRequested = replace(office.request("ann", "y"), request_id=1)
    before = office.state
    assert office.receive(late).state == before


# --- what changes while one waits, and what is spent --------------------------------------------------------------------------


def test_an_attempt_that_asks_anew_needs_what_it_names_now():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").ask("bob", "y", again=True)
    assert office.granted == ["ann", "bob"]
    assert (office.holders("x"), office.holders("y")) == (["ann"], ["bob"])


def test_a_deployment_is_spent_when_it_begins_once_and_for_as_long_as_its_occurrence():
    week = START + 7 * DAY
    office = AdmissionDsl()
    for who in ("ann", "bob"):
        office.ask(who, budget(week)).begins(who).begins(who).ends(who)
    assert office.ask("cleo", budget(week)).granted == ["ann", "bob"], "two were admitted, and their ends give nothing back"
    assert {key: spent.count for key, spent in office.remembered.spent.items()} == {next(iter(office.remembered.spent)): 2}


def test_what_was_spent_is_forgotten_long_after_its_occurrence():
    office = AdmissionDsl().ask("ann", budget(START + DAY)).begins("ann").ends("ann")
    office.now += 365 * DAY
    later = Need("budget:weekly", 2, occurrence=office.now, until=office.now + DAY)
    office.ask("bob", later).begins("bob")
    assert len(office.remembered.spent) == 1
