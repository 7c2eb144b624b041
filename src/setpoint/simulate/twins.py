"""Copies of whole worlds: what can change is copied, what cannot – states, facts, policies – is shared."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

from setpoint.simulate.checks import Run
from setpoint.simulate.likeness import Told
from setpoint.simulate.situation import Situations
from setpoint.simulate.tasks import Try
from setpoint.simulate.world import Turn

Kind = TypeVar("Kind")
_OURS = "setpoint.simulate."


def twin(value: Kind) -> Kind:
    """An object of the simulator that goes its own way from now on."""
    copied: Kind = _twin(value, {})
    return copied


def _twin(value: Any, known: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if id(value) in known:
        return known[id(value)]
    if kind is dict or issubclass(kind, dict):
        copied = known[id(value)] = value.copy()
        for key, one in value.items():
            if type(one) not in _PLAIN:
                copied[key] = _twin(one, known)
        return copied
    if kind is list or kind is deque:
        copied = known[id(value)] = value.copy()
        if value and _changes(value[0]):
            copied.clear()
            copied.extend(_twin(one, known) for one in value)
        return copied
    if kind is set:
        return value.copy()
    return _object(value, known) if _changes(value) else value


def _object(value: Any, known: dict[int, Any]) -> Any:
    copied = known[id(value)] = object.__new__(type(value))
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    for name in (*getattr(value, "__dict__", ()), *slots):
        object.__setattr__(copied, name, _twin(getattr(value, name), known))
    return copied


def _changes(value: Any) -> bool:
    """Whether it is one of the simulator's own objects that can change."""
    kind = type(value)
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    ours = kind.__module__.startswith(_OURS) and kind not in _KEPT
    return ours and not frozen and not hasattr(kind, "__struct_fields__")


_KEPT = frozenset({Turn, Run, Try, Situations, Told})
"""Records of what has been: nobody changes them. What was read of a situation is the same for all."""
_PLAIN = frozenset({int, str, float, bool, bytes, tuple, frozenset, type(None)})
