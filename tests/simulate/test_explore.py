"""Small worlds explored exhaustively: what is the same is met once, what breaks is found with the way there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from setpoint.core.instance.gates import blockers
from setpoint.simulate.acts.steering import Hold
from setpoint.simulate.explore import Play, Small, explore
from setpoint.simulate.small import PRODUCTION, STAGING, WORLDS, policy, release


@pytest.mark.parametrize("small", WORLDS, ids=lambda small: small.name)
def test_every_small_world_holds_with_nothing_but_what_always_comes(small: Small):
    found = explore(replace(small, always=small.always[:2], most=0), 30)
    assert found.broken == ""
    assert found.finished
    assert found.leaves > 0


def test_orders_that_come_to_the_same_are_met_once():
    holds = tuple(Hold(by="ann", instance=instance) for instance in (STAGING, PRODUCTION))
    small = Small("two holds", (policy(STAGING), policy(PRODUCTION)), (release("1.0"),), holds, most=2)
    found = explore(small, 30)
    assert found.finished
    assert found.transitions > found.states > 10


def test_a_copy_goes_its_own_way():
    first = Play(WORLDS[0])
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
    small = Small("held", (policy(PRODUCTION),), (release("1.0"),), (Hold(by="ann", instance=PRODUCTION),), most=1)
    found = explore(small, 30)
    assert "held, but a rollout began" in found.broken
    assert "ann holds app/web@production" in found.path
