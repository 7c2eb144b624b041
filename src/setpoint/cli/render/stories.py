"""Lines of history, and of the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.cells import set_cell_size
from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import clock, clock_with_zone
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
_PERSON = 12
_TO_THE_MINUTE = len("2026-01-31 12:00")
_PLAIN = frozenset({"command", "query", "stream"})
"""What was attempted is clear from the name."""
_OUTCOMES = {"done": "", "begun": "yellow", "summarised": "yellow"}


def history_lines(events: Iterable[dict[str, Any]], columns: int) -> Iterator[Text]:
    """Yield a heading for each day, with the time zone, and a line for each event: when, where, what and by whom."""
    today = ""
    for event in events:
        day, _, rest = clock_with_zone(event["at"]).partition(" ")
        time, _, zone = rest.partition(" ")
        if day != today:
            today = day
            yield Text(f"{day}  {zone}", "bold")
        yield _event_line(event, time, columns)


def _event_line(event: dict[str, Any], time: str, columns: int) -> Text:
    first = Text(time, "dim").append(f"  {_cut(_place(event['entity']), _PLACE)}  ")
    text = event["text"] + (f" ({event['link']})" if event["link"] and event["link"] not in event["text"] else "")
    if event["person"] and event["person"] not in text:
        text += f", by {event['person']}"
    if len(event["counts_for"]) > 1:
        text += f" – counts for {', '.join(map(short_name, event['counts_for']))}"
    return wrapped(text, first=first, columns=columns, style=_STYLES.get(event["kind"], ""))


def _cut(name: str, size: int) -> str:
    return set_cell_size(name, size) if len(name) <= size else f"{set_cell_size(name, size - 1)}…"


def audit_line(entry: dict[str, Any], columns: int) -> Text:
    """Return when, who, what, and the outcome; then by which token and from where."""
    first = Text(clock(entry["at"])[:_TO_THE_MINUTE], "dim").append(f"  {_cut(entry['person'] or '–', _PERSON)}  ")
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
