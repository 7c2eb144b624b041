"""The page of one instance: its state, every reason, its gates, and what failed before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from rich.cells import set_cell_size
from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import ago, clock, look, size, spelled
from setpoint.model.names import short_name

_SIGNS = {
    "holds": ("✓", "green"),
    "passed": ("✓", "dim"),
    "waits": ("◷", "blue"),
    "says-no": ("✗", "red"),
    "skipped": ("»", "yellow"),
    "later": ("·", "dim"),
    "informational": ("i", "dim"),
}
_OUTPUT = 12
"""Lines of a check's output that are shown."""


def lines(page: dict[str, Any], columns: int, *, origins: bool = False) -> Iterator[Text]:
    """Yield the whole page."""
    yield from _head(page, columns)
    yield from _reasons(page, columns)
    yield from _stops(page, columns)
    yield from _attempts(page, columns)
    yield from _gates(page, columns)
    yield from _vetoes(page, columns)
    yield from _failed_output(page, columns)
    yield from _facts(page, columns)
    if origins:
        yield from _section("values come from", [f"{path}  {place}" for path, place in sorted(page["origins"].items())], columns)


def _head(page: dict[str, Any], columns: int) -> Iterator[Text]:
    row = page["instance"]
    shown = look(row["condition"])
    yield Text(row["instance"], "bold").append("  ").append(f"{shown.sign} {shown.word}", shown.style)
    cells = "   ".join(f"{state} {_version(row[state])}" for state in ("desired", "target", "good"))
    current = row["current"]
    seen = f"current {_current(current, page['now'])}" if current else "current unknown"
    yield wrapped(f"{cells}   {seen}", first=Text("  "), columns=columns)
    if row["problem"]:
        yield wrapped(f"Setpoint cannot evaluate it: {row['problem']}", first=Text("  ✗ ", "bold red"), columns=columns)
    if row["pinned"]:
        yield Text(f"  pinned to {row['pinned']}")
    if row["held_by"]:
        yield Text(f"  held by {row['held_by']}")


def _version(found: dict[str, Any] | None) -> str:
    if not found:
        return "–"
    configured = f", configuration of release {found['configuration']}" if found["configuration"] else ""
    return f"{found['version']} (release {found['release']}{configured})"


def _current(current: dict[str, Any], now: int) -> str:
    names = "+".join(current["versions"]) or "nothing"
    text = f"{names}, {current['healthy']} of {current['total']} healthy" if current["total"] else names
    if current["unreachable"]:
        return f"{text} {ago(current['at'], now)} ago; the runtime has not responded since"
    return text


def _reasons(page: dict[str, Any], columns: int) -> Iterator[Text]:
    yield Text()
    if not page["reasons"]:
        yield Text("nothing blocks it", "green")
        return
    yield Text("why it is not at its desired version" if not page["instance"]["settled"] else "notes", "bold")
    for reason in page["reasons"]:
        sign, style = ("✗", "bold red") if reason["failed"] else ("!", "bold yellow") if reason["stuck"] else ("◷", "blue")
        yield wrapped(reason["text"], first=Text("  ").append(f"{sign} ", style), columns=columns)
        note = " · ".join(part for part in notes(reason, page["now"], page["instance"]["instance"]) if part)
        if note:
            yield wrapped(note, first=Text("    "), columns=columns, style="dim")
        yield from commands(reason, [page["instance"]["instance"]])


def commands(reason: dict[str, Any], instances: list[str]) -> Iterator[Text]:
    """Yield the commands that would unblock it, one per line and never broken, so that they can be pasted."""
    found = [spelled(reason["clears"]["command"], one, reason["subject"])[0] for one in instances]
    for command in dict.fromkeys(chain.from_iterable(found)):
        yield Text(f"    {command}", "dim", no_wrap=True, overflow="ignore")


def _stops(page: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield what would block the next release, although nothing is waiting now."""
    if page["stops"]:
        yield Text()
        yield Text("would block the next release", "bold")
    for stop in page["stops"]:
        yield wrapped(stop["text"], first=Text("  ").append("‖ ", "yellow"), columns=columns)
        yield from commands(stop, [page["instance"]["instance"]])


def notes(reason: dict[str, Any], now: int, instance: str) -> Iterator[str]:
    """Yield the phase, since when and until when, and what would unblock it; empty where unknown."""
    yield reason["phase"]
    yield f"for release {reason['release']}" if reason["release"] else ""
    yield f"since {since}" if (since := ago(reason["since"], now)) else ""
    yield (
        f"evaluated again at {clock(reason['recheck_at'])}"
        if reason["recheck_at"]
        else f"waiting for {reason['clears']['what']}"
        if reason["clears"]["what"]
        else ""
    )
    if reason["approvers"]:
        yield f"approvers: {', '.join(reason['approvers'])}"
    if reason["counts_for"]:
        yield f"also counts for {', '.join(map(short_name, reason['counts_for']))}"
    possible, words = spelled(reason["clears"]["command"], instance, reason["subject"])
    if possible or words:
        yield f"to unblock: {words}" if not possible else f"to unblock, {words}, or:" if words else "to unblock:"


def _attempts(page: dict[str, Any], columns: int) -> Iterator[Text]:
    for name in ("rollout", "candidate"):
        attempt = page[name]
        if attempt is None:
            continue
        back = ", rolling back" if attempt["going_back"] else ""
        text = f"attempt {attempt['number']}: {_brought(attempt)}"
        since = f", in {attempt['phase']}{back} for {ago(attempt['entered'], page['now'])}"
        yield Text()
        yield wrapped(text + since, first=Text(f"{name}  ", "bold"), columns=columns)


def _brought(attempt: dict[str, Any]) -> str:
    """Return what the attempt changes, and who released that."""
    configuration = f"configuration of release {attempt['configuration']}"
    if attempt["keeps_version"]:
        return f"{configuration} by {attempt['author']}, keeps {attempt['version']}"
    version = f"{attempt['version']} (release {attempt['release']}) by {attempt['author']}"
    return f"{version}, with the {configuration} by {attempt['configured_by']}" if attempt["configuration"] else version


def _gates(page: dict[str, Any], columns: int) -> Iterator[Text]:
    if not page["gates"]:
        return
    yield Text()
    yield Text("gates", "bold")
    name = min(max(len(gate["name"]) for gate in page["gates"]), 28)
    for gate in page["gates"]:
        sign, style = _SIGNS[gate["state"]]
        first = (
            Text("  ")
            .append(f"{sign} ", style)
            .append(set_cell_size(gate["name"], name))
            .append(f"  {gate['phase']:<15} ", "dim")
        )
        yield wrapped(_gate(gate, page["now"]), first=first, columns=columns)
        output = page["outputs"].get(gate["name"], "")
        for line in output.splitlines()[-_OUTPUT:] if gate["state"] in {"waits", "says-no"} else ():
            yield Text(f"      │ {line}"[: columns - 1], "dim")


def _gate(gate: dict[str, Any], now: int) -> str:
    text = gate["text"] or gate["state"]
    return f"{text} ({ago(gate['ended'], now)} ago)" if gate["ended"] else text


def _failed_output(page: dict[str, Any], columns: int) -> Iterator[Text]:
    found = page["failed_output"]
    if not found:
        return
    yield Text()
    ended = f", which {found['ended']}" if found["ended"] else ""
    yield wrapped(f"last lines of {found['version']} ({found['replica']}{ended})", first=Text(), columns=columns, style="bold")
    for line in found["lines"]:
        yield Text(f"  │ {line}"[: columns - 1], "dim")
    yield wrapped("all of them:", first=Text("  "), columns=columns)
    yield Text(f"  {found['command']}")


def _vetoes(page: dict[str, Any], columns: int) -> Iterator[Text]:
    found = [f"{_vetoed(one)}, {ago(one['at'], page['now'])} ago: {one['reason']}" for one in page["vetoes"][:5]]
    yield from _section("not retried here", found, columns)


def _vetoed(veto: dict[str, Any]) -> str:
    if veto["configuration"]:
        return f"configuration of release {veto['configuration']} (with {veto['version']})"
    return f"release {veto['release']} ({veto['version']})"


def _facts(page: dict[str, Any], columns: int) -> Iterator[Text]:
    yield from _section("links", [f"{name}  {url}" for name, url in sorted(page["links"].items())], columns)
    yield from _section(
        "resources", [f"{one['replica']}  {one['cpu']:.1f} % CPU  {size(one['memory'])}" for one in page["usage"]], columns
    )


def _section(title: str, entries: list[str], columns: int) -> Iterator[Text]:
    if entries:
        yield Text()
        yield Text(title, "bold")
        for entry in entries:
            yield wrapped(entry, first=Text("  "), columns=columns)
