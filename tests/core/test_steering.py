"""Moving the runtime towards target, to the very moment: when it is applied, when once more, how often it is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Instance, check
from tests.core.dsl.situations import adopting, settled, stubborn

from setpoint.core.facts import Healing, Observing
from setpoint.core.instance.reconcile import QUIET
from setpoint.core.instance.state import Applying, Breaker
from setpoint.core.instructions import Apply, Event, Watch
from setpoint.model.people import By
from setpoint.model.policy import DriftPolicy, Phase
from setpoint.model.time import HOUR, MINUTE, SECOND

ANN = By("ann", "let me look")
OFTEN, SELDOM = 2 * SECOND, 5 * MINUTE
PACE: dict[str, Any] = {"poll_moving": OFTEN, "poll_settled": SELDOM}


def drifts(prod: Instance, difference: str = "a") -> Instance:
    """Seen so, and put right: the next look shows it well."""
    return prod.observed("1.0", difference=difference).applied().observed("1.0")


# --- applying ----------------------------------------------------------------------------------------------------------------


def test_an_apply_says_what_shall_run_and_how_it_is_looked_at_from_then_on():
    prod = Instance(**PACE).offer(1, "1.0")
    operation = "instance:app/web@production/apply/1"
    (given,) = prod.gave(Apply)
    number = prod.applying.watch
    assert given == Apply(operation, "spec-1.0", Watch(number, OFTEN, "spec-1.0"))
    assert prod.applying == Applying(
        count=1, operation=operation, spec="spec-1.0", watch=number, every=OFTEN, look_requested=True
    )  # fmt: skip
    prod.comes_up("1.0")
    assert prod.gave(Watch) == [Watch(number + 1, SELDOM, "spec-1.0")]
    assert (prod.applying.watch, prod.applying.every) == (number + 1, SELDOM)
    (again,) = prod.wait(MINUTE).observed("").gave(Apply)
    assert (again.operation, again.watch.number) == ("instance:app/web@production/apply/2", number + 2)
    assert (prod.applying.taken, prod.applying.look_requested) == (0, True)


def test_what_is_not_wanted_to_run_yet_is_watched_without_anything_to_compare_with():
    prod = Instance(**PACE)
    assert prod.gave(Watch) == [Watch(1, SELDOM, "")]


def test_an_apply_that_failed_is_made_again_at_the_end_of_its_back_off_and_not_before():
    prod = Instance().offer(1, "1.0").applied("no route")
    due = prod.due
    prod.now = due - 1
    assert prod.observed("").gave(Apply) == []
    assert prod.wake_at == due
    prod.now = due
    assert len(prod.observed("").gave(Apply)) == 1


def test_an_apply_that_does_not_show_is_made_again_at_the_end_of_its_grace_and_not_before():
    prod = Instance(grace=10 * SECOND).offer(1, "1.0").applied().wait(SECOND).observed("")
    assert prod.wake_at == START + 10 * SECOND
    prod.now = START + 10 * SECOND - 1
    assert prod.observed("").gave(Apply) == []
    prod.now += 1
    assert len(prod.observed("").gave(Apply)) == 1


def test_a_look_from_before_the_apply_ended_does_not_have_it_made_again():
    prod = Instance(grace=10 * SECOND).with_good(1, "1.0").wait(MINUTE).offer(2, "1.1").applied()
    early = prod.look("")
    prod.receive(replace(early, watch=early.watch - 1)).wait(HOUR)
    assert prod.applies == ["spec-1.0", "spec-1.1"]


def test_an_older_version_that_runs_still_is_not_drift_of_a_rollout():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied().wait(MINUTE).observed("1.0").wait(30 * SECOND)
    assert prod.applies == ["spec-1.0", "spec-1.1"]


# --- drift -------------------------------------------------------------------------------------------------------------------


def test_drift_is_written_down_when_it_is_seen_first_and_again_after_it_stayed_away_long_enough():
    prod = settled(drift=DriftPolicy(breaker=9)).observed("1.0", difference="a", message="replicas 2")
    assert prod.events[-1] == Event("drift", "drift: replicas 2", release=1, version="1.0")
    prod.applied().wait(SECOND).observed("1.0")
    away, seen = prod.now, len(prod.events)
    assert prod.maybe_breaker == Breaker("a", 1, START + MINUTE, away=away)
    prod.wait(MINUTE).observed("1.0")
    assert prod.breaker.away == away, "since it was seen well first"
    prod.now = away + QUIET - 1
    drifts(prod)
    assert (len(prod.events), prod.breaker.count) == (seen, 2), "the same, once more"
    away = prod.now
    prod.now = away + QUIET
    drifts(prod)
    assert (len(prod.events), prod.breaker.count) == (seen + 1, 1), "counted from one"


def test_another_difference_is_another_drift():
    prod = settled(drift=DriftPolicy(breaker=9))
    drifts(drifts(prod), "b")
    assert (prod.breaker.difference, prod.breaker.count) == ("b", 1)
    assert sum(event.kind == "drift" for event in prod.events) == 2


def test_the_first_sight_of_a_difference_is_put_right_at_once_and_its_return_after_the_grace():
    prod = settled(grace=10 * SECOND).observed("1.0", difference="a")
    assert prod.applying.operation
    prod.applied().wait(SECOND).observed("1.0", difference="a")
    taken = prod.applying.taken
    assert (prod.applying.operation, prod.wake_at) == ("", taken + 10 * SECOND)
    prod.now = taken + 10 * SECOND - 1
    assert prod.observed("1.0", difference="a").gave(Apply) == []
    prod.now += 1
    assert len(prod.observed("1.0", difference="a").gave(Apply)) == 1
    other = settled(grace=10 * SECOND).observed("1.0", difference="a").applied().wait(SECOND)
    assert len(other.observed("1.0", difference="b").gave(Apply)) == 1, "another one is not what was put right just now"


def test_a_breaker_that_trips_is_written_down_once_and_keeps_hands_off():
    prod = stubborn(settled(drift=DriftPolicy(breaker=2)), 6)
    assert [event.text for event in prod.events if event.kind == "breaker"] == [
        "the same difference came back 2 times: not healed until it changes or a person resumes"
    ]
    (reason,) = prod.explained
    assert (reason.code, reason.since, reason.unblock) == ("breaker-open", START + MINUTE, "resume")
    prod.observed("1.0", difference="a", healthy=False).wait(2 * QUIET).observed("1.0", difference="a")
    assert prod.breaker.tripped


def test_a_tripped_breaker_is_reset_by_a_look_that_shows_it_well_and_by_no_other():
    prod = stubborn(settled(drift=DriftPolicy(breaker=2)), 6).observed("1.0", healthy=False)
    assert prod.breaker.tripped, "without the difference, but not well either"
    prod.wait(2 * QUIET).observed("1.0", difference="a")
    assert (prod.breaker.tripped, prod.applying.operation) == (True, "")
    assert prod.observed("1.0").maybe_breaker is None
    mild = settled(drift=DriftPolicy(breaker=9))
    drifts(mild)
    assert mild.breaker.count == 1, "one that has not tripped goes on counting"


def test_an_instance_whose_drift_is_only_reported_remembers_that_it_stands():
    prod = settled(drift=DriftPolicy(mode="report")).observed("1.0", difference="a")
    assert prod.maybe_breaker == Breaker("a", 0, START + MINUTE)
    prod.observed("1.0").observed("1.0", difference="a")
    assert prod.breaker.away == 0
    assert prod.reasons == ["drift: 1.0 runs, 1.0 is wanted (drift mode report: nothing is done about it)"]
    assert sum(event.kind == "drift" for event in prod.events) == 1


def test_what_cannot_be_asked_or_is_being_applied_does_not_drift():
    prod = settled(drift=DriftPolicy(mode="report")).observed("1.0", difference="a").unobserved()
    assert prod.condition == "unreachable"
    assert prod.receive(Healing(by=ANN)).applies == ["spec-1.0"]
    healed = settled().observed("1.0", difference="a")
    assert healed.condition == "unhealthy"
    assert healed.reasons == ["1.0 is being applied again"]
    moving = Instance().with_good(1, "1.0").offer(2, "1.1").applied().observed("1.1", difference="a")
    assert not moving.waits_for("drift:")


def test_nothing_at_all_is_drift_where_something_is_wanted():
    prod = settled(drift=DriftPolicy(mode="report")).observed("")
    assert prod.reasons[0].startswith("drift: nothing runs, 1.0 is wanted")
    empty = Instance(drift=DriftPolicy(mode="report")).with_good(1, "1.0").wait(MINUTE).observed("", complete=True)
    assert empty.condition == "converged"


# --- looking -----------------------------------------------------------------------------------------------------------------


def every(prod: Instance) -> int:
    return prod.applying.every


def test_it_looks_often_while_a_drift_is_being_put_right_and_seldom_otherwise():
    prod = settled(**PACE, drift=DriftPolicy(breaker=2))
    assert every(prod) == SELDOM
    prod.observed("1.0", difference="a").applied().wait(SECOND).observed("1.0", difference="a")
    assert every(prod) == OFTEN
    assert every(prod.observed("1.0")) == SELDOM
    tripped = stubborn(settled(**PACE, drift=DriftPolicy(breaker=2)), 6)
    assert (every(tripped), every(tripped.wait(HOUR))) == (SELDOM, SELDOM), "hands off, no hurry"


@pytest.mark.parametrize("mode", ["report", "observe"])
def test_it_looks_seldom_where_drift_is_not_put_right(mode: str):
    prod = settled().configure(**PACE, drift=DriftPolicy(mode=mode)).observed("1.0", difference="a").wait(MINUTE)
    assert every(prod.observed("1.0", difference="a")) == SELDOM


def test_it_looks_often_while_something_is_said_to_run_already_and_until_that_is_known():
    prod = adopting(**PACE)
    assert every(prod) == OFTEN
    assert every(prod.observed("0.9")) == SELDOM


def test_it_looks_often_until_a_rollout_is_through():
    prod = Instance(**PACE, checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").comes_up("1.0")
    assert every(prod) == OFTEN
    assert every(prod.passing("alerts")) == SELDOM


def test_what_is_only_observed_is_looked_at_and_never_touched():
    prod = settled(**PACE).receive(Observing(by=ANN)).observed("")
    assert (prod.applies, every(prod)) == (["spec-1.0"], SELDOM)
