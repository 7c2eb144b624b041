"""Policies that come new, late or not at all."""

from __future__ import annotations

from tests.core.dsl import NAME, Instance, approval

from setpoint.core.facts import Configured, Removed
from setpoint.model.policy import Policy


def test_an_older_configuration_that_comes_late_changes_nothing():
    prod = Instance().receive(Configured(policy=Policy(NAME, {"channel": "production"}, approvals=(approval(),)), number=7))
    prod.receive(Configured(policy=Policy(NAME, {"channel": "production"}), number=6)).receive(Removed(number=5))
    assert prod.policy.approvals
    assert not prod.state.removed


def test_what_left_the_configuration_comes_back_with_a_later_one():
    prod = Instance().receive(Removed(number=2)).offer(1, "1.0")
    assert (prod.target, prod.codes) == ("", ["removed"])
    prod.receive(Configured(policy=prod.policy, number=3))
    assert prod.target == "1.0"
