"""No request is too much for the engine: every field has a bound, whatever is sent gets a refusal, and nothing breaks."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError
from tests.control.fields import OPERATIONS, PLACES, Place, payload_of, with_text
from tests.control.house import STANDARD, files
from tests.server.test_api import Api, api, is_problem

from setpoint.control.applying.files import UPLOAD, Files
from setpoint.control.bounds import DEEPEST
from setpoint.control.errors import Unreadable
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS
from setpoint.model.grammars.text import UNSAFE
from setpoint.server.guard import MAX_BODY

FORBIDDEN = {
    "escape": "a\x1b[31mb",
    "C1": "a\x9b2Jb",
    "NUL": "a\0b",
    "newline": "a\nb",
    "bidi": "a\u202eb",
    "lone surrogate": "a\ud800b",
}
MODELS = {one.request for one in OPERATIONS.values()}


def path_of(name: str) -> str:
    return f"commands/{name}" if name in COMMANDS else f"queries/{name}" if name in QUERIES else name


async def send(found: Api, name: str, payload: dict[str, Any]) -> tuple[int, str]:
    """Status and code of the refusal of a request with a body; streams take theirs in the address, so it goes to the door."""
    if name in STREAMS:
        bits = None
        try:
            bits = await found.control.stream(name, payload, found.admin)
        except Exception as error:
            return getattr(error, "status", 500), getattr(error, "code", "")
        await bits.aclose()  # type: ignore[attr-defined]  # it is a generator
        return 200, ""
    response = await found.http.post(
        f"/api/v1/{path_of(name)}",
        content=json.dumps(payload).encode("utf-8", "surrogatepass"),
        headers={**found.headers("admin"), "Content-Type": "application/json"},
    )
    return response.status_code, response.json().get("code", "")


@pytest.mark.parametrize("kind", FORBIDDEN)
async def test_no_text_of_any_request_has_a_control_character(tmp_path: Path, kind: str) -> None:
    text = FORBIDDEN[kind]
    assert UNSAFE.search(text)
    async with api(tmp_path) as found:
        seen = {
            (name, place): await send(found, name, with_text(OPERATIONS[name].request, place, text)) for name, place in PLACES
        }
    assert set(seen.values()) == {(400, Unreadable.code)}, seen


async def test_every_text_of_every_request_has_a_length(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        seen = {
            (name, place): await send(found, name, with_text(OPERATIONS[name].request, place, "x" * 1_000_000))
            for name, place in PLACES
            if not (issubclass(OPERATIONS[name].request, Files) and place == ("files", "{}"))
        }
    assert {status for status, _ in seen.values()} == {422}, seen


def _collections(model: type[BaseModel]) -> Iterator[tuple[Place, Any]]:
    """Every list and map of a request, and one with far too many items."""
    for name, field in model.model_fields.items():
        yield from (((field.alias or name, *place), many) for place, many in _below(field.annotation))


def _below(kind: Any) -> Iterator[tuple[Place, Any]]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        yield (), ["x"] * 20_000
    elif origin is dict:
        nested = isinstance(arguments[1], type) and issubclass(arguments[1], BaseModel)
        yield (), {f"x{number}": payload_of(arguments[1]) if nested else "x" for number in range(20_000)}
        if nested:
            yield from ((("{}", *place), many) for place, many in _collections(arguments[1]))
    elif origin in {Union, types.UnionType}:
        for one in arguments:
            yield from _below(one)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _collections(kind)


COLLECTIONS = [
    (name, place, many) for name, operation in sorted(OPERATIONS.items()) for place, many in _collections(operation.request)
]


@pytest.mark.parametrize(
    ("name", "place", "many"), COLLECTIONS, ids=[f"{name}-{'.'.join(place)}" for name, place, _ in COLLECTIONS]
)
def test_every_list_and_map_of_every_request_has_a_length(name: str, place: Place, many: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        OPERATIONS[name].request.model_validate(with_text(OPERATIONS[name].request, place, many))
    assert "too_long" in {fault["type"] for fault in caught.value.errors()}


async def test_every_number_of_every_request_has_a_range(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        for name, operation in OPERATIONS.items():
            for field, one in operation.request.model_fields.items():
                if one.annotation in {int, int | None}:
                    for number in (10**30, -(10**30)):
                        status, _ = await send(found, name, {**payload_of(operation.request), field: number})
                        assert status in {400, 422}, (name, field)
                    if name not in COMMANDS:
                        address = f"{path_of(name)}?{field}={10**30}&target=x&entity=x"
                        assert (await found.get(address)).status_code in {400, 422}, (name, field)


@pytest.mark.parametrize("depth", [DEEPEST + 1, 900, 100_000])
async def test_a_deep_body_is_refused(tmp_path: Path, depth: int) -> None:
    deep = {"list": ("[" * depth, "]" * depth), "map": ('{"x":' * depth, "}" * depth)}
    async with api(tmp_path) as found:
        for name in sorted(COMMANDS.keys() | QUERIES.keys()):
            for before, after in deep.values():
                body = f'{{"target": {before}0{after}}}'.replace("[0]", "[]")
                response = await found.http.post(
                    f"/api/v1/{path_of(name)}", content=body.encode(), headers=found.headers("admin")
                )
                assert is_problem(response, 400, "malformed"), name


async def test_the_faults_of_one_request_that_are_listed_are_bounded(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        response = await found.post("commands/hold", {f"x{number}": 1 for number in range(5000)})
        assert is_problem(response, 422, "malformed")
        assert len(response.json()["details"]) == 100


async def test_only_a_configuration_of_an_administrator_is_larger_than_a_mebibyte(tmp_path: Path) -> None:
    large = b'{"x": "' + b"x" * MAX_BODY + b'"}'
    uploads = {name for name in OPERATIONS if issubclass(OPERATIONS[name].request, Files)}
    assert uploads == {"apply", "preview", "validate"}
    assert UPLOAD > MAX_BODY
    async with api(tmp_path) as found:
        for name in sorted(COMMANDS.keys() | QUERIES.keys()):
            for person in ("admin", "eve"):
                response = await found.http.post(f"/api/v1/{path_of(name)}", content=large, headers=found.headers(person))
                taken = name in uploads and person == "admin"
                assert response.status_code == (422 if taken else 413), (name, person)
        await found.post("commands/apply", files(STANDARD))
