"""The status screen: a summary first, one line per channel, and the reason of whatever is waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import look, plural

_STATES = ("desired", "target", "current", "good")
_CELL = (9, 14)
"""Narrowest and widest column of a version."""
_NAME = (12, 28)
_CONDITION = 20
_FOLD = 12
"""Quiet instances of a service and channels of a group that are shown; more are counted."""
_VERSIONS = 2
"""Versions of a group that are counted each."""

Row = dict[str, Any]


def lines(status: dict[str, Any], columns: int, *, everything: bool = False) -> Iterator[Text]:
    """Yield the whole screen."""
    if status["engine"] != "serving":
        yield wrapped(f"the engine is {status['engine']}", first=Text("✗ ", "bold red"), columns=columns, style="bold red")
        yield Text()
    if not status["configured"]:
        yield Text("No configuration has been applied yet.")
        yield Text("  Apply one with: setpoint apply DIRECTORY")
    for number, application in enumerate(sorted(status["applications"], key=lambda one: (-one["failed"], -one["you"]))):
        if number:
            yield Text()
        yield from _application(application, columns, everything=everything)
    if status["notices"]:
        yield Text()
    for notice in status["notices"]:
        yield wrapped(notice, first=Text("! ", "yellow"), columns=columns, style="yellow")


def _application(application: dict[str, Any], columns: int, *, everything: bool) -> Iterator[Text]:
    rows = application["instances"]
    yield _header(application, columns)
    for stop in application["stops"]:
        if stop["code"] not in {"held", "observed-only"}:
            yield wrapped(_stop(stop, len(rows)), first=Text("‖ ", "yellow"), columns=columns, style="yellow")
    name, cell = _widths(rows, columns)
    for service, members in groupby(rows, key=lambda row: row["service"]):
        title = Text("  ").append(_cut(service, name), "bold")
        yield title.append("".join(f" {set_cell_size(state, cell)}" for state in _STATES).rstrip(), "dim")
        yield from _rows(list(members), name, cell, columns, everything=everything)


def _stop(stop: dict[str, Any], rows: int) -> str:
    """Return what would block the next release, and for how many instances."""
    number = len(stop["instances"])
    return f"{stop['text']}" + ("" if number == rows else f" ({plural(number, 'instance')})")


def _header(application: dict[str, Any], columns: int) -> Text:
    release = f"release {application['release']}" if application["release"] else "nothing released yet"
    left, summary = application["name"], summed(application)
    gap = max(2, (columns - cell_len(summary.plain) - cell_len(release)) // 2 - cell_len(left))
    line = Text().append(left, "bold").append(" " * gap).append(release)
    return line.append(" " * max(2, columns - line.cell_len - summary.cell_len)).append_text(summary)


def summed(application: dict[str, Any]) -> Text:
    """Return ``1 failed · 2 need you · 3 waiting``, or ``all converged``."""
    rows = application["instances"]
    troubled = Counter(look(row["condition"]) for row in rows if row["attention"] == "failed")
    yours = sum(row["attention"] == "you" for row in rows)
    rest = Counter(look(row["condition"]) for row in rows if row["attention"] not in {"failed", "you"} and not row["settled"])
    found = [Text(f"{number} {shown.word}", "bold red") for shown, number in troubled.items()]
    found += [Text("1 needs you" if yours == 1 else f"{yours} need you", "bold yellow")] if yours else []
    found += [Text(f"{number} {shown.word}", shown.style.removeprefix("bold ")) for shown, number in rest.items()]
    if not found:
        return Text("all converged" if rows else "nothing to run", "green")
    return Text(" · ").join(found)


def _widths(rows: list[Row], columns: int) -> tuple[int, int]:
    """Return the widths of names and of versions, with room for the condition."""
    names = max((max(cell_len(row["channel"]) + 2, cell_len(row["service"])) for row in rows), default=0)
    most = columns - 4 - len(_STATES) * (_CELL[0] + 1) - _CONDITION
    name = max(_NAME[0], min(names, _NAME[1], most))
    versions = max((cell_len(_version(row, state)) for row in rows for state in _STATES), default=0)
    room = (columns - name - 4 - _CONDITION) // len(_STATES) - 1
    return name, max(_CELL[0], min(versions, _CELL[1], room))


def _rows(rows: list[Row], name: int, cell: int, columns: int, *, everything: bool) -> Iterator[Text]:
    """Yield one line per channel; of a large group a summary, and the channels that need attention."""
    sizes = Counter(row["group"] for row in rows if row["group"])
    summed = {group for group, size in sizes.items() if size > _FOLD and not everything}
    yield from _channels([row for row in rows if row["group"] not in summed], name, cell, columns, everything=everything)
    for group in sorted(summed):
        yield from _group(group, [row for row in rows if row["group"] == group], name, cell, columns)


def _group(group: str, rows: list[Row], name: int, cell: int, columns: int) -> Iterator[Text]:
    """Yield ``200 channels · 187 on 2.3 · 12 deploying · 1 FAILED``, and the channels that need attention."""
    yield wrapped(_summary(rows), first=Text("    ").append(_cut(group, name - 2), "bold").append(" "), columns=columns)
    troubled = [row for row in rows if row["attention"]]
    for row in troubled[:_FOLD]:
        yield from _row(row, name, cell, columns)
    if len(troubled) > _FOLD:
        yield Text(f"    … and {len(troubled) - _FOLD} more that need attention", "dim")


def _summary(rows: list[Row]) -> str:
    there = Counter(_version(row, "good") for row in rows if row["settled"])
    moving = Counter(look(row["condition"]) for row in rows if not row["settled"])
    found = [plural(len(rows), "channel")]
    found += [f"{number} on {version}" for version, number in there.most_common(_VERSIONS)]
    more = sum(there.values()) - sum(number for _, number in there.most_common(_VERSIONS))
    found += [f"{more} on others"] if more else []
    return " · ".join([*found, *(f"{number} {shown.word}" for shown, number in moving.most_common())])


def _channels(rows: list[Row], name: int, cell: int, columns: int, *, everything: bool) -> Iterator[Text]:
    quiet = [row for row in rows if row["settled"]]
    fold = not everything and len(quiet) > _FOLD
    for row in rows:
        if not (fold and row["settled"]):
            yield from _row(row, name, cell, columns)
    if fold:
        yield Text(f"    … and {plural(len(quiet), 'channel')} more, all converged", "dim")


def _row(row: Row, name: int, cell: int, columns: int) -> Iterator[Text]:
    shown = look(row["condition"])
    line = Text("    ").append(_cut(row["channel"], name - 2))
    for state in _STATES:
        line.append(" ").append(_shown(row, state, cell), _style(row, state))
    line.append("  ").append(f"{shown.sign} {shown.word}", shown.style)
    marks, sentence = _marks(row), _sentence(row)
    if marks and line.cell_len + cell_len(marks) + 3 <= columns:
        line.append(f" ({marks})", "dim")
    elif marks:
        sentence = "; ".join(part for part in (marks, sentence) if part)
    if not sentence:
        yield line
    elif line.cell_len + 2 + cell_len(sentence) <= columns:
        yield line.append(f"  {sentence}")
    else:
        yield line
        yield wrapped(sentence, first=Text(" " * 6 + "└ ", "dim"), columns=columns)


def _marks(row: Row) -> str:
    marks = [
        f"pinned {row['pinned']}" if row["pinned"] else "",
        "held" if row["held_by"] and row["condition"] != "held" else "",
        _configured(row),
    ]
    return ", ".join(mark for mark in marks if mark)


def _configured(row: Row) -> str:
    """The configuration release under way: where only that changes, all versions of the row are equal."""
    wanted, good = row["desired"], row["good"]
    number = wanted["configuration"] if wanted else 0
    return f"configuration of release {number}" if number and number != (good["configuration"] if good else 0) else ""


def _sentence(row: Row) -> str:
    if row["problem"]:
        return f"Setpoint cannot evaluate it: {row['problem']}"
    reason = row["reason"]
    if reason is None or reason["code"] == "nothing-released" or (row["settled"] and reason["code"] == "not-accepted"):
        return ""
    more = f" (and {row['reasons'] - 1} more)" if row["reasons"] > 1 else ""
    return f"{reason['text']}{more}"


def _version(row: Row, state: str) -> str:
    found = row[state]
    if found is None:
        return "–"
    return "+".join(found["versions"]) or "–" if state == "current" else str(found["version"])


def _shown(row: Row, state: str, cell: int) -> str:
    """The version, cut where it must be; of what runs also how much is healthy, where there is room for that."""
    text = _version(row, state)
    current = row["current"]
    if state == "current" and current and current["healthy"] < current["total"]:
        counted = f"{text} {current['healthy']}/{current['total']}"
        text = counted if cell_len(counted) <= cell else text
    return _cut(text, cell)


def _style(row: Row, state: str) -> str:
    if row["settled"] or row[state] is None:
        return "dim"
    wanted = row["desired"]["version"] if row["desired"] else ""
    return "" if _version(row, state) == wanted else "yellow"


def _cut(text: str, cell: int) -> str:
    return set_cell_size(text, cell) if cell_len(text) <= cell else f"{set_cell_size(text, cell - 1)}…"
