"""Many worlds, one seed each, on all cores: what they came to, and the first that broke an invariant."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.simulate.drawing import draw
from setpoint.simulate.invariants import Broken
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.story import tell

CHUNK = 5
"""Seeds that a process takes at once."""


@dataclass
class Tally:
    """What some worlds add up to."""

    seeds: int = 0
    decisions: int = 0
    faults: int = 0
    """That changed a delivery, a result or a crash."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How attempts ended."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each invariant had something to say."""
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, invariant, story)."""

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        self.seeds += other.seeds
        self.decisions += other.decisions
        self.faults += other.faults
        self.outcomes += other.outcomes
        self.asked += other.asked
        self.broken += other.broken

    @property
    def attempts(self) -> int:
        """Attempts that ended."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in ENDS)


ENDS = ("converged", "failed", "rolled-back", "rejected", "replaced", "cancelled")


def one(seed: int) -> Tally:
    """The world of one seed."""
    scenario = Scenario(draw(seed))
    tally = Tally(seeds=1)
    try:
        scenario.run()
    except Broken as broken:
        tally.broken.append((seed, broken.name, f"{broken}\n{tell(scenario, broken)}"))
    tally.decisions, tally.faults = scenario.world.turns, scenario.world.injected
    tally.outcomes.update(event.outcome for _, _, event in scenario.world.events if event.outcome)
    tally.asked.update(scenario.net.preconditions)
    return tally


def search(first: int, last: int, jobs: int = 1) -> Iterator[Tally]:
    """The seeds from ``first`` to before ``last``, in the order in which they are done."""
    seeds = range(first, last)
    if jobs < 2:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(one, seeds, CHUNK)
