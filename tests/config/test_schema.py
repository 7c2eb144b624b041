"""The JSON Schema accepts what the language accepts, short forms included."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from setpoint.config.documents import KINDS
from setpoint.config.schema import json_schema

SCHEMA = json_schema()
EXAMPLE = Path(__file__).parent / "example" / "saas.setpoint.yaml"
CHANNEL = "kind: Channel\nname: a\napplication: shop\n"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def accepts(schema: Any, value: Any) -> bool:
    """The part of JSON Schema that is used here."""
    if schema is True or schema == {}:
        return True
    if "$ref" in schema:
        return accepts(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    wanted = schema.get("type", [])
    wanted = wanted if isinstance(wanted, list) else [wanted]
    checks = [
        not wanted or any(isinstance(value, TYPES[name]) for name in wanted),
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"],
        "anyOf" not in schema or any(accepts(part, value) for part in schema["anyOf"]),
        all(accepts(part, value) for part in schema.get("allOf", [])),
        "if" not in schema or not accepts(schema["if"], value) or accepts(schema["then"], value),
        not isinstance(value, str) or "pattern" not in schema or re.search(schema["pattern"], value) is not None,
        not isinstance(value, list) or all(accepts(schema.get("items", {}), item) for item in value),
        not isinstance(value, dict) or accepts_map(schema, value),
    ]
    return all(checks)


def accepts_map(schema: Any, value: dict[str, Any]) -> bool:
    if any(key not in value for key in schema.get("required", [])):
        return False
    known = schema.get("properties", {})
    for key, item in value.items():
        patterns = [part for pattern, part in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        if key not in known and not patterns and not accepts_other(schema.get("additionalProperties", True), item):
            return False
        if key in known and not accepts(known[key], item):
            return False
    return True


def accepts_other(schema: Any, item: Any) -> bool:
    return schema is not False and accepts(schema, item)


def documents(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text))


def test_the_example_of_the_design_is_accepted() -> None:
    assert [accepts(SCHEMA, document) for document in documents(EXAMPLE.read_text())] == [True] * 4


def test_every_kind_is_described() -> None:
    assert SCHEMA["properties"]["kind"]["enum"] == list(KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "kind: Application\nname: shop\nx-note: {any: [1]}\ncalendars: office\nprotections: always\n",
        CHANNEL + "after: b\naccepts: ^1\nprotections: [{use: x, at: deployment}, {use: y, at: [deployment]}]\n",
        CHANNEL + "after: {channels: [b], need: 50%}\nprotections: {use: x, at: {pre-deployment: }}\n",
        "kind: Runtime\nname: box\nlocal:\n",
    ],
)
def test_short_forms_are_accepted(text: str) -> None:
    assert accepts(SCHEMA, documents(text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "kind: Application\nname: Shop\n",
        "kind: Application\nname: shop\nchanels: []\n",
        "kind: Policy\nname: all\n",
        "kind: Service\nname: web\nprocess: {command: [a]}\n",
    ],
)
def test_mistakes_are_not(text: str) -> None:
    assert not accepts(SCHEMA, documents(text)[0])
