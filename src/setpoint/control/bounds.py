"""What no request may hold, whatever its model is: control characters, nesting without end, numbers that no store takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from setpoint.control.errors import Unreadable
from setpoint.model.grammars.text import UNSAFE

TEXT = 4096
"""Characters of a text, unless its field has a bound of its own."""
ITEMS = 1000
"""Items of a list or map, unless its field has a bound of its own."""
VALUES = 10_000
"""Commas and opening brackets of a body: no more values are in it, which cost time and memory once they are decoded."""
DEEPEST = 64
_LARGEST = 2**53
"""Beyond it JSON numbers are not exact."""


def check_body(text: bytes, most: int) -> None:
    """Raises Unreadable for what would take long to decode."""
    if sum(text.count(separator) for separator in (b",", b"[", b"{")) > most:
        raise Unreadable(f"The request has more than {most} values.", "Send a smaller one.")


def check(payload: Mapping[str, Any]) -> None:
    """Raises Unreadable, naming the field."""
    left: list[tuple[str, Any, int]] = [("", payload, 0)]
    while left:
        place, value, depth = left.pop()
        if depth > DEEPEST:
            raise Unreadable(f"The request is nested deeper than {DEEPEST} levels.", "Send a flatter one.")
        if isinstance(value, str):
            _check_text(place, value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                _check_text(f"a name in {place or 'the request'}", key)
                left.append((f"{place}.{key}" if place else key, item, depth + 1))
        elif isinstance(value, list):
            left.extend((place, item, depth + 1) for item in value)
        elif isinstance(value, int | float):
            _check_number(place, value)


def check_numbers(request: BaseModel) -> None:
    """The same for numbers that came as text in an address. Raises Unreadable."""
    for name, value in _fields(request):
        if isinstance(value, int):
            _check_number(name, value)


def _fields(request: BaseModel) -> Iterable[tuple[str, Any]]:
    return ((name, getattr(request, name)) for name in type(request).model_fields)


def _check_text(place: str, text: str) -> None:
    if text.isprintable():
        return
    if found := UNSAFE.search(text):
        raise Unreadable(f"{place}: the character U+{ord(found[0]):04X} is not allowed.", "Write plain text on one line.")


def _check_number(place: str, number: float) -> None:
    if not -_LARGEST <= number <= _LARGEST:
        raise Unreadable(f"{place}: the number is out of range.", f"Write one between -{_LARGEST} and {_LARGEST}.")
