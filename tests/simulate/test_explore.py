"""Small worlds explored exhaustively: what is the same is met once, what breaks is found with the way there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from setpoint.core.instance.gates import blockers
from setpoint.simulate.acts.overrides import HoldInstance
from setpoint.simulate.explore.explorer import ExploredPath, SmallWorld, explore
from setpoint.simulate.explore.small_worlds import PRODUCTION, STAGING, WORLDS, policy, release


@pytest.mark.parametrize("small", WORLDS, ids=lambda small: small.name)
def test_every_small_world_holds_with_nothing_but_what_always_comes(small: SmallWorld):
    found = explore(replace(small, always=small.always[:2], most=0), 30)
    assert found.broken == ""
    assert found.finished
    assert found.leaves > 0


def test_orders_that_come_to_the_same_are_met_once():
    holds = tuple(HoldInstance(by="ann", instance=instance) for instance in (STAGING, PRODUCTION))
    small = SmallWorld("two holds", (policy(STAGING), policy(PRODUCTION)), (release("1.0"),), holds, most=2)
    found = explore(small, 30)
    assert found.finished
    assert found.transitions > found.states > 10


def test_a_copy_goes_its_own_way():
    first = ExploredPath(WORLDS[0])
    key = first.key()
    other = first.copied()
    assert other.key() == key
    other.move("always", 0)
    assert first.key() == key != other.key()


def test_a_bug_is_found_with_the_way_to_it(monkeypatch: pytest.MonkeyPatch):
    blocks = blockers.operator_blocks
    monkeypatch.setattr(
        blockers, "operator_blocks", lambda *about, **more: (one for one in blocks(*about, **more) if one.code != "held")
    )
    small = SmallWorld("held", (policy(PRODUCTION),), (release("1.0"),), (HoldInstance(by="ann", instance=PRODUCTION),), most=1)
    found = explore(small, 30)
    assert "held, but a rollout began" in found.broken
    assert "ann holds app/web@production" in found.path
