"""Deadlines: counted in observed time, judged by a look made after them, told with what was seen last."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import Instance, check
from tests.core.dsl.scopes import paused

from setpoint.core.facts import RunRequested
from setpoint.core.instructions import Watch
from setpoint.model.policy import Phase
from setpoint.model.time import MINUTE, SECOND


def rolling(**policy: Any) -> Instance:
    """1.1 was applied over 1.0 and is not healthy yet; it has two minutes."""
    prod = Instance().with_good(1, "1.0").wait(MINUTE)
    return prod.configure(**policy).offer(2, "1.1").applied().observed("1.1", healthy=None)


def verifying() -> Instance:
    """1.1 runs and is verified; ten seconds of ill health are forgiven."""
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.POST_DEPLOYMENT),))
    return prod.offer(2, "1.1").comes_up("1.1")


def seen(prod: Instance, after: int, **look: Any) -> Instance:
    prod.now += after
    return prod.observed("1.1", **{"healthy": None} | look)


def failure(prod: Instance) -> str:
    return prod.rollout.failure


def test_it_fails_when_as_much_time_was_observed_as_it_has_and_not_before():
    prod = seen(seen(rolling(), MINUTE), MINUTE - 1)
    assert prod.condition == "deploying"
    assert seen(prod, 1).condition == "rolling-back"


def test_it_wakes_when_its_time_is_over_and_looks_before_it_judges():
    prod = rolling()
    assert prod.wake_at == prod.now + 2 * MINUTE
    seen(prod, 30 * SECOND)
    assert prod.wake_at == prod.now + 90 * SECOND
    assert prod.gave(Watch) == [], "there is time left"
    prod.wait(90 * SECOND)
    assert (prod.condition, len(prod.gave(Watch))) == ("deploying", 1)
    assert seen(prod, SECOND).condition == "rolling-back"


def test_its_time_begins_with_the_rollout_and_not_with_what_was_seen_before():
    prod = Instance().with_good(1, "1.0").wait(MINUTE)
    prod.offer(2, "1.1").applied()
    assert prod.wake_at == prod.now + 2 * MINUTE


@pytest.mark.parametrize(
    ("look", "why"),
    [
        ({}, "no progress for 2m: not every object is healthy at the version"),
        ({"message": "exit 1"}, "no progress for 2m: exit 1"),
    ],
)
def test_a_rollout_without_progress_says_what_was_seen_last(look: dict[str, str], why: str):
    assert failure(seen(rolling(), 2 * MINUTE, **look)) == why


def test_a_rollout_that_was_never_taken_on_says_what_the_runtime_said():
    prod = rolling()
    for _ in range(30):
        if prod.rollout.back:
            break
        prod.wait(MINUTE)
        if prod.applying.operation:
            prod.applied("try again")
        prod.observed("1.1", healthy=None, difference="a")
    assert failure(prod) == "no progress for 2m: try again"


@pytest.mark.parametrize(
    ("look", "why"),
    [
        ({}, "unhealthy after it was deployed, for longer than 10s"),
        ({"message": "exit 1"}, "unhealthy after it was deployed, for longer than 10s: exit 1"),
    ],
)
def test_ill_health_is_forgiven_for_as_long_as_its_grace_and_no_longer(look: dict[str, str], why: str):
    prod = seen(verifying(), SECOND, healthy=False)
    assert prod.wake_at == prod.now + 10 * SECOND
    seen(prod, 4 * SECOND, healthy=False)
    assert prod.wake_at == prod.now + 6 * SECOND
    seen(prod, 6 * SECOND - 1, healthy=False)
    assert prod.condition == "verifying"
    assert failure(seen(prod, 1, healthy=False, **look)) == why


def test_what_gets_well_in_between_has_its_whole_grace_again():
    prod = seen(verifying(), SECOND, healthy=False)
    seen(prod, 9 * SECOND, healthy=True)
    seen(prod, 9 * SECOND, healthy=False)
    assert seen(prod, 9 * SECOND, healthy=False).condition == "verifying"
    assert seen(prod, SECOND, healthy=False).condition == "rolling-back"


def test_a_rollback_that_comes_to_nothing_in_its_time_has_failed_and_wakes_for_that():
    back = seen(rolling(), 2 * MINUTE).applied().observed("1.0", healthy=None)
    assert back.wake_at == back.now + 2 * MINUTE
    back.now += 2 * MINUTE - 1
    assert back.observed("1.0", healthy=None).condition == "rolling-back"
    back.now += 1
    assert back.observed("1.0", healthy=None).condition == "rollback-failed"


def test_it_says_how_much_of_its_time_is_left():
    assert seen(rolling(), 30 * SECOND).waits_for("fails without progress in 1m 30s")


def test_nothing_is_judged_nor_looked_for_while_everything_is_paused():
    prod = paused(rolling())
    seen(prod, 10 * MINUTE)
    assert (prod.condition, prod.gave(Watch)) == ("deploying", [])
    back = paused(rolling().roll_back().applied())
    for _ in range(5):
        back.now += MINUTE
        back.observed("1.1", healthy=None)
    assert back.condition == "rolling-back"


def test_a_check_that_grew_old_is_not_asked_again_while_another_says_no():
    uses = (check("alerts", Phase.DEPLOYMENT, on_fail="wait"), check("load", Phase.DEPLOYMENT, on_fail="wait"))
    prod = Instance(checks=uses).offer(1, "1.0").comes_up("1.0").passing("alerts").wait(MINUTE).blocking("load")
    assert prod.sent(RunRequested) == []
    assert prod.waits_for("the last pass of alerts is too old")
