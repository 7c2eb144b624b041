"""What is wrong with a configuration: place, fault and way out, one to a block, all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from setpoint.model.grammars.text import without_credentials


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ConfigurationProblem(msgspec.Struct, frozen=True):
    """One error. ``code`` never changes its meaning; the texts may get better."""

    code: str
    file: str
    line: int
    column: int
    where: str
    """The thing it stands in, such as ``channels[1] "production"``."""
    message: str
    hint: str
    """What to write instead."""

    @property
    def position(self) -> Position:
        """Where it starts."""
        return Position(self.file, self.line, self.column)

    def __str__(self) -> str:
        place = f"{self.position}  "
        where = f"{self.where}: " if self.where else ""
        return f"{place}{where}{self.message}\n{' ' * len(place)}{self.hint}"


class ConfigurationError(Exception):
    """A configuration that cannot be used; ``problems`` has every error that was found."""

    def __init__(self, problems: Iterable[ConfigurationProblem]) -> None:
        self.problems = in_order(problems)
        super().__init__(render(self.problems))


class Problems:
    """Collects errors; the same one is kept once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Position, str], ConfigurationProblem] = {}
        self._places: set[tuple[str, Position]] = set()

    def add(self, code: str, position: Position, where: str, message: str, hint: str) -> None:
        """Add one error; what it quotes of the configuration is shown without credentials."""
        message, hint = without_credentials(message), without_credentials(hint)
        problem = ConfigurationProblem(code, *position, where, message, hint)
        self._found.setdefault((code, position, message), problem)
        self._places.add((code, position))

    def extend(self, problems: Iterable[ConfigurationProblem]) -> None:
        """Note many."""
        for p in problems:
            self.add(p.code, p.position, p.where, p.message, p.hint)

    def has(self, code: str, position: Position) -> bool:
        """Whether this is already known to be wrong at this place."""
        return (code, position) in self._places

    def within(self, tree: Any, key: str) -> bool:
        """Whether anything is wrong below a key of a document, wherever in it the key stands."""
        places = {place for _, place in self._places}
        return any(position in places for node in _below(tree, key) for position in _positions(node))

    def __len__(self) -> int:
        return len(self._found)

    def in_order(self) -> list[ConfigurationProblem]:
        """By file, line and column."""
        return in_order(self._found.values())


def _below(node: Any, key: str) -> Iterator[Any]:
    """What stands under a key, at any depth."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from (child,) if name == key else _below(child, key)
    elif isinstance(node, list):
        for child in node:
            yield from _below(child, key)


def _positions(node: Any) -> Iterator[Position]:
    """The places of a node and of all that is below it, keys included."""
    place = getattr(node, "position", None)
    yield from (place,) if place is not None else ()
    for child in (part for item in node.items() for part in item) if isinstance(node, dict) else ():
        yield from _positions(child)
    for child in node if isinstance(node, list) else ():
        yield from _positions(child)


def in_order(problems: Iterable[ConfigurationProblem]) -> list[ConfigurationProblem]:
    """By file, line and column."""
    return sorted(problems, key=lambda p: (p.file, p.line, p.column, p.code, p.message))


def render(problems: Iterable[ConfigurationProblem]) -> str:
    """All of them as text, one to a block."""
    return "\n".join(str(problem) for problem in problems)


def sentence(text: str) -> str:
    """Text that ends like one."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
