"""Copies of whole worlds: what can change is copied, what cannot – states, facts, policies – is shared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from setpoint.simulate.checker.ledger import Ledger
from setpoint.simulate.explore.abstraction import Abstraction
from setpoint.simulate.explore.state_key import StateKeys
from setpoint.simulate.world.checks import Run
from setpoint.simulate.world.host import TurnRecord
from setpoint.simulate.world.tasks import Try

Kind = TypeVar("Kind")
_Known = dict[int, Any]
_OURS = "setpoint.simulate."


def clone(value: Kind) -> Kind:
    """Return an independent copy of an object of the simulator."""
    copied: Kind = _way(type(value))(value, {})
    return copied


def clone_ledger(ledger: Ledger) -> Ledger:
    """Return a copy of a ledger: copies of a world share ledgers until one writes into it."""
    copied: Ledger = _object(ledger, {})
    return copied


def _copy(value: Any, known: _Known) -> Any:
    kind = type(value)
    return (_WAYS.get(kind) or _way(kind))(value, known)


def _way(kind: type) -> Callable[[Any, _Known], Any]:
    """How values of a kind are copied."""
    if issubclass(kind, dict):
        way: Callable[[Any, _Known], Any] = _dict
    elif kind is list or kind is deque:
        way = _list
    elif kind is set:
        way = _set
    else:
        way = _object if _changes(kind) else _same
    _WAYS[kind] = way
    return way


def _same(value: Any, _known: _Known) -> Any:
    return value


def _set(value: set[Any], _known: _Known) -> set[Any]:
    return value.copy()


def _dict(value: dict[Any, Any], known: _Known) -> dict[Any, Any]:
    if id(value) in known:
        found: dict[Any, Any] = known[id(value)]
        return found
    copied = known[id(value)] = value.copy()
    for key, one in value.items():
        way = _WAYS.get(type(one)) or _way(type(one))
        if way is not _same:
            copied[key] = way(one, known)
    return copied


def _list(value: Any, known: _Known) -> Any:
    if id(value) in known:
        return known[id(value)]
    copied = known[id(value)] = value.copy()
    if value and _changes(type(value[0])):
        copied.clear()
        copied.extend(_copy(one, known) for one in value)
    return copied


def _object(value: Any, known: _Known) -> Any:
    if id(value) in known:
        return known[id(value)]
    copied = known[id(value)] = object.__new__(type(value))
    fields = getattr(value, "__dict__", None)
    if fields is not None:
        copied.__dict__.update({name: _copy(one, known) for name, one in fields.items()})
    for name in _slots(type(value)):
        object.__setattr__(copied, name, _copy(getattr(value, name), known))
    return copied


def _slots(kind: type) -> tuple[str, ...]:
    if kind not in _SLOTS:
        _SLOTS[kind] = tuple(name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))
    return _SLOTS[kind]


def _changes(kind: type) -> bool:
    """Whether values of a kind are the simulator's own objects that can change."""
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    ours = kind.__module__.startswith(_OURS) and kind not in _KEPT
    return ours and not frozen and not hasattr(kind, "__struct_fields__")


_KEPT = frozenset({TurnRecord, Run, Try, StateKeys, Abstraction, Ledger})
"""Records of the past, which never change, and abstractions, which are the same for all copies."""
_WAYS: dict[type, Callable[[Any, _Known], Any]] = {}
_SLOTS: dict[type, tuple[str, ...]] = {}
