"""Waves: channels of a group begin one wave after the other, and nothing new begins once too many of them have failed."""

from __future__ import annotations

import pytest
from tests.core.dsl import GROUP, AdmissionDsl
from tests.core.dsl.waves import FIRST, REST, SECOND, failing_again_and_again, tenants

from setpoint.core.admission.waves import KEPT_ENDED, amount
from setpoint.core.facts import LimitsConfigured
from setpoint.core.recording.codec import Codec
from setpoint.model.names import wave_progress_key
from setpoint.model.policy import Wave
from setpoint.model.time import HOUR, MINUTE


def test_the_first_wave_begins_at_once_and_the_second_waits_for_it():
    office = tenants()
    for who, number in (("a", 1), ("b", 1), ("c", 2), ("e", 3)):
        office.ask(who, office.wave(number))
    assert office.granted == ["a", "b"]
    assert office.queued["c"][0].text == "wave 2 of tenants waits for wave 1: 0 of 2 finalized"


def test_the_next_wave_opens_when_the_one_before_it_is_finalized():
    office = tenants().votes_that("a", "started").votes_that("a", "finalized")
    office.ask("c", office.wave(2))
    assert office.granted == []
    office.votes_that("b", "finalized")
    assert office.granted == ["c"]


def test_the_wave_after_the_next_stays_closed():
    office = tenants().votes_that("a", "finalized").votes_that("b", "finalized")
    office.ask("e", office.wave(3)).ask("c", office.wave(2))
    assert office.granted == ["c"]


def test_need_says_how_many_of_a_wave_must_be_finalized():
    office = tenants(need="50%").votes_that("b", "finalized")
    assert office.ask("c", office.wave(2)).granted == ["c"]


def test_a_wave_soaks_from_the_moment_at_which_enough_of_it_is_finalized():
    office = tenants(soak=HOUR).votes_that("a", "finalized").wait(HOUR).votes_that("b", "finalized")
    office.ask("c", office.wave(2)).wait(HOUR - 1)
    assert office.granted == []
    assert office.queued["c"][0].until == office.now + 1
    assert office.wait(1).granted == ["c"]


def test_a_soak_begins_anew_when_one_of_the_wave_is_rolled_back_meanwhile():
    office = tenants(soak=HOUR, max_failures="9").votes_that("a", "finalized").votes_that("b", "finalized").wait(30 * MINUTE)
    office.votes_that("b", "failed").votes_that("b", "finalized")
    office.ask("c", office.wave(2)).wait(HOUR - 1)
    assert office.granted == []
    assert office.wait(1).granted == ["c"]


def test_a_wave_that_has_been_opened_stays_open():
    office = tenants(max_failures="9").votes_that("a", "finalized").votes_that("b", "finalized").votes_that("b", "failed")
    assert office.ask("c", office.wave(2)).granted == ["c"]


def test_a_channel_is_finalized_when_all_its_services_are():
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",))).roster("a", "b", services=("web", "worker"))
    office.ask("b", office.wave(2)).votes_that("a", "finalized")
    assert office.granted == []
    office.votes_that("a", "finalized", service="worker")
    assert office.granted == ["b"]


def test_a_channel_fails_with_its_first_service():
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",))).roster("a", "b", services=("web", "worker"))
    office.votes_that("a", "failed", service="worker").votes_that("a", "finalized")
    office.ask("a", office.wave(1))
    assert "stopped in tenants: a failed" in office.queued["a"][0].text


# --- those that do not take the release ------------------------------------------------------------------------------------


def test_a_wave_of_pinned_tenants():
    """Nobody in it counts: the next one opens, and need not soak for nobody."""
    office = tenants(soak=HOUR).votes_that("a", "out").votes_that("b", "out")
    assert office.ask("c", office.wave(2)).granted == ["c"]


def test_one_that_does_not_take_it_does_not_count():
    office = tenants().votes_that("a", "out").votes_that("b", "finalized")
    assert office.ask("c", office.wave(2)).granted == ["c"]


def test_one_that_waits_at_a_gate_counts():
    office = tenants().votes_that("a", "started").votes_that("a", "finalized").ask("c", AdmissionDsl().wave(2))
    assert office.granted == []


def test_a_percentage_is_of_those_that_count():
    office = AdmissionDsl().group(Wave(("a", "b", "c", "d"), need="50%"), Wave(("e",))).roster(*"abcde")
    office.votes_that("a", "out").votes_that("b", "out").votes_that("c", "finalized")
    assert office.ask("e", office.wave(2)).granted == ["e"]


def test_channels_that_the_release_does_not_name_are_no_members_of_it():
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",)), Wave(("c",))).roster("b", "c")
    assert office.ask("b", office.wave(2)).ask("c", office.wave(3)).granted == ["b"]


# --- failures --------------------------------------------------------------------------------------------------------------


def test_as_many_failures_as_are_too_many_stop_the_release():
    office = tenants(max_failures="2").votes_that("a", "failed")
    assert office.ask("b", office.wave(1)).granted == ["b"]
    office.returns("b").votes_that("c", "failed").ask("b", office.wave(1), again=True)
    assert office.granted == ["b"]
    (reason,) = office.queued["b"]
    assert reason.text == "release 1 stopped in tenants: a, c failed"
    assert (reason.awaits, reason.unblock) == ("resume", "resume tenants --release 1")


def test_one_that_failed_and_is_tried_again_waits_for_the_resume_as_others_do():
    office = tenants(max_failures="1").votes_that("a", "failed").votes_that("a", "waiting")
    assert office.ask("a", office.wave(1)).granted == []
    assert office.queued["a"][0].text == "release 1 stopped in tenants after a failure"


def test_one_failure_stops_it_where_nothing_is_said():
    office = tenants().votes_that("a", "failed")
    assert office.ask("b", office.wave(1)).granted == []
    assert "release 1 stops in tenants: a failed" in office.history


def test_a_person_lets_it_go_on_and_only_new_failures_stop_it_again():
    office = tenants().votes_that("a", "failed").ask("b", tenants().wave(1)).resumes()
    assert office.granted == ["b"]
    office.votes_that("b", "failed").ask("c", office.wave(2))
    assert "b failed" in office.queued["c"][0].text
    assert "a, b" not in office.queued["c"][0].text


def test_it_stays_stopped_when_the_failed_one_is_tried_again():
    """A person who retries one has not said that the others may go on."""
    office = tenants().votes_that("a", "failed").votes_that("a", "waiting")
    assert office.ask("b", office.wave(1)).granted == []


def test_one_that_failed_is_forgiven_once():
    office = tenants().votes_that("a", "failed").resumes().votes_that("a", "started").votes_that("a", "failed")
    assert office.ask("b", office.wave(1)).granted == []


def test_going_on_twice_is_once():
    office = tenants().votes_that("a", "failed").resumes()
    before = office.state
    assert office.resumes().state == before


def test_another_release_is_not_stopped():
    office = tenants().votes_that("a", "failed").roster(*FIRST, *SECOND, *REST, release=2)
    assert office.ask("b", office.wave(1), release=2).granted == ["b"]


def test_everybody_who_waits_is_told_that_it_stopped():
    office = AdmissionDsl().group(Wave(("a",)), Wave(tuple(f"t{number}" for number in range(30))))
    office.roster("a", *(f"t{number}" for number in range(30)))
    for number in range(30):
        office.ask(f"t{number}", office.wave(2))
    office.votes_that("a", "failed")
    assert all("stopped" in office.queued[f"t{number}"][0].text for number in range(30))


def test_a_group_without_waves_has_its_failures_counted():
    office = AdmissionDsl().group(max_failures="1").roster("a", "b")
    assert office.ask("a", office.wave(1)).granted == ["a"]
    assert office.votes_that("a", "failed").ask("b", office.wave(1)).granted == ["a"]


# --- what comes late, twice, out of order ----------------------------------------------------------------------------------


def test_nobody_begins_before_the_line_has_said_who_is_named():
    office = AdmissionDsl().group(Wave(FIRST), Wave(SECOND)).ask("a", AdmissionDsl().wave(1))
    assert office.granted == []
    assert "not known yet" in office.queued["a"][0].text
    assert office.roster(*FIRST, *SECOND).granted == ["a"]


def test_what_was_said_before_the_line_spoke_counts():
    office = AdmissionDsl().group(Wave(FIRST), Wave(SECOND)).votes_that("a", "finalized").votes_that("b", "finalized")
    assert office.roster(*FIRST, *SECOND).ask("c", AdmissionDsl().wave(2)).granted == ["c"]


def test_nobody_begins_before_the_waves_are_known():
    office = AdmissionDsl().roster(*FIRST).ask("a", AdmissionDsl().wave(1))
    assert office.granted == []
    assert office.group(Wave(FIRST)).granted == ["a"]


def test_a_vote_with_a_lower_number_is_dropped():
    office = tenants().votes_that("a", "finalized", number=5).votes_that("a", "started", number=4).votes_that("b", "finalized")
    assert office.ask("c", office.wave(2)).granted == ["c"]


def test_an_older_configuration_is_dropped():
    office = tenants()
    office.receive(LimitsConfigured(number=0, groups={}))
    assert GROUP in office.remembered.groups


def test_a_group_that_has_no_waves_any_more_holds_nobody_back():
    office = tenants().ask("e", AdmissionDsl().wave(3))
    office.receive(LimitsConfigured(number=2, groups={}))
    assert office.granted == ["e"]


def test_other_waves_count_at_once():
    office = tenants().ask("e", AdmissionDsl().wave(3))
    assert office.group(Wave(("e", *FIRST)), Wave(SECOND), number=2).granted == []
    assert office.ask("e", office.wave(1), again=True).granted == ["e"]


def test_a_wave_and_a_lease_are_granted_together():
    office = tenants().ask("x", "k8s").ask("a", AdmissionDsl().wave(1), "k8s").ask("c", AdmissionDsl().wave(2), "k8s")
    assert [reason.code for reason in office.queued["c"]] == ["wave-not-open", "lease-taken"]
    office.ends("x")
    assert office.granted == ["x", "a"]


def test_who_waits_for_a_wave_keeps_no_lease_from_others():
    office = tenants().ask("c", AdmissionDsl().wave(2), "k8s").ask("x", "k8s")
    assert office.granted == ["x"]


# --- what is remembered ----------------------------------------------------------------------------------------------------


def test_a_release_that_everybody_is_through_with_is_forgotten():
    office = tenants()
    for channel in (*FIRST, *SECOND, *REST):
        office.votes_that(channel, "finalized")
    assert office.remembered.wave_progress == {}
    assert office.ask("late", office.wave(3)).granted == ["late"]


def test_one_that_stopped_stays_stopped_although_a_newer_one_is_through():
    """It may be wanted again: after a retry, or when the newer one is cancelled."""
    office = tenants().votes_that("a", "failed").roster(*FIRST, *SECOND, *REST, release=2)
    for channel in (*FIRST, *SECOND, *REST):
        office.votes_that(channel, "finalized", release=2)
        office.votes_that(channel, "out")
    assert office.ask("e", office.wave(3)).granted == []
    assert office.resumes().granted == ["e"]


def test_only_so_many_failed_releases_are_remembered():
    office = tenants()
    for release in range(2, KEPT_ENDED + 40):
        office.roster("a", "c", release=release).votes_that("a", "failed", release=release).votes_that(
            "c", "out", release=release
        )
    assert len(office.remembered.wave_progress) <= KEPT_ENDED + 1


def test_one_that_stopped_stays_stopped_however_many_have_failed_since():
    office = failing_again_and_again(tenants().votes_that("a", "failed"))
    assert wave_progress_key(GROUP, 1) not in office.remembered.wave_progress
    assert office.ask("b", office.wave(1)).granted == []
    assert office.reasons("b") == ["release 1 did not get through tenants: some of it failed long ago"]
    assert office.resumes().resumes().granted == ["b"]


def test_what_is_said_late_about_a_release_that_failed_long_ago_changes_nothing():
    office = failing_again_and_again(tenants().votes_that("a", "failed"))
    before = office.state
    assert office.votes_that("a", "finalized").roster(*FIRST, *SECOND, *REST).state == before


def test_failures_count_together_although_everybody_was_at_an_end_in_between():
    """One failed, all others were through or out: whoever takes it after all may be the failure that stops it."""
    office = AdmissionDsl().group(Wave(("a", "b", "c")), max_failures="2").roster("a", "b", "c")
    office.votes_that("a", "failed").votes_that("b", "finalized").votes_that("c", "out")
    office.votes_that("c", "failed").ask("a", office.wave(1))
    assert office.granted == []
    assert office.resumes().granted == ["a"]


def test_a_wave_that_soaks_is_not_forgotten_because_the_next_one_is_out():
    office = tenants(soak=HOUR)
    for channel in FIRST:
        office.votes_that(channel, "finalized")
    for channel in (*SECOND, *REST):
        office.votes_that(channel, "out")
    office.votes_that("c", "waiting").ask("c", office.wave(2))
    assert office.granted == []
    assert office.wait(HOUR).granted == ["c"]


def test_the_state_survives_being_written_and_read():
    office = tenants(soak=HOUR).votes_that("a", "failed").resumes().votes_that("b", "finalized")
    codec = Codec()
    fixed, changing = codec.encode_state("admission:organization", office.remembered, None)
    assert codec.decode_state("admission:organization", fixed or b"", changing) == office.state


@pytest.mark.parametrize(
    ("text", "of", "is_"), [("5", 3, 5), ("10%", 200, 20), ("1%", 3, 1), ("95%", 20, 19), ("0", 9, 0), ("0%", 9, 0)]
)
def test_amounts_are_rounded_up(text: str, of: int, is_: int):
    assert amount(text, of) == is_
