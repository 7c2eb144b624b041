"""The results of a check that was run by hand, and of a dry run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from setpoint.cli.render.console import wrapped
from setpoint.model.names import key_of, kind_of, short_name

_SIGNS = {"passing": ("✓", "green"), "blocking": ("✗", "red")}
_OUTPUT = 12
"""Lines of output that are shown."""
_MARKS = {"decides": ("·", ""), "starts": ("▶", "blue"), "waits": ("⧗", "dim")}


def check_lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield result, reason and exit code, how the result would count, and the end of the output."""
    sign, style = _SIGNS.get(answer["outcome"], ("!", "yellow"))
    what = f"{answer['protection']} for {short_name(answer['instance'])} {answer['version']}"
    yield Text(f"{sign} ", style).append(f"{what}: ", "bold").append(answer["outcome"], style)
    yield wrapped(answer["reason"], first=Text("  "), columns=columns)
    yield Text(f"  {_code(answer['code'])}took {answer['took'] / 1000:.1f} s", "dim")
    for count in answer["counts"]:
        yield wrapped(f"in {count['phase']}, as {count['gate']}: {count['text']}", first=Text("  "), columns=columns)
    for line in answer["output"].splitlines()[-_OUTPUT:]:
        yield wrapped(line, first=Text("  │ "), columns=columns, style="dim")


def _code(code: int | None) -> str:
    return "" if code is None else f"exit code {code}, " if code >= 0 else f"signal {-code}, "


def dry_run_lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """Yield the consequences, by entity."""
    consequences = answer["consequences"]
    yield Text(
        "Dry run, nothing was changed. Immediate effect:"
        if consequences
        else "Dry run, nothing was changed. It would have no immediate effect.",
        "bold",
    )
    entity = ""
    for one in consequences:
        if one["entity"] != entity:
            entity = one["entity"]
            yield Text(f"  {_short(entity)}", "bold")
        mark, style = _MARKS[one["kind"]]
        yield wrapped(one["text"], first=Text(f"    {mark} ", style), columns=columns)
    if not answer["complete"]:
        yield Text("  … and more.")


def _short(entity: str) -> str:
    kind, key = kind_of(entity), key_of(entity)
    return short_name(key) if kind == "instance" else f"{kind} {key}"
