"""One line of history, and one of the audit log."""

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
_PERSON = 12
_TO_THE_MINUTE = len("2026-01-31 12:00")
_PLAIN = frozenset({"command", "query", "stream"})
"""What was attempted is clear from the name."""
_OUTCOMES = {"done": "", "begun": "yellow", "summarised": "yellow"}


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


def audit_line(entry: dict[str, Any], columns: int) -> Text:
    """When, who, what, and the outcome; then by which token and from where."""
    person = entry["person"] or "–"
    first = Text(clock(entry["at"])[:_TO_THE_MINUTE], "dim").append("  ")
    first.append(set_cell_size(person, _PERSON) if len(person) <= _PERSON else f"{set_cell_size(person, _PERSON - 1)}…").append(
        "  "
    )
    what = " ".join(filter(None, ["" if entry["act"] in _PLAIN else entry["act"], entry["command"], entry["subject"]]))
    times = f" ×{entry['times']}" if entry["times"] > 1 else ""
    why = f" ({entry['why']})" if entry["why"] else ""
    outcome = entry["outcome"] + (f": {entry['message']}" if entry["message"] else "")
    origin = ", ".join(filter(None, [f"token {entry['token']}" if entry["token"] else "", entry["source"]]))
    text = f"{what}{times}{why} – {outcome}{f' [{origin}]' if origin else ''}"
    return wrapped(text, first=first, columns=columns, style=_OUTCOMES.get(entry["outcome"], "red"))


def _place(entity: str) -> str:
    if is_kind(entity, "instance"):
        return short_name(key_of(entity))
    if is_kind(entity, "topic"):
        return last_name(parse_topic(entity).subject)
    return key_of(entity)
