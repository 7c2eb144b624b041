"""Screens that keep updating: redrawn in place on a terminal, printed again on each change elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

from rich.console import Group
from rich.live import Live
from rich.text import Text

from setpoint.cli.render.console import out, print_lines, width

Look = Callable[[int], tuple[Iterable[Text], bool]]
"""Gives the lines for so many columns, and whether they are the last."""
_EVERY = 0.5
_TIMES = re.compile(r"\b\d+[dhms]\b")
"""What changes although nothing happens."""


def follow(look: Look, *, screen: bool = False) -> None:
    """Show what ``look`` returns until it is done, or until Ctrl-C."""
    if out().is_terminal:
        _redraw(look, screen=screen)
    else:
        _reprint(look)


def _redraw(look: Look, *, screen: bool) -> None:
    with Live(console=out(), auto_refresh=False, screen=screen, vertical_overflow="visible" if not screen else "crop") as live:
        while True:
            lines, done = look(width())
            live.update(Group(*lines), refresh=True)
            if done:
                return
            time.sleep(_EVERY)


def _reprint(look: Look) -> None:
    before = ""
    while True:
        found, done = look(width())
        lines = list(found)
        text = _TIMES.sub("", "\n".join(line.plain for line in lines))
        if text != before:
            print_lines(*lines, Text())
            before = text
        if done:
            return
        time.sleep(_EVERY)
