"""The one lookup grammar: ``${path}`` and ``${path:-default}`` – looked up, never evaluated.

``lookup = "${" path [":-" default] "}"``, ``path = word *("." word | "[" '"' any but quote '"' "]")``

A text that is exactly one lookup takes the value with its type; elsewhere its characters are put in. Results are not scanned
again. ``$${`` gives ``${``; any other ``$`` is itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_WORD = r"[A-Za-z0-9_-]+"
_PATH = rf'{_WORD}(?:\.{_WORD}|\["[^"]*"\])*'
_LOOKUP = re.compile(rf"\$\$\{{|\$\{{(?P<path>{_PATH})(?::-(?P<default>[^}}]*))?\}}")
_ESCAPE = re.compile(r"\$\$\{(?P<path>)")
_STEP = re.compile(rf'({_WORD})|\["([^"]*)"\]')

ATTEMPT_ROOTS = frozenset({"version", "params", "source", "release", "attempt", "good", "current"})
"""Roots that only an attempt has: checks that look one up are the attempt's own."""


class LookupMissing(ValueError):  # noqa: N818  # named after what happened
    """A path that leads nowhere and has no default; ``path`` names it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"${{{path}}} is not defined here")
        self.path = path


class TextTooLongError(ValueError):
    """A text that would grow beyond the length that its reader allows."""


def paths(text: str) -> Iterator[tuple[str, ...]]:
    """Every path that a text looks up, as its words."""
    for match in _found(text):
        if match["path"]:
            yield _words(match["path"])


def _found(text: str) -> Iterator[re.Match[str]]:
    """Every lookup and escape. No lookup ends after the last brace: to look for one from each ``${`` there is quadratic."""
    end = text.rfind("}") + 1
    yield from _LOOKUP.finditer(text, 0, end)
    yield from _ESCAPE.finditer(text, end)


def roots(value: Any) -> frozenset[str]:
    """First words of every lookup anywhere in a JSON-like value."""
    if isinstance(value, str):
        return frozenset(path[0] for path in paths(value))
    if isinstance(value, Mapping):
        return frozenset().union(*(roots(item) for item in value.values()))
    if isinstance(value, list | tuple):
        return frozenset().union(*(roots(item) for item in value))
    return frozenset()


def resolve(value: Any, values: Mapping[str, Any], *, keep: frozenset[str] = frozenset()) -> Any:
    """A JSON-like value with its lookups replaced; lookups whose root is in ``keep`` stay as they are written.

    With ``keep`` the result is to be resolved once more: what was put in, and escapes, are escaped for that.

    Raises:
        LookupMissing: a path without a default that ``values`` does not have.
        ValueError: a map, list or null put into the middle of a text.
    """
    if isinstance(value, str):
        return resolve_text(value, values, keep)
    if isinstance(value, Mapping):
        return {key: resolve(item, values, keep=keep) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, values, keep=keep) for item in value]
    return value


def resolve_text(text: str, values: Mapping[str, Any], keep: frozenset[str], most: int | None = None) -> Any:
    """The same for one text, of which at most ``most`` characters come.

    Raises:
        TextTooLongError: more would.
    """
    if "$" not in text:
        return text
    whole = _LOOKUP.fullmatch(text)
    if whole and whole["path"]:
        if _words(whole["path"])[0] in keep:
            return text
        found = _value(whole, values)
        return _escaped(found) if keep else found
    return _Pieces(values, keep, most).put_together(text)


class _Pieces:
    """A text taken apart at its lookups. What is put in may look like a lookup; a later ``resolve`` must not take it for one."""

    def __init__(self, values: Mapping[str, Any], keep: frozenset[str], most: int | None) -> None:
        self.values = values
        self.keep = keep
        self.most = most
        self.size = 0
        """Characters that lookups put in so far."""
        self.done: list[str] = []
        self.literal = ""
        """Characters since the last kept lookup, as they are to be read in the end."""

    def put_together(self, text: str) -> str:
        position = 0
        for match in _found(text):
            self.literal += text[position : match.start()]
            self._take(match)
            position = match.end()
        self.literal += text[position:]
        self._flush()
        return "".join(self.done)

    def _take(self, match: re.Match[str]) -> None:
        if not match["path"]:
            self.literal += "${"
        elif _words(match["path"])[0] not in self.keep:
            found = _characters(match, self.values)
            self.size += len(found)
            if self.most is not None and self.size > self.most:
                raise TextTooLongError(f"it grows beyond {self.most:,} characters when its lookups are followed")
            self.literal += found
        else:
            if self.literal.endswith("$"):
                raise ValueError(f'"$" cannot stand right before {match.group()}: together they would be an escape')
            self._flush()
            self.done.append(match.group())

    def _flush(self) -> None:
        self.done.append(_escaped(self.literal) if self.keep else self.literal)
        self.literal = ""


def _characters(match: re.Match[str], values: Mapping[str, Any]) -> str:
    found = _value(match, values)
    if found is None or isinstance(found, Mapping | list | tuple):
        raise ValueError(f"{match.group()} is a map, a list or null and cannot stand inside a text")
    return ("true" if found else "false") if isinstance(found, bool) else str(found)


def _escaped(value: Any) -> Any:
    """A value such that resolving it gives the value: results are not scanned again, not even by the next ``resolve``."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:
    found: Any = values
    for word in _words(match["path"]):
        found = found.get(word) if isinstance(found, Mapping) else None
        if found is None:
            break
    if (found is None or found == "") and match["default"] is not None:
        return match["default"]
    if found is None:
        raise LookupMissing(match["path"])
    return found


def _words(path: str) -> tuple[str, ...]:
    return tuple(plain or quoted for plain, quoted in _STEP.findall(path))
