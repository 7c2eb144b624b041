"""What the arguments of built-ins may be: one reader for each kind that their table names.

A reader gives back the value as the adapter gets it – texts keep the characters they were written with – or raises what is wrong.
Texts that hold lookups count as right: what they look up is judged when the check runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from setpoint.config.syntax.values import as_text, describe, describe_address, is_secret, plain
from setpoint.model.burn import parse_objective, parse_series, parse_windows
from setpoint.model.grammars.commits import parse_commit
from setpoint.model.grammars.images import parse_image
from setpoint.model.grammars.versions import is_version_name, parse, parse_range


class ArgumentError(ValueError):
    """An argument that does not fit: a sentence, and what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_argument(key: str, value: Any, wanted: str) -> Any:
    """The value of argument ``key`` as the adapter gets it.

    Raises:
        ArgumentError: it is no ``wanted``, which is a kind of ``KINDS`` or fixed words separated by ``|``.
    """
    if _looks_up(value) or is_secret(value):
        return plain(value)
    if wanted not in KINDS:
        return _choice(key, value, wanted.split("|"))
    return KINDS[wanted](key, value)


def _looks_up(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _choice(key: str, value: Any, words: list[str]) -> str:
    if value not in words:
        raise _must_be(key, " or ".join(words))
    return as_text(value)


def _must_be(key: str, words: str) -> ArgumentError:
    return ArgumentError(f"`{key}` must be {words}.", f"Write {words} for `{key}`.")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise _must_be(key, "text")
    return as_text(value)


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise _must_be(key, "one value")
    return plain(value)


def _number(key: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _must_be(key, "a number")
    return plain(value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _must_be(key, "true or false")
    return value


def _map(key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _must_be(key, "a map")
    return {plain(name): read_argument(f"{key}.{name}", item, "text") for name, item in value.items()}


def _list(key: str, value: Any) -> Any:
    if not isinstance(value, list | str):
        raise _must_be(key, "a list")
    return plain(value)


def _url(key: str, value: Any) -> str:
    text = _text(key, value)
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ArgumentError(
            f"`{key}`: {describe_address(text)} is not a valid URL.", 'Write one that starts with "https://" or "http://".'
        )
    return text


def _version(key: str, value: Any) -> str:
    text = _text(key, value)
    if not is_version_name(text):
        raise ArgumentError(f"`{key}`: {describe(text)} is not a valid version.", 'Write a name such as "1.4.2".')
    return text


def _comparable(key: str, value: Any) -> str:
    text = _version(key, value)
    if parse(text) is None:
        whole = f"{text}.0" if parse(f"{text}.0") else f"{text}.0.0" if parse(f"{text}.0.0") else "1.4.2"
        raise ArgumentError(
            f'`{key}`: "{text}" is not a SemVer 2.0.0 version, so nothing can be compared with it.',
            f'Write one such as "{whole}".',
        )
    return text


def _parsed(parser: Callable[[str], object], example: str) -> Callable[[str, Any], str]:
    """A text that a parser of the model takes; the parser's own message is the problem: ``fault: way out``."""

    def read(key: str, value: Any) -> str:
        text = _text(key, value)
        try:
            parser(text)
        except ValueError as error:
            raise _refused(key, error, example) from None
        return text

    return read


def _refused(key: str, error: ValueError, example: str) -> ArgumentError:
    fault, _, way_out = str(error).rpartition(": ")
    if not fault:
        fault, way_out = str(error), f"write one such as {example}"
    return ArgumentError(f"`{key}`: {fault}.", f"{way_out[:1].upper()}{way_out[1:]}.")


def _commits(key: str, value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    if not several:
        raise ArgumentError(f"`{key}` names no commit.", "Write at least one, or leave the protection out.")
    read = _parsed(parse_commit, "4f2e91c0")
    return [plain(one) if _looks_up(one) else read(f"{key}[{place}]", one) for place, one in enumerate(several)]


def _windows(key: str, value: Any) -> list[dict[str, Any]]:
    pairs = value if isinstance(value, list) else [value]
    try:
        parse_windows(pairs)
    except ValueError as error:
        raise _refused(key, error, "{long: 1h, short: 5m, burn: 14.4}") from None
    return [{name: plain(one) if name == "burn" else as_text(one) for name, one in window.items()} for window in pairs]


KINDS: Mapping[str, Callable[[str, Any], Any]] = {
    "text": _text,
    "value": _value,
    "number": _number,
    "flag": _flag,
    "map": _map,
    "list": _list,
    "url": _url,
    "version": _version,
    "comparable": _comparable,
    "range": _parsed(parse_range, '"^1.4"'),
    "image": _parsed(parse_image, '"registry.example/web:1.4.2"'),
    "objective": _parsed(parse_objective, '"99.9%"'),
    "series": _parsed(parse_series, "http_requests_total"),
    "commits": _commits,
    "windows": _windows,
}
"""Kind -> reader of ``(argument's name, value)``. ``map`` is one of texts; ``comparable`` a version that parses as SemVer."""
