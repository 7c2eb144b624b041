"""The way of a release through its group, at its edges: several groups, words that come early or again, what is remembered."""

from __future__ import annotations

from tests.core.dsl import GROUP, START, AdmissionDsl
from tests.core.dsl.waves import FIRST, REST, SECOND, failing_again_and_again, tenants

from setpoint.core import orders
from setpoint.core.admission.waves import KEPT_ENDED, KEPT_THROUGH, amount
from setpoint.core.facts import LimitsConfigured, WaveMembersNamed
from setpoint.core.instructions import Event
from setpoint.model.names import wave_progress_key
from setpoint.model.people import By
from setpoint.model.policy import GroupWaves, Wave
from setpoint.model.time import HOUR, MINUTE

OTHER = "saas/partners"
SEEN = By("ann", "seen to it")


def both(number: int = 1, **more: str) -> AdmissionDsl:
    """Two groups of two waves each."""
    waves = (Wave(("a",)), Wave(("b",)))
    groups = {group: GroupWaves(group, waves, **more) for group in (GROUP, OTHER)}
    return AdmissionDsl().receive(LimitsConfigured(number=number, groups=groups))


def fails(office: AdmissionDsl, *releases: int, group: str = GROUP) -> AdmissionDsl:
    """Releases of which all that was named has failed."""
    for release in releases:
        office.roster("a", release=release, group=group).votes_that("a", "failed", release=release, group=group)
    return office


def passes(office: AdmissionDsl, *releases: int, group: str = GROUP) -> AdmissionDsl:
    """Releases that everybody is through with."""
    for release in releases:
        office.roster("a", release=release, group=group).votes_that("a", "finalized", release=release, group=group)
    return office


def begins(office: AdmissionDsl, release: int, *, group: str = GROUP, number: int = 2) -> bool:
    """Whether an attempt of this wave may begin."""
    who = f"{group}-{release}-{len(office.last_request_ids)}"
    return who in office.ask(who, office.wave(number, group), release=release).granted


# --- opening -----------------------------------------------------------------------------------------------------------------


def test_what_happens_to_a_release_is_written_down_once():
    office = tenants(max_failures="2").votes_that("a", "finalized").votes_that("b", "finalized")
    office.votes_that("c", "out").votes_that("d", "out").votes_that("e", "failed").votes_that("a", "failed")
    assert office.events == [
        Event("wave-opened", "wave 2 of tenants may begin with release 1", release=1),
        Event("waves-stopped", "release 1 stops in tenants: a, e failed", release=1),
    ], "nobody waits for a wave that nobody is in"
    office.votes_that("b", "failed").resumes(why="")
    assert office.events[2:] == [Event("signal", "ann lets release 1 go on in tenants", release=1, by=By("ann", ""))]
    for channel in ("a", "b"):
        office.votes_that(channel, "finalized").votes_that(channel, "failed")
    assert office.history[-1] == "release 1 stops in tenants: a, b failed", "they failed anew"
    assert office.resumes().history[-1] == "ann lets release 1 go on in tenants: seen to it"


def test_each_wave_soaks_from_its_own_opening_though_it_was_finalized_before():
    office = tenants(soak=HOUR)
    for channel in (*FIRST, *SECOND):
        office.votes_that(channel, "finalized")
    office.ask("e", office.wave(3)).wait(2 * HOUR - 1)
    assert office.granted == []
    assert office.wait(1).granted == ["e"]


def test_a_channel_of_which_a_part_does_not_take_the_release_is_finalized_with_the_rest():
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",))).roster("a", "b", services=("web", "worker"))
    assert office.votes_that("a", "out", service="worker").ask("b", office.wave(2)).granted == []
    assert office.votes_that("a", "finalized").granted == ["b"]


def test_other_rules_count_at_once_for_what_is_under_way():
    office = tenants().votes_that("a", "finalized").ask("c", AdmissionDsl().wave(2))
    assert office.granted == []
    assert office.group(Wave(FIRST, need="50%"), Wave(SECOND), Wave(REST), number=2).granted == ["c"]


def test_a_set_begins_with_the_last_wave_of_its_members_whatever_else_it_needs():
    office = tenants().votes_that("a", "finalized").votes_that("b", "finalized")
    office.limits["x"] = 9
    assert office.ask("set", office.wave(1), office.wave(2), "x").granted == ["set"]
    assert office.ask("larger", office.wave(1), office.wave(3)).granted == ["set"]


def test_all_is_all():
    assert (amount("100%", 200), amount("50%", 0), amount("3", 0)) == (200, 0, 3)


# --- failures ----------------------------------------------------------------------------------------------------------------


def test_where_no_failure_is_allowed_the_first_one_stops_it_and_nothing_before():
    office = tenants(max_failures="0")
    assert office.ask("a", office.wave(1)).granted == ["a"]
    assert office.votes_that("a", "failed").ask("b", office.wave(1)).granted == ["a"]


def test_a_release_that_stopped_stays_stopped_since_the_first_time():
    office = tenants().wait(MINUTE).votes_that("a", "failed").wait(MINUTE).votes_that("b", "failed").wait(MINUTE)
    assert office.remembered.wave_progress[wave_progress_key(GROUP, 1)].stopped == START + MINUTE
    assert office.history == ["release 1 stops in tenants: a failed"]


def test_failures_that_a_person_took_note_of_are_not_counted_with_the_next_ones():
    office = tenants(max_failures="2").votes_that("a", "failed").votes_that("b", "failed").resumes()
    office.votes_that("c", "failed")
    assert begins(office, 1, number=1), "one that is new"
    office.votes_that("d", "failed").resumes().votes_that("e", "failed")
    assert begins(office, 1, number=1), "four of five are known by now"


def test_a_person_who_lets_go_on_what_has_not_stopped_forgives_nothing_in_advance():
    office = tenants(max_failures="2").votes_that("a", "failed")
    before = office.state
    office.resumes().resumes(release=7)
    assert (office.state, office.events) == (before, [])
    assert not begins(office.votes_that("b", "failed"), 1, number=1)


def test_an_act_that_is_told_again_after_the_next_failure_lets_nothing_go_on():
    office = tenants().votes_that("a", "failed").resumes(identity="1").votes_that("b", "failed")
    assert not begins(office.resumes(identity="1"), 1, number=1)
    assert begins(office.resumes(identity="2"), 1, number=1)
    for number in range(orders.KEPT + 9):
        office.resumes(identity=f"later-{number}")
    assert office.remembered.signals == tuple(f"later-{number}" for number in range(9, orders.KEPT + 9))


def test_acts_without_an_identity_are_each_their_own():
    office = tenants().votes_that("a", "failed").resumes().votes_that("b", "failed").resumes()
    assert begins(office, 1, number=1)
    assert office.remembered.signals == ()


# --- early, late, again --------------------------------------------------------------------------------------------------------


def test_what_is_said_before_the_line_has_spoken_opens_and_ends_nothing():
    office = tenants().votes_that("a", "started", release=2).roster(*FIRST, *SECOND, release=2)
    assert not begins(office, 2)
    alone = AdmissionDsl().group(Wave(("a", "b"))).votes_that("a", "finalized")
    assert not begins(alone, 1, number=1)
    assert begins(alone.roster("a", "b"), 1, number=1)


def test_the_line_speaks_once_of_each_release_and_names_somebody():
    office = AdmissionDsl().group(Wave(("a",)), Wave(("b",)))
    before = office.state
    assert office.receive(WaveMembersNamed(group=GROUP, release=1, instances=())).state == before
    office.roster("a", "b").roster("b").votes_that("b", "finalized")
    assert not begins(office, 1), "a was named at first, and is to come"


def test_who_goes_and_comes_back_is_counted_once():
    office = tenants(max_failures="9")
    for channel in (*FIRST, *SECOND, *REST):
        for state in ("started", "failed", "out", "failed", "started", "finalized", "failed", "finalized"):
            office.votes_that(channel, state)
    assert office.remembered.wave_progress == {}
    assert office.votes_that("a", "failed").remembered.wave_progress == {}


def test_channels_that_are_still_to_come_are_not_kept_among_those_that_are_through():
    office = tenants(max_failures="9").votes_that("a", "finalized").votes_that("b", "started").votes_that("c", "failed")
    office.votes_that("c", "started")
    assert office.remembered.wave_progress[wave_progress_key(GROUP, 1)].channels == {"a": "finalized"}


def test_a_release_that_all_are_through_with_before_the_waves_are_known_is_through():
    office = passes(AdmissionDsl(), 1)
    assert office.remembered.wave_progress == {}
    assert begins(office.group(Wave(("a",)), Wave(("b",))), 1)


# --- what is remembered ------------------------------------------------------------------------------------------------------


def test_of_many_releases_that_went_through_the_newest_are_remembered_and_the_older_ones_count_as_through():
    office = fails(both(), 1, 2)
    fails(office, *range(1001, 1001 + KEPT_ENDED), group=GROUP)
    for release in range(10, 10 + 2 * KEPT_THROUGH + 20, 2):
        passes(office, release)
    known = office.remembered.through[GROUP]
    assert (len(known), known[0], known[1]) == (KEPT_THROUGH, 30, 32)
    assert begins(office, 12), "forgotten since it was through"
    assert [begins(office, release) for release in (30, 31, 32, 999)] == [True, False, True, False]
    assert [begins(office, release) for release in (1, 2)] == [False, False], "these failed"
    assert begins(office.resumes(1), 1)
    assert not begins(office, 2)


def test_releases_of_one_group_say_nothing_about_those_of_another():
    office = fails(both(), *range(1, KEPT_ENDED + 1))
    fails(office, *range(1, KEPT_ENDED + 1), group=OTHER)
    assert len(office.remembered.wave_progress) == 2 * KEPT_ENDED, "so many are remembered of each"
    fails(office, 11, 12)
    assert office.remembered.halted == {GROUP: (1, 2)}
    fails(office, 11, group=OTHER)
    assert office.remembered.halted == {GROUP: (1, 2), OTHER: (1,)}
    office.resumes(1)
    assert (office.remembered.halted, office.remembered.through) == ({GROUP: (2,), OTHER: (1,)}, {GROUP: (1,)})
    assert (begins(office, 1), begins(office, 2), begins(office, 1, group=OTHER)) == (True, False, False)
    office.resumes(1, group=OTHER)
    assert (office.remembered.halted, office.remembered.through) == ({GROUP: (2,)}, {GROUP: (1,), OTHER: (1,)})
    passes(office, 40, group=OTHER).votes_that("b", "finalized", release=40, group=OTHER)
    assert office.remembered.through == {GROUP: (1,), OTHER: (1, 40)}


def test_of_those_that_failed_long_ago_only_so_many_are_remembered():
    office = fails(both(), *range(1, KEPT_THROUGH + KEPT_ENDED + 4))
    assert office.remembered.halted == {GROUP: tuple(range(4, KEPT_THROUGH + 4))}


def test_who_waits_for_a_release_that_is_forgotten_is_told_why_it_will_not_come():
    office = tenants().votes_that("a", "failed").ask("b", AdmissionDsl().wave(1))
    failing_again_and_again(office)
    assert office.queued["b"][0].text == "release 1 did not get through tenants: some of it failed long ago"


def test_one_that_goes_through_after_all_is_not_one_of_those_that_failed():
    office = both().roster("a", "b")
    fails(office, *range(2, KEPT_ENDED + 2))
    office.votes_that("a", "finalized").votes_that("b", "finalized")
    assert wave_progress_key(GROUP, 1) not in office.remembered.wave_progress
    assert (office.remembered.halted, office.remembered.through) == ({}, {GROUP: (1,)})


def test_a_group_that_has_no_waves_any_more_lets_go_what_had_stopped_in_it():
    office = fails(both(), 1)
    fails(office, 1, group=OTHER)
    rules = {OTHER: office.remembered.groups[OTHER]}
    office.receive(LimitsConfigured(number=2, groups=rules))
    assert (begins(office, 1), begins(office, 1, group=OTHER)) == (True, False)
