"""The set actor: the services (or channels) of one release that move as one. It owns the votes of its members."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import Decision
from setpoint.model.time import Instant


class SetState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What it remembers."""

    number: int = 0


def decide(entity: str, state: SetState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:  # noqa: ARG001 - under way
    """One turn."""
    return Decision(state or SetState())
