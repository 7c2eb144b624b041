"""The admission actor, one of an organization: leases, waves and deploy budgets.

It grants everything that one attempt (or set) asks for in one turn, or nothing; separate pools could be taken crosswise.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import Decision
from setpoint.model.time import Instant


class AdmissionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What it remembers."""

    number: int = 0


def decide(entity: str, state: AdmissionState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:  # noqa: ARG001 - under way
    """One turn."""
    return Decision(state or AdmissionState())
