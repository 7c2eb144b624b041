"""The timeline: a row per instance, or per service in a group, and time from left to right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rich.text import Text

from setpoint.model.names import channel_of, in_channel, short_name

FILLS = {"waiting": ("·", "blue"), "deploying": ("▒", "cyan"), "verifying": ("░", "cyan"), "rolling-back": ("↺", "yellow")}
RUNNING = ("─", "green")
_LEGEND = "· waiting   ▒ deploying   ░ verifying   ─ finalized   ↺ rolling back   ✗ failed"
_CONFIGURED = "+c7: in the configuration of release 7"
_LABEL, _NARROWEST = 28, 20
_FAILED = {"failed", "rolled-back", "rejected"}
_FOLD = 4
"""Instances of one service in one group that have lanes of their own; more are drawn as one."""
_FOLDED = "×N: most of N instances; a version that half of them run; ✗ where one failed"

Span = dict[str, Any]


def lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield the whole picture, at most ``columns`` wide."""
    lanes = answer["lanes"]
    rows = list(_rows(lanes, answer["groups"]))
    label = min(max((len(name) for name, _ in rows), default=0), _LABEL) + 2
    scale = _Scale(answer["begins"], answer["ends"], max(columns - label, _NARROWEST))
    yield Text(" " * label).append_text(scale.axis())
    for name, members in rows:
        shown = name if len(name) <= label - 2 else f"{name[: label - 3]}…"
        yield Text(shown.ljust(label), "bold").append_text(_under_way(members, scale))
        yield Text(" " * label).append_text(_runs(members, scale))
    yield Text(_LEGEND, "dim")
    if any(len(members) > 1 for _, members in rows):
        yield Text(_FOLDED, "dim")
    if any(span["configuration"] for lane in lanes for span in lane["spans"]):
        yield Text(_CONFIGURED, "dim")


def _rows(lanes: list[dict[str, Any]], groups: dict[str, list[str]]) -> Iterator[tuple[str, list[list[Span]]]]:
    """Yield the name and the spans of each row: of one instance, or of all instances of a service in a group."""
    group_of = {channel: name for name, channels in groups.items() for channel in channels}
    together: dict[str, list[dict[str, Any]]] = {}
    for lane in lanes:
        group = group_of.get(channel_of(lane["instance"]))
        name = in_channel(lane["instance"], group) if group else lane["instance"]
        together.setdefault(name, []).append(lane)
    for name, members in together.items():
        if len(members) > _FOLD:
            yield f"{short_name(name)} ×{len(members)}", [lane["spans"] for lane in members]
        else:
            yield from ((short_name(lane["instance"]), [lane["spans"]]) for lane in members)


class _Scale:
    """From instants to cells."""

    def __init__(self, begins: int, ends: int, cells: int) -> None:
        self.begins, self.ends, self.cells = begins, max(ends, begins + 1), cells

    def cell(self, instant: int | None) -> int:
        at = self.ends if instant is None else min(max(instant, self.begins), self.ends)
        return (at - self.begins) * (self.cells - 1) // (self.ends - self.begins)

    def axis(self) -> Text:
        """Times at every fifth of the width."""
        row = [" "] * self.cells
        long = self.ends - self.begins > 86_400_000
        for fifth in range(5):
            at = fifth * self.cells // 5
            moment = self.begins + (self.ends - self.begins) * at // max(self.cells - 1, 1)
            text = _clock(moment, long=long)
            row[at : at + len(text)] = text
        return Text("".join(row[: self.cells]), "dim")


def _clock(instant: int, *, long: bool) -> str:
    return datetime.fromtimestamp(instant / 1000).astimezone().strftime("%d.%m. %H:%M" if long else "%H:%M:%S")


def _under_way(members: list[list[Span]], scale: _Scale) -> Text:
    """Draw what waits, deploys, is verified or is rolled back; a failure is crossed where it ended."""
    row = _Row(scale.cells)
    kinds = _most(([span for span in spans if span["kind"] != "running"] for spans in members), "kind", scale)
    for at, kind in kinds.items():
        row.put(at, *FILLS[kind])
    for span in (span for spans in members for span in spans):
        if span["kind"] != "running" and span["outcome"] in _FAILED:
            row.put(scale.cell(span["ends"]), "✗", "bold red")
    return row.text()


def _runs(members: list[list[Span]], scale: _Scale) -> Text:
    """Draw the version that at least half of them have finalized, by name."""
    row = _Row(scale.cells)
    named = [[span | {"name": _name(span)} for span in spans if span["kind"] == "running"] for spans in members]
    running = _most(named, "name", scale, least=len(members) / 2)
    for at in running:
        row.put(at, *RUNNING)
    begins = [at for at in sorted(running) if running.get(at - 1) != running[at]]
    for number, at in enumerate(begins):
        end = begins[number + 1] if number + 1 < len(begins) else max(running) + 1
        row.write(at, running[at], end - at, RUNNING[1])
    return row.text()


def _most(members: Iterable[list[Span]], field: str, scale: _Scale, least: float = 1) -> dict[int, str]:
    """Return cell -> what most members have there, and at least so many; of one member, its latest."""
    counts: dict[int, Counter[str]] = {}
    for spans in members:
        cells: dict[int, str] = {}
        for span in spans:
            value: str = span[field]
            cells |= dict.fromkeys(range(scale.cell(span["begins"]), scale.cell(span["ends"]) + 1), value)
        for at, state in cells.items():
            counts.setdefault(at, Counter())[state] += 1
    most = {at: found.most_common(1)[0] for at, found in counts.items()}
    return {at: state for at, (state, count) in most.items() if count >= least}


def _name(span: Span) -> str:
    """``4.0.0``; in the configuration of release 7 ``4.0.0+c7``, as the legend explains."""
    return f"{span['version']}+c{span['configuration']}" if span["configuration"] else str(span["version"])


class _Row:
    """Cells with their styles."""

    def __init__(self, cells: int) -> None:
        self._cells: list[tuple[str, str]] = [(" ", "")] * cells

    def put(self, at: int, sign: str, style: str) -> None:
        self._cells[at] = (sign, style)

    def write(self, at: int, text: str, room: int, style: str) -> None:
        """A name where it fits; else a bar says that there is one. At the end of the row it is moved to the left."""
        if len(text) > room and at + room < len(self._cells):
            self.put(at, "│", style)
            return
        first = min(at, len(self._cells) - len(text))
        for offset, sign in enumerate(text):
            self.put(first + offset, sign, style)

    def text(self) -> Text:
        found = Text()
        for sign, style in self._cells:
            found.append(sign, style)
        return found
