"""Desired, target, current, good; a candidate beside a rollout, and which of the two goes first."""

from __future__ import annotations

import pytest
from msgspec import Struct
from tests.core.dsl import Instance, approval, check, hours

from setpoint.core.facts import RunRequested
from setpoint.core.instance.state import Applying, Life, Rollout
from setpoint.core.instance.turn import ApplyingChanges, LifeChanges, RolloutChanges
from setpoint.core.instructions import Apply
from setpoint.model.checks import Outcome
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.time import HOUR


def test_current_is_what_was_observed_never_what_was_applied():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied()
    assert (prod.target, prod.current.versions) == ("1.1", ("1.0",))
    prod.observed("1.0+1.1")
    assert prod.current.versions == ("1.0", "1.1")


def test_a_new_instance_has_no_target_and_what_runs_there_is_left_alone():
    prod = Instance(checks=(check("alerts"),)).observed("0.9").offer(1, "1.0").blocking("alerts").observed("0.9")
    assert (prod.life.target, prod.applies, prod.gave(Apply)) == (Pair(), [], [])


def test_nothing_is_torn_down_to_wait():
    prod = Instance().with_good(1, "1.0").configure(approvals=(approval(),), checks=(check("alerts"),), calendars=(hours(9, 17),))
    prod.offer(2, "1.1").wait(HOUR).observed("1.0")
    assert (prod.target, prod.desired, prod.applies) == ("1.0", "1.1", ["spec-1.0"])


def test_good_keeps_its_compiled_spec_and_a_rollback_compiles_nothing():
    """The configuration changed since: what good ran is applied, not the old version with the new configuration."""
    prod = Instance().offer(1, "1.0", spec="old-configuration").applied()
    prod.receive(prod.look_at("old-configuration", "1.0"))
    assert prod.good == "1.0"
    prod.offer(2, "1.0", spec="new-configuration").applied("refused", terminal=True)
    assert prod.applies == ["old-configuration", "new-configuration", "old-configuration"]


def test_good_is_the_newest_finalized_version():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied()
    assert prod.good == "1.0", "a rollout that is not through is not good"
    assert prod.observed("1.1").good == "1.1"


def test_the_next_rollout_takes_the_newest_of_those_that_came_meanwhile():
    prod = Instance(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").comes_up("1.0")
    prod.offer(2, "1.1").offer(3, "1.2").offer(4, "1.3")
    assert (prod.target, prod.wanted) == ("1.0", "1.3")
    assert prod.passing("alerts").target == "1.3"


def test_a_rollout_whose_check_cannot_run_gives_way():
    uses = (check("alerts", Phase.DEPLOYMENT, on_fail="wait"),)
    prod = Instance(checks=uses).offer(1, "1.0").comes_up("1.0").result("alerts", Outcome.MISCONFIGURED)
    assert prod.condition == "deploying"
    assert prod.offer(2, "1.1").target == "1.1"


def test_urgent_changes_precedence_and_skips_no_gate_by_itself():
    prod = Instance(checks=(check("slow", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").comes_up("1.0")
    prod.configure(checks=(check("slow", Phase.POST_DEPLOYMENT), check("alerts")), approvals=(approval(),))
    prod.offer(2, "1.0.1", urgent=True)
    assert prod.target == "1.0"
    prod.approve("ann")
    assert prod.target == "1.0"
    assert prod.passing("alerts").target == "1.0.1"


def test_a_gate_may_declare_that_it_does_not_concern_what_is_urgent():
    prod = Instance(checks=(check("load", when=parse_selector("!urgent")),)).offer(1, "1.0", urgent=True)
    assert prod.target == "1.0"


def test_a_candidate_that_waited_for_a_rollback_must_hold_when_it_ended():
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts"),)).offer(2, "1.1").passing("alerts")
    prod.applied("broken", terminal=True).offer(3, "1.2").passing("alerts")
    assert prod.target == "1.0"
    prod.blocking("alerts").comes_up("1.0")
    assert (prod.target, prod.wanted) == ("1.0", "1.2")
    assert prod.passing("alerts").target == "1.2"


def test_a_pass_that_grew_old_while_a_rollback_ran_is_asked_for_once_more():
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts"),)).offer(2, "1.1").passing("alerts")
    prod.applied("broken", terminal=True).offer(3, "1.2").passing("alerts").wait(HOUR).comes_up("1.0")
    assert prod.target == "1.0"
    assert len(prod.sent(RunRequested)) == 1
    assert prod.passing("alerts").target == "1.2"


@pytest.mark.parametrize(("state", "changes"), [(Life, LifeChanges), (Applying, ApplyingChanges), (Rollout, RolloutChanges)])
def test_a_turn_may_replace_each_part_of_the_state_and_no_other(state: type[Struct], changes: type) -> None:
    assert list(changes.__annotations__) == list(state.__struct_fields__)
