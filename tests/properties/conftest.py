"""Simulated runs that the properties share: each seed is one world."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings

from setpoint.simulate.generators.plans import draw
from setpoint.simulate.invariants import Broken
from setpoint.simulate.scenario import Scenario

SEEDS = int(os.environ.get("SEEDS", "12"))
"""How many shared worlds; more of them: ``SEEDS=2000 pytest tests/properties``."""

REPEATABLE = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""The same examples every time: a property that fails, fails again."""


@dataclass
class Runs:
    """What many worlds came to."""

    seeds: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    """How often each invariant had something to say."""
    broken: dict[str, list[str]] = field(default_factory=dict)
    """Invariant -> what went wrong, with the seed to replay it by."""

    def run(self, seed: int) -> None:
        scenario = Scenario(draw(seed))
        try:
            scenario.run()
        except Broken as broken:
            self.broken.setdefault(broken.name, []).append(f"seed {seed}: {broken}")
        self.seeds += 1
        self.asked += scenario.net.preconditions


@pytest.fixture(scope="session")
def runs() -> Runs:
    """All shared worlds."""
    found = Runs()
    for seed in range(SEEDS):
        found.run(seed)
    return found
