"""Times as people read them: states keep them by the steady clock, answers give them by the wall clock (§10.17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from setpoint.control.context import RequestContext
from setpoint.control.registry import Answer
from setpoint.model.time import Instant

AnyAnswer = TypeVar("AnyAnswer", bound=Answer)

STEADY = frozenset({"since", "until", "recheck_at", "when", "next_look", "at", "ended", "began", "entered", "seen"})
"""Fields that are taken from states as they are."""


def by_wall(answer: AnyAnswer, context: RequestContext) -> AnyAnswer:
    """An answer made of states, with the times of its fields, and of what is in it, by the wall clock."""
    clock = context.engine.clock
    return _shown(answer, clock.wall_at) if clock.was_set else answer


def _shown(value: Any, wall: Callable[[Instant], Instant]) -> Any:
    if isinstance(value, list):
        return [_shown(one, wall) for one in value]
    if not isinstance(value, Answer):
        return value
    return value.model_copy(update={name: _field(name, getattr(value, name), wall) for name in type(value).model_fields})


def _field(name: str, value: Any, wall: Callable[[Instant], Instant]) -> Any:
    if name in STEADY and isinstance(value, int):
        return wall(value) if value else value
    return _shown(value, wall)
