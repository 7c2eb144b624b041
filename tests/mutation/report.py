"""What is printed: a table per file, the score, and every survivor with the line it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.mutation.equivalent import Equivalent
from tests.mutation.operators import Mutant


@dataclass
class Count:
    """Mutants of one file."""

    tried: int = 0
    killed: int = 0
    equivalent: int = 0

    @property
    def score(self) -> float:
        """Percent of those that can be noticed at all."""
        worth = self.tried - self.equivalent
        return 100.0 * self.killed / worth if worth else 100.0


def table(outcomes: Iterable[tuple[Mutant, str, bool]]) -> Iterator[str]:
    """Lines for (mutant, who noticed, reviewed as equivalent)."""
    counts: dict[str, Count] = defaultdict(Count)
    for mutant, by, equivalent in outcomes:
        for count in (counts[mutant.file], counts[""]):
            count.tried += 1
            count.killed += bool(by)
            count.equivalent += equivalent and not by
    yield f"{'file':32} {'tried':>6} {'killed':>7} {'equivalent':>11} {'survived':>9} {'score':>7}"
    for file, count in sorted(counts.items(), key=lambda item: (item[0] == "", item[0])):
        survived = count.tried - count.killed - count.equivalent
        yield f"{file or 'all':32} {count.tried:6} {count.killed:7} {count.equivalent:11} {survived:9} {count.score:6.1f}%"


def survivors(outcomes: Iterable[tuple[Mutant, str, bool]]) -> Iterator[str]:
    """One line for each that nobody noticed."""
    for mutant, by, equivalent in outcomes:
        if not by and not equivalent:
            yield f"{mutant.file}:{mutant.line}: {mutant.function}: {mutant.words}"


def score(outcomes: Iterable[tuple[Mutant, str, bool]]) -> float:
    """Percent noticed of those that can be noticed at all."""
    every = Count()
    for _, by, equivalent in outcomes:
        every.tried += 1
        every.killed += bool(by)
        every.equivalent += equivalent and not by
    return every.score


def stale(reviewed: Iterable[Equivalent], mutants: Iterable[Mutant]) -> Iterator[str]:
    """Entries of the list of equivalents whose code has changed: to be looked at again, or taken off."""
    known = {(mutant.file, mutant.function, mutant.words) for mutant in mutants}
    for each in reviewed:
        if (each.file, each.function, each.change) not in known:
            yield f"no mutant any more: {each.file}: {each.function}: {each.change}"
