"""What earlier runs found, one line of JSON each: a run that is interrupted goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutation.operators import Mutant


@dataclass(frozen=True)
class Result:
    """What became of one mutant."""

    key: str
    by: str
    """The test that noticed, ``seed N``, or ``time``; empty: nobody."""
    tests: str = ""
    """Digest of the tests that it survived: others may notice it."""


class Known:
    """Results on disk, by the mutants' keys."""

    def __init__(self, file: Path, tests: str) -> None:
        self.file, self.tests = file, tests
        self.results: dict[str, Result] = {}
        if file.exists():
            for line in file.read_text("utf-8").splitlines():
                result = Result(**json.loads(line))
                self.results[result.key] = result

    def of(self, mutant: Mutant) -> Result | None:
        """The result that still holds: of unchanged code, and for one that survived, of unchanged tests."""
        result = self.results.get(mutant.key)
        return None if result is None or (not result.by and result.tests != self.tests) else result

    def add(self, mutant: Mutant, by: str) -> Result:
        """Remember, on disk at once."""
        result = Result(mutant.key, by, "" if by else self.tests)
        self.results[mutant.key] = result
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
        return result
