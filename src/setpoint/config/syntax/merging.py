"""The one merge rule: maps merge key by key, scalars and lists are replaced, null removes, gate lists merge by name."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from typing import Any

from setpoint.config.problems import Position
from setpoint.config.syntax.values import is_secret
from setpoint.config.syntax.yaml import Mapping, Scalar, Sequence, place_of

NAMED_LISTS = {"protections": "use", "tasks": "use", "approvals": "topic", "calendars": "name"}
"""List -> the key that names an entry without a name of its own, and that a text stands for."""
Report = Callable[[Position, str, str], None]
"""Called for a ``remove`` that removes nothing: where, the list, the name."""


def is_null(node: Any) -> bool:
    """Whether a node removes what it is merged into."""
    return node is None or (isinstance(node, Scalar) and node.null)


def merge_trees(base: Mapping, change: Mapping, report: Report) -> Mapping:
    """``change`` over ``base``, for two maps of fields of a node that has gates."""
    result = Mapping(dict(base), position=base.position)
    for key, value in change.items():
        if key in NAMED_LISTS and not is_null(value):
            result[key] = _merge_named(key, base.get(key), value, report)
        else:
            _merge_key(result, key, value)
    return result


def merge_maps(*maps: AnyMapping[str, Any]) -> Mapping:
    """Maps of values, the later over the earlier."""
    result = Mapping(position=Position(""))
    for change in maps:
        for key, value in change.items():
            _merge_key(result, key, value)
    return result


def _merge_key(result: Mapping, key: str, value: Any) -> None:
    old = result.get(key)
    if is_null(value) and not (isinstance(value, Scalar) and key in PHASES):
        result.pop(key, None)
    elif isinstance(value, Mapping) and isinstance(old, Mapping) and not (is_secret(value) or is_secret(old)):
        below = Mapping(dict(old), position=value.position)
        for inner_key, inner in value.items():
            _merge_key(below, inner_key, inner)
        result[key] = below
    else:
        result[key] = value


PHASES = frozenset({"pre-approval", "pre-deployment", "deployment", "post-deployment"})
"""Below ``at`` an empty phase has no options; it removes nothing."""


def _merge_named(kind: str, base: Any, change: Any, report: Report) -> Sequence:
    entries = {entry_name(kind, entry, number): entry for number, entry in enumerate(_entries(kind, base))}
    for number, entry in enumerate(_entries(kind, change)):
        name = entry_name(kind, entry, len(entries) + number)
        if not isinstance(entry, Mapping):
            entries[name] = entry
        elif entry.get("remove") == "true":
            if entries.pop(name, None) is None:
                report(place_of(entry), kind, name)
        elif isinstance(old := entries.get(name), Mapping):
            merged = merge_maps(old, entry)
            entries[name] = Mapping(merged, position=entry.position)
        else:
            entries[name] = entry
    return Sequence(list(entries.values()), position=place_of(change))


def _entries(kind: str, node: Any) -> list[Any]:
    if node is None or is_null(node):
        return []
    items = node if isinstance(node, Sequence) else [node]
    return [Mapping({NAMED_LISTS[kind]: item}, position=item.position) if isinstance(item, Scalar) else item for item in items]


def entry_name(kind: str, entry: Any, number: int) -> str:
    """The name an entry goes by: its own, else what it uses; a nameless calendar in place by its number."""
    found = (entry.get("name") or entry.get(NAMED_LISTS[kind])) if isinstance(entry, Mapping) else None
    return str(found) if isinstance(found, Scalar) else f"{kind.removesuffix('s')}-{number + 1}"
