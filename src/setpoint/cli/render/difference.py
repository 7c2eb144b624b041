"""What an apply would change, and what it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.cli.render.words import plural, short

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "runs": ("~", "yellow"), "policy": ("~", "cyan")}
_MEANS = {"runs": "what runs", "policy": "policy"}


def anything(shown: dict[str, Any]) -> bool:
    """Whether applying it would do anything at all."""
    return bool(shown["old"] != shown["new"] or shown["releases"])


def preview(shown: dict[str, Any], columns: int) -> Iterator[Text]:
    """Changes first, then the releases that follow from them, then what waits."""
    if not anything(shown):
        yield Text("Nothing changes.")
        return
    if not shown["changes"]:
        yield Text("No instance changes; only the files do.")
    grouped: dict[tuple[str, str, str, str, str], list[str]] = {}
    for change in shown["changes"]:
        key = (change["what"], change["path"], change["old"], change["new"], change["origin"])
        grouped.setdefault(key, []).append(change["instance"])
    for (what, path, old, new, origin), instances in grouped.items():
        yield from _change(what, path, old, new, origin, instances, columns)
    for release in shown["releases"]:
        yield _release(release, columns)
    for waiting in shown["waiting"]:
        yield wrapped(waiting, first=Text("  ◷ ", "blue"), columns=columns)
    yield from _departures(shown, columns)
    for notice in shown["notices"]:
        yield wrapped(notice, first=Text("  · ", "dim"), columns=columns)
    for refusal in shown["refusals"]:
        yield wrapped(f"apply will refuse it: {refusal}", first=Text("  ✗ ", "red"), columns=columns)


def _departures(shown: dict[str, Any], columns: int) -> Iterator[Text]:
    for instance, version in shown["kept"].items():
        yield wrapped(f"{short(instance)}: {version} runs on, as an orphan", first=Text("  ○ ", "yellow"), columns=columns)
    for instance, version in shown["down"].items():
        yield wrapped(f"{short(instance)}: {version} is TAKEN DOWN", first=Text("  ✗ ", "bold red"), columns=columns)
    for group, (gone, whole) in shown["shrinking"].items():
        text = f"{group} loses {gone} of its {whole} channels: apply asks for --confirm {group}"
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


def _release(release: dict[str, Any], columns: int) -> Text:
    versions = ", ".join(f"{name} {version}" for name, version in release["services"].items())
    where = (
        f"to {', '.join(release['channels'])}" if release["channels"] else f"to {plural(len(release['instances']), 'instance')}"
    )
    text = f"{release['application']}: releases {versions} {where} by itself, through the same gates"
    return wrapped(text, first=Text("  ▶ ", "cyan"), columns=columns)


def applied(answer: dict[str, Any]) -> Iterator[Text]:
    """What was done."""
    yield Text(f"Applied as revision {answer['revision']}: {plural(answer['changes'], 'change')}.", "green")
    for application, number in answer["releases"].items():
        yield Text(f"  {application}: release {number} is on its way; see `setpoint status`.")
    if not answer["releases"] and answer["waiting"]:
        yield Text("  Release something with: setpoint release SERVICE=VERSION")


__all__ = ["anything", "applied", "preview", "short"]
