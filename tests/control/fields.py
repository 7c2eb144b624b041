"""Every text that a request of any command, query or stream may have. Read from the models: a new field is among them."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from setpoint.control import control as _registers_everything
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Operation, Stream

assert _registers_everything
OPERATIONS: dict[str, Operation | Stream] = {**COMMANDS, **QUERIES, **STREAMS}
REQUIRED: dict[str, Any] = {
    "entity": "saas/web@staging",
    "files": {},
    "gate": "z",
    "id": "00000000",
    "release": 1,
    "root": "/nowhere",
    "service": "web",
    "services": {"web": {"version": "1"}},
    "target": "web@staging",
    "user": "new",
    "version": "1",
    "why": "because",
}
"""A well-formed value of each field that some request must have; a new one needs a line here."""
ITEM, KEY, ENTRY = "[]", "{key}", "{}"
Place = tuple[str, ...]
"""Where a text is: names of fields, ``[]`` for an item of a list, ``{key}`` for a key of a map, ``{}`` below one."""


def payload_of(model: type[BaseModel]) -> dict[str, Any]:
    """The shortest well-formed request."""
    return {name: REQUIRED[name] for name, field in model.model_fields.items() if field.is_required()}


def texts(model: type[BaseModel]) -> Iterator[Place]:
    """Every place of a request where there may be a text."""
    for name, field in model.model_fields.items():
        for place in _below(field.annotation):
            yield (field.alias or name, *place)


def _below(kind: Any) -> Iterator[Place]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is str or origin is Literal:
        yield ()
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from texts(kind)
    elif origin is Annotated:
        yield from _below(arguments[0])
    elif origin in {Union, types.UnionType}:
        for one in arguments:
            yield from _below(one)
    elif origin is list:
        yield from ((ITEM, *place) for place in _below(arguments[0]))
    elif origin is dict:
        yield (KEY,)
        yield from ((ENTRY, *place) for place in _below(arguments[1]))
    else:
        assert kind in {int, bool, type(None)}, f"what is {kind}?"


def with_text(model: type[BaseModel], place: Place, text: object) -> dict[str, Any]:
    """The shortest request that has a text in this place."""
    found: dict[str, Any] = _put(payload_of(model), place, text)
    return found


def _put(current: Any, place: Place, text: object) -> Any:
    if not place:
        return text
    step, rest = place[0], place[1:]
    if step == ITEM:
        return [_put(None, rest, text)]
    known = current or {}
    if step == KEY:
        return {text: next(iter(known.values()), "x")}
    name = next(iter(known), "x") if step == ENTRY else step
    return {**known, name: _put(known.get(name), rest, text)}


PLACES = [(name, place) for name, operation in sorted(OPERATIONS.items()) for place in texts(operation.request)]
