"""Mutants that a person looked at and found to change nothing that anybody could notice, each with the reason."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant

LIST = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True)
class Equivalent:
    """Every mutant of this change in this function."""

    file: str
    function: str
    change: str
    """As reports say it: ``before → after``."""
    why: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether it is this mutant."""
        return (mutant.file, mutant.function, mutant.words) == (self.file, self.function, self.change)


def reviewed(path: Path = LIST) -> tuple[Equivalent, ...]:
    """The list."""
    return tuple(Equivalent(**entry) for entry in tomllib.loads(path.read_text("utf-8")).get("mutant", ()))
