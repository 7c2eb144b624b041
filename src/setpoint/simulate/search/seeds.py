"""Many worlds, one seed each, on all cores: what they came to, and the first that broke an invariant."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from setpoint.core.instance.transitions import TRANSITIONS
from setpoint.model.names import is_kind
from setpoint.model.time import Duration
from setpoint.simulate.generators.from_configuration import draw_for
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.plan import Plan
from setpoint.simulate.scenario import failure
from setpoint.simulate.world.host import START

CHUNK = 4
"""Seeds that a process takes together."""
ENDS = ("converged", "failed", "rolled-back", "rejected", "replaced", "cancelled")


@dataclass
class Tally:
    """What some worlds add up to."""

    seeds: int = 0
    decisions: int = 0
    faults: int = 0
    """That changed a delivery, a result or a crash."""
    fewest: int | None = None
    """Faults of the world that had fewest."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Kind of fault -> how many."""
    lived: Duration = 0
    """Virtual time."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How attempts ended."""
    preconditions: Counter[str] = field(default_factory=Counter)
    """How often the precondition of each invariant held."""
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Step of an attempt (stage before, stage after) -> how often it occurred."""
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, invariant, what is wrong)."""

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.seeds += other.seeds
        self.decisions += other.decisions
        self.faults += other.faults
        self.fewest = min((few for few in (self.fewest, other.fewest) if few is not None), default=None)
        self.kinds += other.kinds
        self.lived += other.lived
        self.outcomes += other.outcomes
        self.preconditions += other.preconditions
        self.moves += other.moves
        self.broken += other.broken

    @property
    def attempts(self) -> int:
        """Attempts that ended."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in ENDS)

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Legal steps of an attempt that no world took."""
        legal = [(str(before), str(after)) for before, found in TRANSITIONS.items() for after in sorted(found)]
        return [step for step in legal if not self.moves[step]]


def plan_of(seed: int, directory: str = "") -> Plan:
    """Return the plan of a seed: a world drawn whole, or one around the configuration in a directory."""
    return draw_for(directory, seed) if directory else draw(seed)


def one(seed: int, directory: str = "") -> Tally:
    """Run the world of one seed and return its tally."""
    scenario, broken = failure(plan_of(seed, directory))
    tally = Tally(seeds=1)
    if broken is not None:
        tally.broken.append((seed, broken.name, str(broken)))
    world = scenario.world
    tally.decisions, tally.faults, tally.fewest = world.turns, world.injected, world.injected
    tally.kinds, tally.lived = Counter(world.fault_injector.counted), world.now - START
    tally.outcomes.update(event.outcome for _, entity, event in world.events if event.outcome and is_kind(entity, "instance"))
    tally.preconditions.update(scenario.net.preconditions)
    tally.moves.update(scenario.net.moves)
    return tally


def search(first: int, last: int, jobs: int = 1, directory: str = "") -> Iterator[Tally]:
    """Yield the tallies of the seeds from ``first`` to before ``last``, in the order in which they finish."""
    seeds, run = range(first, last), partial(one, directory=directory)
    if jobs < 2 or len(seeds) < 2:
        yield from map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _leave_interrupts_to_the_parent) as pool:
        yield from pool.imap_unordered(run, seeds, CHUNK if len(seeds) > CHUNK * jobs else 1)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
