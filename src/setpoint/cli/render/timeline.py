"""Swim lanes: an instance a lane, time from left to right. Shape says what it was at, the name says of which version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.text import Text

from setpoint.model.names import short_name

FILLS = {"waiting": ("·", "blue"), "deploying": ("▒", "cyan"), "verifying": ("░", "cyan"), "rolling-back": ("↺", "yellow")}
RUNNING = ("─", "green")
_LEGEND = "· waits   ▒ deploys   ░ is verified   ─ runs, finalized   ↺ goes back   ✗ failed"
_CONFIGURED = "+c7: in the configuration of release 7"
_LABEL, _NARROWEST = 28, 20
_FAILED = {"failed", "rolled-back", "rejected"}


def lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """The whole picture, at most ``columns`` wide."""
    lanes = answer["lanes"]
    label = min(max((len(short_name(lane["instance"])) for lane in lanes), default=0), _LABEL) + 2
    scale = _Scale(answer["begins"], answer["ends"], max(columns - label, _NARROWEST))
    yield Text(" " * label).append_text(scale.axis())
    for lane in lanes:
        name = short_name(lane["instance"])
        shown = name if len(name) <= label - 2 else f"{name[: label - 3]}…"
        yield Text(shown.ljust(label), "bold").append_text(_under_way(lane["spans"], scale))
        yield Text(" " * label).append_text(_runs(lane["spans"], scale))
    yield Text(_LEGEND, "dim")
    if any(span["configuration"] for lane in lanes for span in lane["spans"]):
        yield Text(_CONFIGURED, "dim")


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


def _under_way(spans: list[dict[str, Any]], scale: _Scale) -> Text:
    """What waits, deploys, is verified or goes back; a failure is crossed where it ended."""
    row = _Row(scale.cells)
    for span in spans:
        if span["kind"] == "running":
            continue
        fill, style = FILLS[span["kind"]]
        row.fill(scale.cell(span["begins"]), scale.cell(span["ends"]), fill, style)
    for span in spans:
        if span["kind"] != "running" and span["outcome"] in _FAILED:
            row.put(scale.cell(span["ends"]), "✗", "bold red")
    return row.text()


def _runs(spans: list[dict[str, Any]], scale: _Scale) -> Text:
    """What was finalized, by name."""
    row = _Row(scale.cells)
    running = [(scale.cell(span["begins"]), scale.cell(span["ends"]), _name(span)) for span in spans if span["kind"] == "running"]
    for first, last, _ in running:
        row.fill(first, last, *RUNNING)
    for first, last, version in running:
        row.write(first, version, last - first + (last == scale.cells - 1), RUNNING[1])
    return row.text()


def _name(span: dict[str, Any]) -> str:
    """``4.0.0``; in the configuration of release 7 ``4.0.0+c7``, as the legend explains."""
    return f"{span['version']}+c{span['configuration']}" if span["configuration"] else str(span["version"])


class _Row:
    """Cells with their styles."""

    def __init__(self, cells: int) -> None:
        self._cells: list[tuple[str, str]] = [(" ", "")] * cells

    def fill(self, first: int, last: int, sign: str, style: str) -> None:
        for at in range(first, last + 1):
            self.put(at, sign, style)

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
