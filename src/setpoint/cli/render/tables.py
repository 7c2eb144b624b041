"""Plain columns: no borders, cut to the terminal's width in the last one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from setpoint.cli.render.console import print_lines, width, wrapped


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their titles; the last column wraps below itself."""
    sizes = (
        [max(cell_len(title), *(cell_len(row[number]) for row in rows), 0) for number, title in enumerate(titles)] if rows else []
    )
    if not rows:
        print_lines(Text("None.", "dim"))
        return
    print_lines(Text("  ".join(set_cell_size(title, size) for title, size in zip(titles, sizes, strict=True)).rstrip(), "dim"))
    for row in rows:
        first = "".join(f"{set_cell_size(text, size)}  " for text, size in zip(row[:-1], sizes[:-1], strict=True))
        print_lines(wrapped(row[-1], first=Text(first), columns=width()))
