"""What the rules remember of a whole world, and how often the precondition of each invariant held."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

from setpoint.simulate.checker.ledger import Ledger

Kept = TypeVar("Kept")


class RuleMemory:
    """Shared by all rules of one world."""

    def __init__(self) -> None:
        self.preconditions: Counter[str] = Counter()
        """Invariant -> how often its precondition held."""
        self.ledgers: dict[str, Ledger] = {}
        """Entity of an instance -> its ledger."""
        self.families: dict[type, Any] = {}
        """What each family of rules remembers."""

    def shared(self, kind: type[Kept]) -> Kept:
        """What a family of rules remembers of the whole world; made when it is first used."""
        if kind not in self.families:
            self.families[kind] = kind()
        found: Kept = self.families[kind]
        return found
