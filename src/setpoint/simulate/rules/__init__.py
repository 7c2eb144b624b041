"""What must always hold, grouped by what is judged: each rule yields what is wrong with a turn. Names are those of the law.

They compare a turn with the world's own records (runs of checks, applies, looks) and with the checker's ledger; no decision of
the core is repeated. A new family is a new module here: nothing else refers to it.

*one-at-a-time* and *idempotent* need the world itself (``invariants``); *isolated* and *settled* are about whole runs.
"""

from __future__ import annotations

from setpoint.simulate.discovery import find_all
from setpoint.simulate.rules.registry import (
    ACTOR_RULES,
    CANONICAL,
    END_RULES,
    RULES,
    ActorRule,
    Complaint,
    EndRule,
    Rule,
    actor_rule,
    canonical,
    end_rule,
    rule,
)

find_all(__name__, __path__)

__all__ = [
    "ACTOR_RULES",
    "CANONICAL",
    "END_RULES",
    "RULES",
    "ActorRule",
    "Complaint",
    "EndRule",
    "Rule",
    "actor_rule",
    "canonical",
    "end_rule",
    "rule",
]
