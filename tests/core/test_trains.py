"""Release trains (``every``) and channels that only take what is sent to them (``manual``)."""

from __future__ import annotations

from tests.core.dsl import START, Instance, after, approval, check
from tests.core.dsl.situations import train

from setpoint.core.facts import LineStatus, StandingOrder
from setpoint.model.people import By
from setpoint.model.policy import Strategy


def test_a_train_takes_the_oldest_and_skips_none():
    prod = train(approvals=(approval(),)).offer(1, "1.0").offer(2, "2.0").offer(3, "3.0")
    for name in ("1.0", "2.0", "3.0"):
        assert prod.wanted == name
        prod.approve("ann").comes_up(name)
        assert prod.good == name


def test_it_says_why_it_stops_whatever_failed_since():
    prod = train().with_good(1, "1.0").offer(2, "2.0").applied("refused", terminal=True).comes_up("1.0")
    prod.pin(3, "3.0").applied("broken", terminal=True).comes_up("1.0").unpin()
    assert prod.reasons == ["the train stops at 2.0: the runtime refuses it: refused"]


def test_a_vetoed_release_stops_the_train_until_it_is_skipped():
    prod = train().with_good(1, "1.0").offer(2, "2.0").offer(3, "3.0")
    prod.applied("refused", terminal=True).comes_up("1.0")
    assert prod.wanted == ""
    assert prod.waits_for("the train stops at 2.0")
    assert prod.condition == "vetoed"
    assert prod.skip(2, "release").target == "3.0"


def test_a_release_that_is_skipped_leaves_the_train_at_once_though_its_check_runs():
    prod = train(checks=(check("load"),)).offer(1, "1.0").offer(2, "2.0")
    assert prod.wanted == "1.0"
    assert prod.skip(1, "release").wanted == "2.0"


def refused_and_passed_by_a_pin(*, urgent: bool) -> Instance:
    prod = train().with_good(1, "1.0").offer(2, "2.0", urgent=urgent).offer(3, "3.0")
    return prod.applied("refused", terminal=True).comes_up("1.0").pin(3, "3.0")


def test_a_train_does_not_go_back_to_what_failed_once_a_pin_has_finalized_something_newer():
    prod = refused_and_passed_by_a_pin(urgent=False).comes_up("3.0").unpin().retry(2)
    assert (prod.good, prod.target, prod.wanted, prod.condition) == ("3.0", "3.0", "", "converged")


def test_an_urgent_release_does_not_take_over_from_a_newer_one_that_was_pinned():
    prod = refused_and_passed_by_a_pin(urgent=True).unpin().retry(2)
    assert (prod.target, prod.wanted) == ("3.0", ""), "no version older than target"
    prod.comes_up("3.0")
    assert (prod.good, prod.wanted) == ("3.0", "")


def test_a_stopped_train_goes_on_by_retry_or_cancel():
    prod = train().with_good(1, "1.0").offer(2, "2.0").offer(3, "3.0").applied("refused", terminal=True).comes_up("1.0")
    assert prod.retry(2).target == "2.0"
    other = train().with_good(1, "1.0").offer(2, "2.0").offer(3, "3.0").applied("refused", terminal=True).comes_up("1.0")
    cancelled = {2: StandingOrder(By("ann"), START)}
    assert other.receive(LineStatus(application="app", number=1, cancelled=cancelled)).target == "3.0"


def test_an_urgent_release_goes_next_and_passes_over_those_before_it():
    prod = train(approvals=(approval(),)).offer(1, "1.0").offer(2, "2.0").offer(3, "2.1", urgent=True).offer(4, "4.0")
    assert prod.wanted == "2.1"
    prod.approve("ann").comes_up("2.1")
    assert (prod.good, prod.wanted) == ("2.1", "4.0")


def test_what_an_earlier_channel_passed_over_drops_out_here_as_well():
    prod = train(orderings=(after("staging"),)).offer(1, "1.0").offer(2, "2.0").offer(3, "3.0")
    prod.upstream("staging", "1.0", frontier=1).comes_up("1.0")
    assert (prod.good, prod.wanted) == ("1.0", "2.0")
    prod.upstream("staging", "1.0", "3.0", frontier=3)
    assert prod.target == "3.0"


def test_a_manual_channel_takes_only_what_is_sent_to_it():
    prod = Instance(strategy=Strategy.MANUAL).offer(1, "1.0")
    assert (prod.wanted, prod.condition) == ("", "empty")
    prod.offer(2, "2.0", addressed=True).comes_up("2.0")
    assert prod.good == "2.0"
    assert prod.offer(3, "3.0").good == "2.0"
    assert prod.condition == "converged"
