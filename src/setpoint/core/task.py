"""The task-run actor: one task of one release for one key, run once for everybody who comes to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import Decision
from setpoint.model.time import Instant


class TaskState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What it remembers."""

    number: int = 0


def decide(entity: str, state: TaskState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:  # noqa: ARG001 - under way
    """One turn."""
    return Decision(state or TaskState())
