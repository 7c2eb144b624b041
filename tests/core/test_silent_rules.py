"""Rules where the design was silent (§10.13), as far as no other file has them."""

from __future__ import annotations

import pytest
from tests.core.dsl import Instance, WithTasks, a_task, check, hours
from tests.core.dsl.builders import closing
from tests.core.dsl.situations import failing

from setpoint.model.policy import Phase
from setpoint.model.time import HOUR, MINUTE


@pytest.mark.parametrize("phase", [Phase.DEPLOYMENT, Phase.POST_DEPLOYMENT])
def test_no_task_starts_while_a_calendar_pauses_what_is_in_flight(phase: Phase):
    prod = WithTasks(calendars=(closing("pause"),), tasks=(a_task("notify", phase),)).offer(1, "1.0")
    prod.wait(2 * HOUR).comes_up("1.0")
    assert prod.waits_for("paused: hours is closed")
    assert prod.programs == []
    prod.wait(22 * HOUR)
    assert [one.definition.task for one in prod.programs] == ["notify"]


def test_what_pauses_in_flight_is_observed_and_checked_on():
    smoke = check("smoke", Phase.POST_DEPLOYMENT, window=10 * MINUTE)
    prod = Instance(calendars=(closing("pause"),), checks=(smoke,)).offer(1, "1.0").comes_up("1.0")
    looked = prod.current.look
    prod.wait(2 * HOUR).observed("1.0")
    assert prod.current.look > looked
    prod.passing("smoke")
    assert prod.rollout.attempt.gates["smoke"].counts
    assert prod.good == "", "it is not finalized before the window opens"


def test_a_good_version_below_the_bound_is_kept_but_not_gone_back_to():
    prod = failing("1.3.9", "1.4.0")
    assert (prod.target, prod.good) == ("2.0.0", "1.3.9")
    back = prod.roll_back(prod.make(1, "1.3.9"))
    assert back.target == "1.3.9", "the bound binds automatic rollbacks: a person may name it"


def test_a_committed_attempt_is_held_by_people_and_by_no_calendar():
    prod = WithTasks(calendars=(hours(0, 1),), tasks=(a_task(),)).offer(1, "1.0")
    assert prod.candidate.committed
    prod.wait(2 * HOUR).hold()
    assert prod.succeeds().target == ""
    assert (prod.waits_for("held by ann"), prod.waits_for("hours")) == (True, False)
    assert prod.resume().target == "1.0"
