"""What earlier runs found, one line of JSON each: a run that is interrupted goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.mutation.operators import Mutant


@dataclass(frozen=True)
class Result:
    """What became of one mutant."""

    key: str
    by: str
    """The test that noticed, ``seed N``, or ``time``; empty: nobody."""
    tests: dict[str, str] = field(default_factory=dict)
    """File of tests that it survived -> its digest: others may notice it."""
    worlds: int = 0
    """So many simulated worlds it survived."""


class Known:
    """Results on disk, by the mutants' keys."""

    def __init__(self, file: Path, tests: dict[str, str], worlds: int) -> None:
        self.file, self.tests, self.worlds = file, tests, worlds
        self.results: dict[str, Result] = {}
        if file.exists():
            for line in file.read_text("utf-8").splitlines():
                result = Result(**json.loads(line))
                self.results[result.key] = result

    def of(self, mutant: Mutant) -> Result | None:
        """The result that still holds: of unchanged code, and for one that survived, of unchanged tests."""
        result = self.results.get(mutant.key)
        if result is None or result.by:
            return result
        return result if result.tests == self.tests and result.worlds >= self.worlds else None

    def survived(self, mutant: Mutant) -> tuple[set[str], int]:
        """Files of tests that need not be asked again, and how many worlds."""
        result = self.results.get(mutant.key)
        if result is None or result.by:
            return set(), 0
        return {file for file, digest in self.tests.items() if result.tests.get(file) == digest}, result.worlds

    def add(self, mutant: Mutant, by: str) -> Result:
        """Remember, on disk at once."""
        result = Result(mutant.key, by) if by else Result(mutant.key, by, self.tests, self.worlds)
        self.results[mutant.key] = result
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
        return result
