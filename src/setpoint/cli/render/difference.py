"""The changes that an apply would make, and its result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import plural
from setpoint.model.names import short_name, without_channel

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "runs": ("~", "yellow"), "policy": ("~", "cyan")}
_MEANS = {"runs": "what runs", "policy": "policy"}
_NAME = 36
"""Widest column of names."""
_NAMED, _FOLD = 3, 12
"""Instances with the same change that are named, in a group and outside of one; more are counted."""


def anything(shown: dict[str, Any]) -> bool:
    """Return whether applying it would change anything."""
    return bool(shown["old"] != shown["new"] or shown["releases"] or shown["configurations"])


def preview(shown: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield the changes, the releases that follow from them, and what is waiting."""
    if not anything(shown):
        yield Text("Nothing changes.")
        return
    if not shown["changes"]:
        yield Text("No instance changes: only files do.")
    grouped: dict[tuple[str, str, str, str, str], list[str]] = {}
    for change in shown["changes"]:
        key = (change["what"], change["path"], change["old"], change["new"], change["origin"])
        grouped.setdefault(key, []).append(change["instance"])
    for (what, path, old, new, origin), instances in grouped.items():
        yield from _change(what, path, old, new, origin, instances, columns)
    for configuration in shown["configurations"]:
        yield from _configuration(configuration, columns)
    for release in shown["releases"]:
        yield _release(release, columns)
    for waiting in shown["waiting"]:
        yield wrapped(waiting, first=Text("  ◷ ", "blue"), columns=columns)
    yield from _departures(shown, columns)
    for notice in shown["notices"]:
        yield wrapped(notice, first=Text("  · ", "dim"), columns=columns)
    for refusal in shown["refusals"]:
        yield wrapped(f"cannot be applied: {refusal}", first=Text("  ✗ ", "red"), columns=columns)


def _departures(shown: dict[str, Any], columns: int) -> Iterator[Text]:
    for instance, version in shown["kept"].items():
        yield wrapped(
            f"{short_name(instance)}: {version} keeps running, as an orphan", first=Text("  ○ ", "yellow"), columns=columns
        )
    for instance, version in shown["down"].items():
        yield wrapped(f"{short_name(instance)}: {version} will be STOPPED", first=Text("  ✗ ", "bold red"), columns=columns)
    for group, (gone, whole) in shown["shrinking"].items():
        text = f"{group} loses {gone} of its {whole} channels: confirm this with --confirm {group}"
        yield wrapped(text, first=Text("  ! ", "bold yellow"), columns=columns)


def _change(what: str, path: str, old: str, new: str, origin: str, instances: list[str], columns: int) -> Iterator[Text]:
    sign, style = _SIGNS[what]
    names = ", ".join(instances[:6]) + (f" and {len(instances) - 6} more" if len(instances) > 6 else "")
    if not path:
        yield wrapped(names, first=Text(f"  {sign} ", style), columns=columns, style=style)
        return
    text = f"{_MEANS[what]}  {path}: {old or '(nothing)'} → {new or '(nothing)'}{f'  {origin}' if origin else ''}"
    yield wrapped(names, first=Text(f"  {sign} ", style), columns=columns, style=style)
    yield wrapped(text, first=Text("      "), columns=columns)


def _configuration(made: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield one line per instance; equal lines of a group, or of many instances, are folded."""
    title = f"{made['application']}: configuration release of {', '.join(made['services'])}, with its gates"
    yield wrapped(title, first=Text("  ▶ ", "cyan"), columns=columns)
    rows = list(_takers(made))
    name = min(max((cell_len(who) for who, _ in rows), default=0), _NAME)
    for who, takes in rows:
        if cell_len(who) > name:
            yield wrapped(who, first=Text("      "), columns=columns)
            yield wrapped(takes, first=Text("        "), columns=columns)
        else:
            yield wrapped(takes, first=Text("      ").append(set_cell_size(who, name)).append("  "), columns=columns)


def _takers(made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield ``web@production`` or ``187 of tenants``, and what it takes, in the order of the configuration."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for instance, takes in made["instances"].items():
        found.setdefault((without_channel(instance), made["groups"].get(instance, ""), takes), []).append(instance)
    for (service, group, takes), instances in found.items():
        if len(instances) <= (_NAMED if group else _FOLD):
            yield from ((instance, takes) for instance in instances)
        elif group:
            yield f"{service if len(made['services']) > 1 else ''} {len(instances)} of {group}".strip(), takes
        else:
            yield f"{', '.join(instances[:_NAMED])} and {len(instances) - _NAMED} more", takes


def _release(release: dict[str, Any], columns: int) -> Text:
    versions = ", ".join(f"{name} {version}" for name, version in release["services"].items())
    where = (
        f"to {', '.join(release['channels'])}" if release["channels"] else f"to {plural(len(release['instances']), 'instance')}"
    )
    text = f"{release['application']}: release of {versions} {where}, with its gates"
    return wrapped(text, first=Text("  ▶ ", "cyan"), columns=columns)


def applied(answer: dict[str, Any]) -> Iterator[Text]:
    """Yield the result of an apply."""
    yield Text(f"Applied as revision {answer['revision']}: {plural(answer['changes'], 'change')}.", "green")
    for application, number in answer["configurations"].items():
        yield Text(f"  {application}: started configuration release {number}. See `setpoint status`.")
    for application, number in answer["releases"].items():
        if number != answer["configurations"].get(application):
            yield Text(f"  {application}: started release {number}. See `setpoint status`.")
    if not answer["releases"] and answer["waiting"]:
        yield Text("  To release a version, run: setpoint release SERVICE=VERSION")


__all__ = ["anything", "applied", "preview"]
