"""What a dry run shows: what would come of a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from setpoint.cli.render.console import wrapped

_MARKS = {"decides": ("·", ""), "starts": ("▶", "blue"), "waits": ("⧗", "dim")}


def lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """The consequences, entity by entity."""
    consequences = answer["consequences"]
    yield Text(
        "Nothing was done. It would lead to:" if consequences else "Nothing was done, and nothing would come of it.", "bold"
    )
    entity = ""
    for one in consequences:
        if one["entity"] != entity:
            entity = one["entity"]
            yield Text(f"  {_short(entity)}", "bold")
        mark, style = _MARKS[one["kind"]]
        yield wrapped(one["text"], first=Text(f"    {mark} ", style), columns=columns)
    if not answer["complete"]:
        yield Text("  … and more than is told here.")


def _short(entity: str) -> str:
    kind, _, key = entity.partition(":")
    return key.partition("/")[2] if kind == "instance" else f"{kind} {key}"
