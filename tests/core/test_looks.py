"""Ends of applies and looks at the runtime, by their numbers: what each of them changes, and what time counts for a deadline."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Instance, check

from setpoint.core.backoff import backoff
from setpoint.core.facts import Applied, Healing, Observing, ScopeStatus, StandingOrder, Unobserved
from setpoint.core.instance.state import Applying, Current, Life, is_conclusive, matches_spec
from setpoint.core.instructions import Apply, Event, Watch
from setpoint.model.observation import Object, Observation
from setpoint.model.people import By
from setpoint.model.policy import Phase
from setpoint.model.time import HOUR, MINUTE, SECOND

ANN = By("ann", "let me look")


def rolling(**policy: Any) -> Instance:
    """1.0 is good, and 1.1 was applied."""
    return Instance().with_good(1, "1.0").configure(**policy).offer(2, "1.1").applied()


# --- ends of applies -----------------------------------------------------------------------------------------------------------


def test_an_apply_that_failed_is_written_down_and_tried_again_after_its_back_off():
    prod = Instance().offer(1, "1.0").applied("no route")
    assert prod.events[-1] == Event("apply-failed", "apply 1 failed: no route", release=1, version="1.0", outcome="transient")
    assert prod.applying == replace(
        Applying(), count=1, spec="spec-1.0", watch=3, every=prod.policy.poll_moving, look_requested=True,
        errors=1, error="no route", retry_at=START + backoff(1, prod.entity),
    )  # fmt: skip
    assert prod.wake_at == START + backoff(1, prod.entity)
    prod.wait(MINUTE).applied()
    assert prod.applying == replace(
        Applying(),
        count=2,
        spec="spec-1.0",
        watch=4,
        every=prod.policy.poll_moving,
        look_requested=True,
        taken=prod.now,
        judges=4,
    )


def test_a_refusal_is_written_down_as_one():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("no such image", terminal=True)
    (event,) = [event for event in prod.events if event.kind == "apply-failed"]
    assert event == Event("apply-failed", "apply 2 failed: no such image", release=2, version="1.1", outcome="terminal")


def test_what_taken_on_after_errors_and_a_refusal_is_forgotten():
    prod = Instance().offer(1, "1.0").applied("no such image", terminal=True).retry()
    assert prod.comes_up("1.0").applying.terminal is False
    assert (prod.applying.error, prod.applying.retry_at, prod.good) == ("", 0, "1.0")


def test_only_the_end_of_the_apply_in_flight_counts():
    prod = Instance().offer(1, "1.0")
    before = prod.state
    assert prod.receive(Applied(operation="instance:app/web@production/apply/9", error="?")).state == before
    prod.applied()
    before = prod.state
    assert prod.receive(Applied(operation="")).state == before
    assert prod.receive(Applied(operation="instance:app/web@production/apply/1", error="late")).state == before


def test_a_failed_apply_and_one_that_was_overtaken_are_looked_at_often():
    """Nobody watches what they left behind: the host may have given its watch up with them."""
    failed = Instance().offer(1, "1.0").applied("no route")
    assert [(given.number, given.every) for given in failed.gave(Watch)] == [(3, failed.policy.poll_moving)]
    overtaken = Instance(drift=replace(failed.policy.drift, mode="report")).offer(1, "1.0").offer(2, "1.1", urgent=True)
    overtaken.receive(Observing(by=ANN)).applied()
    assert [given.every for given in overtaken.gave(Watch)] == [overtaken.policy.poll_moving]


# --- looks -------------------------------------------------------------------------------------------------------------------


def test_a_look_is_kept_in_short():
    prod = rolling()
    things = (
        Object("1", "spec-1.1", "1.1", healthy=True),
        Object("2", "spec-1.1", "1.1", healthy=None),
        Object("3", "spec-1.0", "1.0", healthy=True),
        Object("4", "spec-1.0", "1.0", healthy=False),
        Object("5", "spec-0.9", "0.9", healthy=True, active=False),
    )
    look = prod.look("")
    prod.receive(replace(look, observation=Observation(things, complete=False, difference="d", message="pulling")))
    assert prod.current == Current(
        look.look,
        look.watch,
        prod.now,
        versions=Observation(things).versions,
        digests=("spec-1.0", "spec-1.1"),
        present=5,
        total=4,
        healthy=2,
        unknown=1,
        fresh=1,
        difference="d",
        message="pulling",
    )


def test_an_earlier_look_never_replaces_a_later_one():
    prod = rolling().observed("1.0")
    before = prod.current
    late = replace(prod.look("1.1"), look=before.look)
    assert prod.receive(late).current == before
    assert prod.receive(Unobserved(watch=late.watch, look=before.look, message="?")).current == before
    assert prod.unobserved("gone").current == replace(before, look=before.look + 2, unreachable="gone")


def test_what_could_never_be_asked_was_seen_as_nothing():
    prod = Instance().offer(1, "1.0").applied().wait(SECOND).unobserved("")
    assert prod.current == Current(1, prod.applying.watch, prod.now, unreachable="the runtime cannot be reached")
    assert prod.waits_for("the runtime is unreachable: the runtime cannot be reached")


def test_a_look_under_an_earlier_watch_is_not_the_one_that_was_asked_for():
    prod = rolling()
    assert prod.applying.look_requested
    early = prod.look("1.0")
    assert prod.receive(replace(early, watch=early.watch - 1)).applying.look_requested
    assert not prod.observed("1.1", healthy=None).applying.look_requested


@pytest.mark.parametrize(
    "change",
    [
        {"unreachable": "no route"},
        {"complete": False},
        {"difference": "d"},
        {"healthy": 1},
        {"digests": ("spec-1.0", "spec-1.1")},
        {"digests": ("spec-1.1",)},
    ],
)
def test_the_runtime_shows_a_version_when_it_shows_just_that(change: dict[str, object]):
    seen = Current(1, 1, START, digests=("spec-1.0",), present=2, total=2, healthy=2, complete=True)
    assert matches_spec(seen, "spec-1.0")
    assert matches_spec(Current(1, 1, START, complete=True), "spec-1.0"), "some versions have no objects to run"
    assert not matches_spec(replace(seen, **change), "spec-1.0")
    assert not matches_spec(None, "spec-1.0")


@pytest.mark.parametrize("change", [{"operation": "x"}, {"taken": 0}, {"spec": ""}, {"judges": 4}])
def test_a_look_judges_an_apply_that_was_taken_on_before_it_began(change: dict[str, object]):
    life = Life(current=Current(1, 3, START), applying=Applying(spec="spec-1.0", taken=START, judges=3))
    assert is_conclusive(life)
    assert not is_conclusive(replace(life, applying=replace(life.applying, **change)))
    assert not is_conclusive(replace(life, current=None))


# --- time --------------------------------------------------------------------------------------------------------------------


def idle(prod: Instance) -> int:
    return prod.rollout.idle


def test_time_without_progress_is_counted_from_look_to_look_and_anew_with_each_progress():
    prod = rolling().observed("1.1", healthy=None).wait(10 * SECOND).observed("1.1", healthy=None)
    assert (idle(prod), prod.rollout.progress) == (10 * SECOND, 0)
    prod.wait(5 * SECOND).observed("1.1+1.0", healthy=True, complete=False)
    assert (idle(prod), prod.rollout.progress) == (0, 1)
    prod.wait(5 * SECOND).observed("1.1+1.0", healthy=True, complete=False)
    assert (idle(prod), prod.rollout.progress) == (5 * SECOND, 1), "as many as before are no progress"


def test_no_more_time_is_counted_than_has_passed_since_the_rollout_began():
    prod = Instance().with_good(1, "1.0").wait(HOUR).offer(2, "1.1").applied().wait(3 * SECOND)
    prod.receive(replace(prod.look("1.1", healthy=None), gap=MINUTE))
    assert idle(prod) == 3 * SECOND
    ahead = rolling().wait(SECOND)
    ahead.now = START - HOUR
    ahead.receive(replace(ahead.look("1.1", healthy=None), gap=MINUTE))
    assert idle(ahead) == 0, "the clock was set back"


def test_time_stands_still_while_a_person_keeps_hands_off():
    prod = rolling().observed("1.1", healthy=None).receive(Observing(by=ANN)).wait(30 * SECOND).observed("1.1", healthy=None)
    assert idle(prod) == 0
    assert idle(prod.receive(Healing(by=ANN)).wait(SECOND).observed("1.1", healthy=None)) == SECOND
    pause = ScopeStatus(scope="scope:organization", number=1, pause=StandingOrder(ANN, START))
    assert idle(prod.receive(pause).wait(30 * SECOND).observed("1.1", healthy=None)) == SECOND


def test_time_stands_still_while_only_checks_are_missing_and_the_gap_after_it_does_not_count():
    prod = rolling(checks=(check("smoke", Phase.DEPLOYMENT),)).observed("1.1", healthy=None).wait(SECOND).observed("1.1")
    prod.wait(MINUTE).observed("1.1").wait(MINUTE).observed("1.1", healthy=False)
    assert idle(prod) == 0, "how long it was unhealthy when it was seen so first, nobody knows"
    assert idle(prod.wait(SECOND).observed("1.1", healthy=False)) == SECOND


def test_being_unhealthy_is_counted_after_the_deployment_until_it_is_well_again():
    prod = rolling(checks=(check("alerts", Phase.POST_DEPLOYMENT),), grace=MINUTE).observed("1.1")
    prod.wait(10 * SECOND).observed("1.1", healthy=False)
    assert prod.rollout.sick == 0
    prod.wait(10 * SECOND).observed("1.1", healthy=False).wait(10 * SECOND).observed("1.1", healthy=False)
    assert prod.rollout.sick == 20 * SECOND
    assert prod.wait(10 * SECOND).observed("1.1").rollout.sick == 0


def test_what_goes_back_makes_progress_at_the_version_that_it_goes_back_to():
    prod = rolling(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).observed("1.1").blocking("alerts")
    assert [given.spec for given in prod.gave(Apply)] == ["spec-1.0"]
    prod.applied().wait(10 * SECOND).observed("1.0", healthy=True, complete=False)
    assert (prod.rollout.progress, idle(prod)) == (1, 0)
    prod.wait(10 * SECOND).observed("1.0", healthy=False, complete=False)
    assert (idle(prod), prod.rollout.sick) == (10 * SECOND, 0)


def test_what_runs_still_is_no_progress_of_going_back_before_that_was_applied():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").roll_back().wait(SECOND).observed("1.0", complete=False)
    assert prod.rollout.progress == 0
    assert prod.applied().applied().observed("1.0", complete=False).rollout.progress == 1
