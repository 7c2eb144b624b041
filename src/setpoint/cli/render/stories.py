"""One line of history."""

from __future__ import annotations

from typing import Any

from rich.cells import set_cell_size
from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import clock
from setpoint.model.names import is_kind, key_of, last_name, parse_topic, short_name

_STYLES = {
    "finalized": "green",
    "failed": "red",
    "rolling-back": "yellow",
    "rolled-back": "yellow",
    "rollback-failed": "bold red",
    "released": "bold",
    "signal": "cyan",
    "vote": "cyan",
}
_PLACE = 22
_NARROW = 100


def event_line(event: dict[str, Any], columns: int) -> Text:
    """When, where, what; the place is left out where the sentence names it."""
    moment = clock(event["at"])
    place = _place(event["entity"])
    first = Text(moment[11:] if columns < _NARROW else moment, "dim").append("  ")
    first.append(set_cell_size(place, _PLACE) if len(place) <= _PLACE else f"{set_cell_size(place, _PLACE - 1)}…").append("  ")
    text = event["text"] + (f" ({event['link']})" if event["link"] and event["link"] not in event["text"] else "")
    if len(event["counts_for"]) > 1:
        text += f" – counts for {', '.join(map(short_name, event['counts_for']))}"
    return wrapped(text, first=first, columns=columns, style=_STYLES.get(event["kind"], ""))


def _place(entity: str) -> str:
    if is_kind(entity, "instance"):
        return short_name(key_of(entity))
    if is_kind(entity, "topic"):
        return last_name(parse_topic(entity).subject)
    return key_of(entity)
