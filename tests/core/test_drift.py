"""Drift is put right, but not for ever."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.dsl import Instance
from tests.core.dsl.situations import settled, stubborn

from setpoint.core.facts import Healing, Observing
from setpoint.core.instructions import Apply
from setpoint.model.people import By
from setpoint.model.policy import DriftPolicy
from setpoint.model.time import HOUR, MINUTE, SECOND


def test_drift_is_put_right():
    prod = settled().observed("1.0", difference="a", message="replicas 2, wanted 1")
    assert prod.applies == ["spec-1.0", "spec-1.0"]
    prod.applied().observed("1.0")
    assert prod.condition == "converged"
    assert "drift: replicas 2, wanted 1" in prod.history


def test_nothing_runs_and_another_version_runs_are_drift():
    prod = settled().observed("")
    assert prod.applies[-1] == "spec-1.0"
    assert "drift: nothing runs, 1.0 is wanted" in prod.history
    prod.applied().wait(HOUR).observed("0.9")
    assert prod.waits_for("1.0 is being applied again")
    assert "drift: 0.9 runs, 1.0 is wanted" in prod.history


def test_nothing_at_all_may_be_just_what_is_wanted():
    prod = settled().observed("", complete=True)
    assert (prod.applies, prod.condition) == (["spec-1.0"], "converged")


def test_a_version_that_is_unwell_is_reported_and_not_touched():
    prod = settled().observed("1.0", healthy=False, message="exit 1").wait(HOUR)
    assert (prod.applies, prod.condition) == (["spec-1.0"], "unhealthy")
    assert prod.waits_for("0 of 1 healthy at 1.0: exit 1")


def test_the_same_difference_again_and_again_trips_the_breaker():
    prod = stubborn(settled(drift=DriftPolicy(breaker=3)), 8)
    assert len(prod.applies) == 4
    assert prod.waits_for("no longer healed: the same difference came back 3 times")
    assert prod.condition == "drifted"


def test_it_stays_tripped_while_the_difference_stands_however_long():
    prod = stubborn(settled(drift=DriftPolicy(breaker=3)), 8).wait(24 * HOUR).observed("1.0", difference="a", message="still")
    assert len(prod.applies) == 4


def test_another_difference_is_put_right_again():
    prod = stubborn(settled(drift=DriftPolicy(breaker=3)), 8).observed("1.0", difference="b")
    assert len(prod.applies) == 5


def test_a_difference_that_went_away_resets_it():
    prod = stubborn(settled(drift=DriftPolicy(breaker=3)), 8).observed("1.0").wait(HOUR)
    assert (prod.maybe_breaker, prod.condition) == (None, "converged")
    assert len(prod.observed("1.0", difference="a").applies) == 5


def test_a_person_resets_it():
    prod = stubborn(settled(drift=DriftPolicy(breaker=3)), 8).resume()
    assert len(prod.applies) == 5


def test_a_difference_that_stayed_away_is_counted_from_one():
    prod = settled(drift=DriftPolicy(breaker=2))
    for _ in range(6):
        prod.observed("1.0", difference="a").applied().observed("1.0").wait(HOUR)
    assert len(prod.applies) == 7


def asleep(prod: Instance) -> Instance:
    """Nothing is looked at for an hour."""
    prod.now += HOUR
    return prod.observed("1.0", difference="a")


def test_a_runtime_that_could_not_be_asked_did_not_show_that_the_difference_was_gone():
    prod = asleep(settled().observed("1.0", difference="a").applied().unobserved())
    assert prod.breaker.count == 2


def test_a_difference_that_was_seen_again_soon_has_not_stayed_away():
    prod = settled().observed("1.0", difference="a").applied().observed("1.0").observed("1.0", difference="a")
    assert asleep(prod).breaker.count == 2


def test_a_difference_that_stood_all_the_while_is_not_counted_anew_after_a_pause():
    prod = settled(drift=DriftPolicy(breaker=2))
    for _ in range(2):
        prod.observed("1.0", difference="a").wait(MINUTE).applied()
    prod.receive(Observing(by=By("ann"))).observed("1.0", difference="a").wait(HOUR)
    prod.observed("1.0", difference="a").receive(Healing(by=By("ann")))
    assert len(prod.applies) == 3
    assert prod.waits_for("no longer healed: the same difference came back 2 times")


def test_report_says_it_and_touches_nothing():
    prod = settled(drift=DriftPolicy(mode="report")).observed("1.0", difference="a")
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("drift mode report: nothing is done about it")
    assert prod.condition == "drifted"


def test_an_observed_instance_gets_no_apply_at_all():
    prod = Instance().with_good(1, "1.0")
    prod.configure(drift=DriftPolicy(mode="observe")).offer(2, "1.1").observed("")
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("this instance is only observed")


def test_an_outage_of_the_platform_vetoes_everything():
    """It does not: unreachable is unknown, and nothing moves."""
    prod = settled().unobserved().wait(HOUR).unobserved().wait(HOUR)
    assert (prod.condition, prod.vetoed, prod.applies) == ("unreachable", set(), ["spec-1.0"])
    assert prod.observed("1.0").condition == "converged"


def test_a_heal_that_the_runtime_does_not_take_is_retried_and_told():
    prod = settled().observed("").applied("no room")
    assert prod.waits_for("could not start 1.0: no room") or prod.waits_for("nothing runs")
    prod.wait(2 * SECOND)
    assert prod.gave(Apply)


def test_never_observed_yet():
    prod = Instance().with_good(1, "1.0")
    prod.state = replace(prod.state, life=replace(prod.life, current=None))
    assert prod.waits_for("1.0 has not been observed yet")
