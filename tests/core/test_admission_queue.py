"""The places of those who ask for admission: what each word does to them, in which order, and how long they are known."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.dsl import START, AdmissionDsl, entity, state_of
from tests.core.dsl.admission import budget

from setpoint.core.admission import ENTITY, AdmissionState, decide
from setpoint.core.admission.draft import KEPT_ASKERS
from setpoint.core.admission.requests import KEPT_BUDGETS
from setpoint.core.facts import Began, Need, Queued, Woken
from setpoint.model.policy import Wave
from setpoint.model.time import DAY, HOUR, MINUTE

WEEK = START + 7 * DAY


# --- words that come again ---------------------------------------------------------------------------------------------------


def test_an_asking_that_comes_again_is_not_answered_again():
    """What was said is never lost; meanwhile the release may have stopped, and a second yes would be a new one."""
    office = AdmissionDsl()
    asking = office.request("ann", "x")
    assert office.receive(asking).granted == ["ann"]
    assert office.receive(asking).sent == []
    assert office.begins("ann").receive(asking).sent == []


def test_an_asking_that_was_given_up_before_it_came_ends_what_its_attempt_asked_for_before():
    office = AdmissionDsl().ask("ann", "x")
    assert office.granted == ["ann"]
    second = office.request("ann", "y", again=True)
    office.returns("ann", gone=True)
    assert office.holders("x") == ["ann"]
    assert office.receive(second).holders("x") == []
    assert office.remembered.requests == {}


def test_a_word_about_an_asking_that_nobody_heard_of_counts_when_that_comes():
    office = AdmissionDsl()
    first = office.request("ann", "x")
    office.ends("ann")
    assert office.receive(first).empty, "it has ended"
    assert office.ask("ann", "x", again=True).granted == ["ann"]


def test_numbers_that_were_heard_never_go_back():
    office = AdmissionDsl().ask("ann", "x").ends("ann").ask("ann", "x").ends("ann")
    office.ends("ann", request_id=1).returns("ann", request_id=1).returns("ann", request_id=1, gone=True)
    late = replace(office.request("ann", "y"), request_id=2)
    assert office.receive(late).granted == ["ann", "ann"]
    office.ask("bob", "x").ask("ann", "x").returns("ann")
    assert office.returns("ann", request_id=1).ends("bob").granted == ["ann", "ann", "bob"], "the last return stands"


def test_a_place_that_was_given_back_may_be_given_up():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x").returns("bob").returns("bob", gone=True)
    assert office.ends("ann").empty


def test_a_place_that_was_given_back_ends_nothing_and_begins_nothing():
    office = AdmissionDsl().ask("ann", "x").returns("ann").ends("ann").begins("ann")
    office.ask("bob", "x").ask("cleo", "x").ask("ann", "x", again=True).ends("bob")
    assert office.granted == ["ann", "bob", "ann"], "it was first all the time"


def test_an_attempt_that_gave_its_grant_back_gives_way_to_the_next_one_of_the_same_instance():
    office = AdmissionDsl().ask("ann", "x").returns("ann").ask("ann", "y")
    assert len(office.remembered.requests) == 1


# --- the order ---------------------------------------------------------------------------------------------------------------


def test_an_attempt_that_was_granted_its_leases_and_may_have_begun_lets_the_next_one_go_first():
    office = AdmissionDsl(x=2).ask("ann", "x").ask("bob", "x").ask("cleo", "x", "x").ask("ann", "x")
    assert office.granted == ["ann", "bob", "ann"], "the place is its own already"


def test_places_of_one_turn_come_in_the_order_of_their_asking_in_every_queue():
    office = AdmissionDsl(x=1, y=1).ask("holder", "x", "y")
    office.receive(*(office.request(f"{unit}{number}", unit) for number in range(30) for unit in ("x", "y")))
    office.ends("holder")
    for number in range(30):
        assert office.granted[-2:] == [f"x{number}", f"y{number}"]
        office.ends(f"x{number}").ends(f"y{number}")
    assert office.empty


def test_all_that_becomes_free_in_one_turn_is_granted_in_that_turn():
    office = AdmissionDsl(x=9).ask("set", *["x"] * 9)
    for number in range(12):
        office.ask(f"t{number}", "x")
    assert office.ends("set").granted == ["set", *(f"t{number}" for number in range(9))]


def test_who_stops_waiting_lets_pass_those_for_whom_a_place_was_kept():
    office = AdmissionDsl().ask("ann", "y").ask("bob", "x", "y").ask("cleo", "x")
    assert office.returns("bob").granted == ["ann", "cleo"]
    office = AdmissionDsl().ask("ann", "y").ask("bob", "x", "y").ask("cleo", "x")
    assert office.ask("bob", "y", again=True).granted == ["ann", "cleo"]


def test_who_waits_for_a_wave_or_a_budget_keeps_no_place_of_anything_else():
    office = AdmissionDsl().ask("ann", budget(WEEK, limit=1)).begins("ann")
    assert office.ask("bob", budget(WEEK, limit=1), "x").ask("cleo", "x").granted == ["ann", "cleo"]
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",))).roster("a", "b")
    assert office.ask("b", office.wave(2), "x").ask("cleo", "x").granted == ["cleo"]


def test_who_needs_the_same_waits_in_one_queue_whatever_it_is_about_and_waves_apart():
    office = AdmissionDsl().ask("ann", "x", "y")
    office.ask("bob", "x", "y", release=2).ask("cleo", "y", "x", release=3)
    assert [len(line) for line in office.remembered.queues.values()] == [2]
    office.group(Wave(("a",)), Wave(("b",)))
    for channel, number in (("a", 1), ("b", 2), ("c", 2)):
        office.ask(channel, office.wave(number), release=4)
    office.ask("d", office.wave(2), release=5)
    assert sorted(len(line) for line in office.remembered.queues.values()) == [1, 1, 2, 2]


def test_members_of_a_set_are_remembered_as_it_last_asked():
    office = AdmissionDsl().ask("ann", "x")
    office.receive(replace(office.request("set", "x", "x"), members=("a", "b")))
    office.receive(replace(office.request("set", "x", again=True), members=("a",)))
    (place,) = [place for place in office.remembered.requests.values() if place.requester == entity("set")]
    assert (place.members, len(place.needs)) == (("a",), 1)


# --- time --------------------------------------------------------------------------------------------------------------------


def test_a_place_remembers_when_it_asked_first_and_since_when_it_has_what_it_needs():
    office = AdmissionDsl().ask("ann", "x").wait(HOUR).returns("ann").wait(HOUR).ask("ann", "x", again=True)
    (place,) = office.remembered.requests.values()
    assert (place.requested_at, place.since, place.stage, place.queue) == (START, START + 2 * HOUR, "granted", "")
    (place,) = office.wait(HOUR).begins("ann").remembered.requests.values()
    assert (place.since, place.stage) == (START + 2 * HOUR, "started")
    (place,) = AdmissionDsl().ask("ann", "x").returns("ann").remembered.requests.values()
    assert (place.since, place.stage, place.queue) == (0, "returned", "")


def test_an_asking_is_never_from_a_moment_that_lies_ahead():
    office = AdmissionDsl()
    decision = office.request("ann", "x")
    office.now += HOUR
    asked = replace(decision, at=office.now)
    office.now -= HOUR
    state = state_of(decide(ENTITY, None, (asked,), office.now), AdmissionState)
    assert [place.requested_at for place in state.requests.values()] == [office.now]


def test_it_is_woken_for_the_first_of_several_soaks():
    office = AdmissionDsl()
    office.group(Wave(("a",), HOUR), Wave(("b",)))
    for release, pause in ((1, 0), (2, MINUTE), (3, MINUTE)):
        office.wait(pause).roster("a", "b", release=release).votes_that("a", "finalized", release=release)
    assert office.receive(Woken()).wake_at == START + HOUR
    assert office.wait(HOUR - 2 * MINUTE).wake_at == START + HOUR + MINUTE


# --- budgets -----------------------------------------------------------------------------------------------------------------


def test_what_was_granted_of_a_budget_and_has_not_begun_counts_like_what_has():
    office = AdmissionDsl().ask("ann", budget(WEEK, limit=1)).ask("bob", budget(WEEK, limit=1))
    assert office.granted == ["ann"], "that one has not begun is no reason for another to begin"
    assert office.returns("ann").granted == ["ann", "bob"], "given back, it is not spent"
    office = AdmissionDsl().ask("ann", budget(WEEK)).begins("ann").ask("bob", budget(WEEK)).ask("cleo", budget(WEEK))
    assert office.granted == ["ann", "bob"]
    office = AdmissionDsl().ask("ann", budget(WEEK, limit=1)).ask("ann", budget(WEEK, limit=1))
    assert office.granted == ["ann"], "nor when it is one's own, which may have begun"


def test_a_set_spends_of_a_budget_what_each_of_its_members_does():
    office = AdmissionDsl().ask("set", budget(WEEK, limit=3), budget(WEEK, limit=3)).ask("ann", budget(WEEK, limit=3))
    assert office.ask("bob", budget(WEEK, limit=3)).granted == ["set", "ann"]
    office.begins("set").begins("ann")
    assert [spent.count for spent in office.remembered.spent.values()] == [3]


def test_a_lease_is_held_and_a_budget_is_not_once_it_has_begun():
    office = AdmissionDsl().ask("ann", budget(WEEK), "x").begins("ann")
    assert list(office.remembered.holders) == ["lease:x"]
    assert office.remembered.spent[f"budget:weekly@{START}"].count == 1


def test_what_was_spent_is_forgotten_a_week_after_its_occurrence_to_the_millisecond():
    def remembered(later: int) -> int:
        office = AdmissionDsl().ask("ann", budget(START + DAY)).begins("ann").ends("ann")
        office.now = START + DAY + KEPT_BUDGETS + later
        office.ask("bob", Need("budget:weekly", 2, occurrence=office.now, until=office.now + DAY)).begins("bob")
        return len(office.remembered.spent)

    assert (remembered(-1), remembered(0)) == (2, 1)


# --- what is known of whom -----------------------------------------------------------------------------------------------------


def test_of_those_who_hold_and_wait_for_nothing_the_newest_are_known_and_everybody_else_always():
    office = AdmissionDsl().ask("holder", "x").ask("waiter", "x")
    for number in range(2 * KEPT_ASKERS + 2 * 2 - 2):
        office.ask(f"t{number}", f"x{number}").ends(f"t{number}")
    assert len(office.remembered.requesters) == 2 * KEPT_ASKERS + 2 * 2, "as many as there may be"
    office.ask("last", "y").ends("last")
    known = [name.rpartition("@")[2] for name in office.remembered.requesters]
    assert len(known) == KEPT_ASKERS + 2
    assert {"holder", "waiter", "last"} <= set(known)
    assert office.ends("holder").granted[-1] == "waiter"


def test_words_of_somebody_unknown_mean_nothing():
    office = AdmissionDsl()
    office.receive(Began(requester=entity("nobody"), request_id=1))
    assert (office.sent, office.empty) == ([], True)


def test_nothing_to_tell_leaves_the_state_as_it_was():
    office = AdmissionDsl().ask("ann", "x").ask("bob", "x")
    before = office.state
    assert office.receive(Woken()).state is before
    assert office.receive(Began(requester=entity("bob"), request_id=1)).state is before
    assert not [fact for _, fact in office.sent if isinstance(fact, Queued)]


def test_who_asks_anew_is_told_anew_what_it_waits_for():
    office = AdmissionDsl().ask("bob", "x").begins("bob").ask("ann", "x")
    office.ask("ann", "x", again=True)
    ((who, told),) = office.sent
    assert isinstance(told, Queued)
    assert (who, told.request_id, told.number) == ("ann", 2, 1)
