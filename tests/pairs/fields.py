"""Which fields, and which of their fixed words, the documents have; and which of them configurations use."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from setpoint.config.catalog import Catalog, read_catalog
from setpoint.config.documents import KINDS, Node
from setpoint.config.instances.groups import expand_groups
from setpoint.config.problems import Problems


def models() -> list[type[Node]]:
    """Every map that a document can hold."""
    found: dict[type[Node], None] = {}

    def walk(model: type[Node]) -> None:
        if model not in found:
            found[model] = None
            for field in model.model_fields.values():
                for one in _models_in(field.annotation):
                    walk(one)

    for kind in KINDS.values():
        walk(kind)
    return list(found)


def _models_in(annotation: Any) -> Iterator[type[Node]]:
    if isinstance(annotation, type) and issubclass(annotation, Node):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)


def known() -> set[str]:
    """``After.soak``, and ``Drift.mode=heal`` for each fixed word."""
    found: set[str] = set()
    for model in models():
        schema = model.model_json_schema()
        properties = schema.get("properties") or _own(schema, model.__name__)
        for name, field in model.model_fields.items():
            found.add(f"{model.title()}.{name}")
            shape = properties.get(field.alias or name, {})
            for part in (shape, *shape.get("anyOf", ())):
                found |= {f"{model.title()}.{name}={word}" for word in part.get("enum", ()) if isinstance(word, str)}
    return found


def _own(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The properties of a model with short forms, which stand among its alternatives or definitions."""
    for part in (*schema.get("anyOf", ()), *schema.get("$defs", {}).values()):
        if "properties" in part and part.get("title", name) == name:
            return dict(part["properties"])
    return {}


def used(text: str, **files: bytes) -> set[str]:
    """As ``known``, of one configuration."""
    problems = Problems()
    catalog: Catalog = read_catalog({"setpoint.yaml": text.encode()}, problems)
    expand_groups(catalog, {"list.yaml": files.get("list", b"[]")}, problems)
    found: set[str] = set()
    for entry in catalog.entries():
        found |= set(_set_in(entry.model))
        for fragment in getattr(entry.model, "per_channel", {}).values():
            found |= _in_fragment(type(entry.model), fragment)
    return found


def _set_in(node: Any) -> Iterator[str]:
    if isinstance(node, Node):
        for name in node.model_fields_set:
            value = getattr(node, name)
            yield f"{type(node).title()}.{name}"
            for word in value if isinstance(value, tuple) else (value,):
                if isinstance(word, str):
                    yield f"{type(node).title()}.{name}={word}"
            yield from _set_in(value)
    elif isinstance(node, tuple | list):
        for item in node:
            yield from _set_in(item)
    elif isinstance(node, dict):
        for item in node.values():
            yield from _set_in(item)


def _in_fragment(model: Any, fragment: Any) -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        written = fragment.get(field.alias or name) if isinstance(fragment, dict) else None
        if not isinstance(written, dict):
            continue
        for inner in _models_in(field.annotation):
            for key, value in written.items():
                fields = {other.alias or own: own for own, other in inner.model_fields.items()}
                if key in fields:
                    found |= {f"{inner.title()}.{fields[key]}", f"{inner.title()}.{fields[key]}={value}"}
    return found
