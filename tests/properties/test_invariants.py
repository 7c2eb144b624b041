"""What must always hold (section 8 of the design).

Most are evaluated after every turn of the same simulated worlds (``setpoint.simulate``): faults, people, runtimes at their worst.
Each must also have been checked often enough, so that none holds because nothing happened. ``make simulate`` runs many
more of these worlds.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.properties.worlds import Runs, Stream, crashing, history, pair

from setpoint.core.instance.explain import Condition, condition
from setpoint.model.time import HOUR, MINUTE

pytestmark = pytest.mark.timeout(900)
"""Whole worlds take their time where coverage is traced."""

OFTEN = {
    "gated": 5,
    "ordered": 2,
    "vetoed": 3,
    "pinned": 0.15,
    "safe-back": 2,
    "hands-off": 15,
    "one-at-a-time": 20,
    "approved": 1,
    "unhindered": 15,
    "idempotent": 200,
    "remembered": 8,
    "explained": 100,
    "settled": 2,
    "once": 5,
    "forward": 5,
    "seen": 5,
    "judged": 30,
    "undecided": 30,
    "kept": 2,
    "configured": 6,
}
"""How often each invariant has to be evaluated per world on average: about half of what the worlds bring today."""


@pytest.mark.parametrize("seeds", [range(3, 9), pytest.param(range(40), marks=pytest.mark.nightly)], ids=["some", "many"])
def test_each_holds_and_was_checked_often_enough(seeds: range):
    runs = Runs()
    for seed in seeds:
        runs.run(seed)
    assert runs.broken == {}
    seldom = {name: runs.preconditions[name] for name, often in OFTEN.items() if runs.preconditions[name] < often * runs.seeds}
    assert not seldom, f"checked only so often in {runs.seeds} worlds: {seldom}"


# --- remembered ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [7, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(8, 29))])
def test_remembered_after_a_crash_at_every_chance(seed: int):
    outcomes, lost = crashing(seed)
    assert outcomes.world.crashes > 5
    assert lost == []


# --- isolated -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, 4, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(5, 25))])
def test_isolated(seed: int):
    alone = pair(seed, with_neighbour=False)
    beside = pair(seed, with_neighbour=True)
    assert beside.world.raised > 10, "the neighbour did not misbehave"
    assert history(alone, "calm") == history(beside, "calm")
    assert len(history(alone, "calm")) > 5


# --- settled ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["newest-ready", "newest"])
def test_settled_under_an_endless_stream_of_releases(strategy: str):
    """A gate of twenty minutes, and a release every ten: they meet again and again."""
    stream = Stream(strategy, check_takes=20 * MINUTE, every=10 * MINUTE)
    stream.run(12 * HOUR)
    finalized = stream.finalized()
    assert len(finalized) > 10
    assert max(later - earlier for earlier, later in pairwise(finalized)) < 2 * HOUR


def test_settled_writes_nothing_when_nothing_changes():
    stream = Stream("newest-ready", check_takes=MINUTE, every=0)
    stream.release()
    stream.run(2 * HOUR)
    turns = stream.world.turns
    stream.run(24 * HOUR)
    assert condition(stream.state(), stream.world.now) is Condition.CONVERGED
    assert stream.world.turns == turns
