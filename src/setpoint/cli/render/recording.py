"""What came of replaying a story."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import clock, plural

_LONGEST = 600
_WHAT = {
    "instructions": "it does something else",
    "wake_at": "it wants to be woken at another time",
    "error": "the decision raises",
}


def lines(file: str, trace: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield one line for a trace without a difference, else its first difference."""
    differences = trace["differences"]
    head = f"{file}: {trace['entity']}, {plural(trace['turns'], 'turn')}"
    if not differences:
        yield wrapped(f"{head}, no difference", first=Text("✓ ", "green"), columns=columns)
        return
    yield wrapped(f"{head}, {plural(len(differences), 'difference')}", first=Text("✗ ", "bold red"), columns=columns)
    first = differences[0]
    yield wrapped(_where(first), first=Text("  "), columns=columns)
    for name, word in (("recorded", "then"), ("today", "now")):
        yield wrapped(_cut(first[name]), first=Text(f"    {word:<5} ", "dim"), columns=columns)


def _where(first: dict[str, Any]) -> str:
    if not first["turn"]:
        return f"it ends differently: {first['what']}"
    return f"first at turn {first['turn']} ({clock(first['now'])}): {_WHAT.get(first['what'], first['what'])}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
