"""What must always hold (section 8 of the design), each under its own name.

Most are asked after every turn of the same simulated worlds (``setpoint.simulate``): faults, people, runtimes at their worst.
Each test also asks that its invariant had something to say often enough, so that none holds because nothing happened.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.properties.conftest import REPEATABLE, Runs
from tests.properties.worlds import Stream, crashing, history, pair

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
"""How often each invariant has to be asked per world on average: about half of what the worlds bring today."""


def holds(runs: Runs, name: str) -> None:
    assert not runs.broken.get(name), "\n".join(runs.broken[name][:3])
    assert runs.asked[name] >= OFTEN[name] * runs.seeds, f"{name} was asked only {runs.asked[name]} times in {runs.seeds} worlds"


def test_no_world_raised_anything_else(runs: Runs):
    assert set(runs.broken) <= set(OFTEN)


def test_gated(runs: Runs):
    holds(runs, "gated")


def test_ordered(runs: Runs):
    holds(runs, "ordered")


def test_vetoed(runs: Runs):
    holds(runs, "vetoed")


def test_pinned(runs: Runs):
    holds(runs, "pinned")


def test_safe_back(runs: Runs):
    holds(runs, "safe-back")


def test_hands_off(runs: Runs):
    holds(runs, "hands-off")


def test_one_at_a_time(runs: Runs):
    holds(runs, "one-at-a-time")


def test_approved(runs: Runs):
    holds(runs, "approved")


def test_unhindered(runs: Runs):
    holds(runs, "unhindered")


def test_idempotent(runs: Runs):
    holds(runs, "idempotent")


def test_explained(runs: Runs):
    holds(runs, "explained")


def test_once(runs: Runs):
    holds(runs, "once")


def test_forward(runs: Runs):
    holds(runs, "forward")


def test_seen(runs: Runs):
    holds(runs, "seen")


def test_judged(runs: Runs):
    holds(runs, "judged")


def test_undecided(runs: Runs):
    holds(runs, "undecided")


def test_kept(runs: Runs):
    holds(runs, "kept")


def test_configured(runs: Runs):
    holds(runs, "configured")


# --- remembered ---------------------------------------------------------------------------------------------------------


def test_remembered(runs: Runs):
    holds(runs, "remembered")


@given(seed=st.integers(0, 10_000))
@settings(REPEATABLE, max_examples=8)
@example(seed=7)
def test_remembered_after_a_crash_at_every_chance(seed: int):
    outcomes, lost = crashing(seed)
    assert outcomes.world.crashes > 5
    assert lost == []


# --- isolated -----------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000))
@settings(REPEATABLE, max_examples=8)
@example(seed=3)
def test_isolated(seed: int):
    alone = pair(seed, with_neighbour=False)
    beside = pair(seed, with_neighbour=True)
    assert beside.world.raised > 10, "the neighbour did not misbehave"
    assert history(alone, "calm") == history(beside, "calm")
    assert len(history(alone, "calm")) > 5


# --- settled ------------------------------------------------------------------------------------------------------------


def test_settled(runs: Runs):
    holds(runs, "settled")


@pytest.mark.parametrize("strategy", ["newest-ready", "newest"])
def test_settled_under_an_endless_stream_of_releases(strategy: str):
    """A gate of twenty minutes, and a release every ten: they meet again and again."""
    stream = Stream(strategy, check_takes=20 * MINUTE, every=10 * MINUTE)
    stream.run(24 * HOUR)
    finalized = stream.finalized()
    assert len(finalized) > 20
    assert max(later - earlier for earlier, later in pairwise(finalized)) < 2 * HOUR


def test_settled_writes_nothing_when_nothing_changes():
    stream = Stream("newest-ready", check_takes=MINUTE, every=0)
    stream.release()
    stream.run(2 * HOUR)
    turns = stream.world.turns
    stream.run(24 * HOUR)
    assert condition(stream.state(), stream.world.now) is Condition.CONVERGED
    assert stream.world.turns == turns
