"""Where each value came from, for showing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from setpoint.config.yaml import position_of


def origins_of(service: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Path -> ``file:line``; the service's fields by their own names, those of other nodes below ``application.`` and so on."""
    found = dict(_leaves(service, ""))
    for node, tree in nodes.items():
        found |= dict(_leaves({key: value for key, value in tree.items() if key != "channels"}, node))
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    elif (place := position_of(value)) is not None:
        yield path, f"{place.file}:{place.line}"
