"""``docs/commands.md`` from the registry; ``make docs`` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from setpoint.control import commands, queries
from setpoint.control.audit import RECORDED_READS
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Operation, Stream

_HEAD = """# Commands and queries

Every command and query of the engine. The command line and scripts use these and nothing else.
This page is generated from the code.

Send commands as `POST /api/v1/commands/NAME` and queries as `POST /api/v1/queries/NAME` with a JSON object, or queries as `GET`
with parameters; streams are `GET /api/v1/NAME` and answer with server-sent events (`bit`, `problem`, `end`).
`Authorization: Bearer TOKEN` identifies you. `Idempotency-Key` (at most 255 printable ASCII characters) makes sending a
command twice harmless: the same command with the same key, by the same person, returns what the first one returned. With another
payload it is refused (422 `key-reused`), and so it is while the first one is in flight (409 `in-flight`). Keys of different
people or commands are independent. A key is kept for 24 hours, and at most the newest 10,000 of them.
A refusal is JSON: `{code, message, hint, details}`. The schema of everything is at `/api/v1/openapi.json`.

Every command is written to the audit log before it is tried, and once more with its outcome (`audit`, `setpoint audit`).
Dry runs, refused attempts, and sensitive queries and streams leave one line each; what repeats within a minute is counted.
Each line has the id of the token, the address of the client and the SHA-256 of the request.
`POST /api/v1/rehearsals/NAME` takes what the command takes and changes nothing: it returns what the command would return, and
the decisions that the command would immediately lead to (`{command, answer, consequences, complete}`).
"""


def commands_page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    assert commands, queries  # noqa: S101 - imported so that they register
    yield _HEAD
    yield from _section("Commands", COMMANDS.values())
    yield from _section("Queries", QUERIES.values())
    yield from _section("Streams", STREAMS.values())


def _section(title: str, operations: Iterable[Operation | Stream]) -> Iterator[str]:
    yield f"## {title}\n"
    for one in operations:
        yield f"### `{one.name}`\n"
        recorded = " Each use is in the audit log." if one.name in RECORDED_READS else ""
        yield f"{one.summary} Needs the right to `{one.permission}`.{recorded}\n"
        schema = one.request.model_json_schema()
        rows = list(_rows(schema, schema, ""))
        yield (
            "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"
            if rows
            else "It takes nothing.\n"
        )


def _rows(model: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[str]:
    required = model.get("required", [])
    for name, field in model.get("properties", {}).items():
        default = "required" if name in required else f"`{json.dumps(field['default'])}`" if "default" in field else ""
        meaning = " ".join(field.get("description", "").replace("``", "`").split())
        yield f"| `{prefix}{name}` | {_type(field)} | {default} | {meaning} |"
        inner, step = _inner(field)
        if inner:
            yield from _rows(schema["$defs"][inner.rpartition("/")[2]], schema, f"{prefix}{name}.{step}")


def _inner(field: dict[str, Any]) -> tuple[str, str]:
    """The model inside of a field, and how one of it is named."""
    if "$ref" in field:
        return field["$ref"], ""
    nested = field.get("additionalProperties", {})
    return (nested["$ref"], "NAME.") if isinstance(nested, dict) and "$ref" in nested else ("", "")


_WORDS = {"string": "text", "integer": "number", "boolean": "yes or no", "null": "nothing", "number": "number"}


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "map"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        nested = field.get("additionalProperties")
        return f"map of {_type(nested)}" if isinstance(nested, dict) and "$ref" not in nested else "map"
    return _WORDS[field["type"]]
