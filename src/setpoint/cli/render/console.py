"""The terminal: its width, its colours, and how to complain on it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from setpoint.model.grammars.text import clean

_NARROWEST = 40
_COMMAND = re.compile(r"`[^`]*`")
_JOINED = "\ue000"
"""Stands for a space at which no line is broken; of Unicode's private use."""


class _Terminal(Console):
    """Styles are its own escape sequences; those in a text are not (``model.grammars.text``)."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Give what is printed, in pieces of one style."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(clean(one.text), one.style)


@cache
def out() -> Console:
    """Standard output; colours and width as the terminal has them, 80 columns where there is none."""
    return _Terminal(highlight=False, emoji=False, markup=False, soft_wrap=False)


@cache
def err() -> Console:
    """Standard error."""
    return _Terminal(stderr=True, highlight=False, emoji=False, markup=False)


def width() -> int:
    """Columns there are to write in."""
    return max(out().width, _NARROWEST)


def interactive() -> bool:
    """Return whether input and output are a terminal, so that a person can confirm."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def print_lines(*lines: Text | str) -> None:
    """Print lines as they are, without another line break."""
    for line in lines:
        out().print(line, soft_wrap=True)


def complain(message: str, hint: str = "", details: Iterable[str] = ()) -> None:
    """What is wrong, and what to do about it."""
    console = err()
    listed = list(details)
    for detail in listed:
        console.print(Text(detail), soft_wrap=True)
    if listed:
        console.print()
    console.print(wrapped(message, first=Text("✗ ", "bold red"), columns=console.width))
    if hint:
        console.print(wrapped(hint, first=Text("  "), columns=console.width))


def wrapped(text: str, *, first: Text, columns: int, style: str = "") -> Text:
    """Return text after its mark, later lines indented like the first. A `command` is never broken, so that it can be copied."""
    import textwrap  # noqa: PLC0415 - seldom needed

    indent = " " * first.cell_len
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _JOINED), text)
    room = max(columns - len(indent), 20)
    lines = textwrap.wrap(whole, room, break_long_words=_JOINED not in whole, break_on_hyphens=False) or [""]
    lines = [line.replace(_JOINED, " ") for line in lines]
    found = Text().append_text(first).append(lines[0], style)
    for line in lines[1:]:
        found.append(f"\n{indent}{line}", style)
    return found
