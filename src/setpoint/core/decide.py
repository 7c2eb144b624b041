"""The one door into the core: which actor an entity is. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from setpoint.core import admission, attachment, line, scope, sets, task, topic
from setpoint.core.facts import AnyFact
from setpoint.core.instance import lifecycle
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.core.instructions import Decision, Watch
from setpoint.core.invariants import actor as invariant
from setpoint.model.names import kind_of
from setpoint.model.time import Instant

_ACTORS: dict[str, Callable[[str, Any, Sequence[AnyFact], Instant], Decision]] = {
    "instance": lifecycle.decide,
    "attachment": attachment.decide,
    "topic": topic.decide,
    "line": line.decide,
    "scope": scope.decide,
    "task": task.decide,
    "set": sets.decide,
    "admission": admission.decide,
    "invariant": invariant.decide,
}
STATES: dict[str, type[msgspec.Struct]] = {
    "instance": InstanceState,
    "attachment": attachment.AttachmentState,
    "topic": topic.TopicState,
    "line": line.LineState,
    "scope": scope.ScopeState,
    "task": task.TaskState,
    "set": sets.SetState,
    "admission": admission.AdmissionState,
    "invariant": invariant.InvariantState,
}


def decide(entity: str, state: Any, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """One turn of one actor. ``state`` is None before its first fact. Pure: the same arguments give the same decision.

    Raises:
        KeyError: for an entity of a kind that does not exist.
    """
    return _ACTORS[kind_of(entity)](entity, state, facts, now)


def watch(state: msgspec.Struct) -> Watch | None:
    """The standing ``Watch`` of an instance, for a host that starts; None: nothing is looked at."""
    if not isinstance(state, InstanceState) or not state.life.applying.every or state.life.applying.operation:
        return None
    applying, target = state.life.applying, offer_of(state.life, state.life.target)
    return Watch(applying.watch, applying.every, target.spec if target else "")
