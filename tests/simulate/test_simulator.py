"""The simulator itself: a seed replays, its faults happen, and its net is not asleep."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from setpoint.core.instance.state import InstanceState
from setpoint.model.release import Pair
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.invariants import Broken
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.world.faults import Faults
from setpoint.simulate.world.host import encode

ROUGH = Faults(duplicate=0.05, delay=0.05, reorder=0.3, crash=0.01, forget=0.05)


def test_a_seed_replays_exactly():
    first, again = Scenario(draw(11, faults=ROUGH)).run(), Scenario(draw(11, faults=ROUGH)).run()
    assert first.world.turns == again.world.turns
    assert encode(first.world) == encode(again.world)
    assert first.world.events == again.world.events


def test_faults_are_injected():
    world = Scenario(draw(12, faults=ROUGH)).run().world
    assert world.injected > 20
    assert world.crashes > 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_world_has_two_hundred_faults_that_changed_something(seed: int):
    assert Scenario(draw(seed)).run().world.injected >= 200


def test_without_faults_nothing_is_injected():
    world = Scenario(draw(12, faults=Faults())).run().world
    assert (world.injected, world.crashes) == (0, 0)


def test_the_net_notices_a_state_that_was_tampered_with():
    """Target is moved behind the core's back, in the middle of a run: in some worlds that does harm."""
    assert any(_noticed(seed) for seed in range(3, 20))


def _noticed(seed: int) -> bool:
    scenario = Scenario(draw(seed, faults=Faults()))
    world = scenario.world

    def tamper() -> None:
        for entity, state in world.states.items():
            if isinstance(state, InstanceState) and state.life.goods:
                goods = (Pair(), *(offer.pair for offer in state.life.offers))
                world.states[entity] = replace(
                    state, life=replace(state.life, goods=goods, target=goods[-1], frontier=0, vetoes=())
                )

    for minute in range(30, 360, 30):
        world.at(world.now + minute * 60_000, tamper)
    try:
        scenario.run()
    except Broken:
        return True
    return False
