"""The page of many instances: each blocker once, with the instances that it blocks and those waiting behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.explain import commands, notes
from setpoint.cli.render.words import look, plural
from setpoint.model.names import application_of, short_name

_NAMED = 3
"""Instances that are named; more are counted."""


def lines(page: dict[str, Any], columns: int, *, everyone: bool = False) -> Iterator[Text]:
    """Yield the whole page."""
    yield from _head(page, columns)
    if not page["culprits"]:
        yield Text()
        yield Text("nothing blocks them", "green")
        return
    for culprit in page["culprits"]:
        yield Text()
        yield from _culprit(culprit, page["now"], columns, max(page["instances"], _NAMED) if everyone else _NAMED)


def _head(page: dict[str, Any], columns: int) -> Iterator[Text]:
    name = page["target"] or "everything"
    line = Text(name, "bold").append(f"  {plural(page['instances'], 'instance')}", "dim")
    counts = [Text(f"{number} {look(word).word}", look(word).style) for word, number in page["conditions"].items()]
    summary = Text(" · ").join(counts)
    if line.cell_len + 2 + summary.cell_len <= columns:
        yield line.append("  ").append_text(summary)
        return
    yield line
    yield from _flowing(counts, columns)


def _flowing(parts: list[Text], columns: int) -> Iterator[Text]:
    """Yield parts in as many lines as they need."""
    line = Text("  ")
    for part in parts:
        if line.cell_len > 2 and line.cell_len + 3 + part.cell_len > columns:
            yield line
            line = Text("  ")
        line.append(" · " if line.cell_len > 2 else "").append_text(part)
    yield line


def _culprit(culprit: dict[str, Any], now: int, columns: int, most: int) -> Iterator[Text]:
    reason, leaves, behind = culprit["reason"], culprit["leaves"], culprit["behind"]
    sign, style = ("✗", "bold red") if reason["failed"] else ("◷", "blue")
    first = Text(f"{sign} ", style)
    yield wrapped(f"{named(leaves, most)}: {reason['text']}", first=first, columns=columns)
    if behind:
        through = f", through {_between(culprit['through'], most)}" if culprit["through"] else ""
        what = "is waiting behind" if len(behind) == 1 else f"{len(behind)} are waiting behind"
        text = f"{what}: {named(behind, most)}{through}" if len(behind) > 1 else f"{named(behind, most)} {what}{through}"
        yield wrapped(text, first=Text("    "), columns=columns)
    note = " · ".join(part for part in notes(reason, now, leaves[0]) if part)
    if note:
        yield wrapped(note, first=Text("    "), columns=columns, style="dim")
    yield from commands(reason, leaves[: most + 1])


def _between(instances: list[str], most: int) -> str:
    """Return the instances between; many of them are counted."""
    return named(instances, most) if len(instances) <= most else f"{len(instances)} others"


def named(instances: list[str], most: int) -> str:
    """``web@acme, web@hooli and 185 more``; with their applications where there are several."""
    owners = {application_of(one) for one in instances}
    names = [short_name(one) if len(owners) == 1 else one for one in instances]
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
