"""Options that many commands share, and groups of them that a command takes as one parameter.

A group is a dataclass of options: ``def pin(target: Instance, *, ends: Ending, session: Acting)``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from setpoint.cli import completions


class Output(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


_WHERE = "Which engine, as whom, and how it is shown"

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Data directory of the engine (SETPOINT_HOME, else ~/.local/share/setpoint).", rich_help_panel=_WHERE
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="Act as the person of the token in this file (SETPOINT_TOKEN, else the administrator's file).",
        rich_help_panel=_WHERE,
    ),
]
"""No option takes the token itself: every user of the machine can read the arguments of a process."""
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do nothing; show what would come of it at once.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print the answer.", rich_help_panel=_WHERE)]


def one_line(text: str) -> str:
    """Return a text on one line: the message of a commit is a reason as well."""
    return " ".join(text.split())


Why = Annotated[str, typer.Option("--why", callback=one_line, help="The reason, for those who read the history.")]
Until = Annotated[
    str,
    typer.Option(
        "--until", help="When it ends: a date (its beginning here) such as 2026-12-24, or a time such as 2026-12-24T18:00."
    ),
]
For = Annotated[str, typer.Option("--for", help="How long it lasts, such as 2h or 3d.")]
Link = Annotated[str, typer.Option("--link", help="URL of an incident or a ticket.")]
Alone = Annotated[bool, typer.Option("--alone", help="Only part of services that move together, or each of them by itself.")]
ReleaseNumber = Annotated[int, typer.Option("--release", min=0, help="Number of the release; without it the one under way.")]
App = Annotated[
    str,
    typer.Option("--app", help="The application; may be left out where it is clear.", autocompletion=completions.applications),
]
Target = Annotated[
    str,
    typer.Argument(
        help="service@channel, application/service@channel, or a channel for all it has.", autocompletion=completions.targets
    ),
]
Instance = Annotated[
    str, typer.Argument(help="service@channel or application/service@channel.", autocompletion=completions.instances)
]


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Return the command with the options of each group in place of the group, as typer reads them."""
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, Any] = {
        name: one.annotation for name, one in signature.parameters.items() if dataclasses.is_dataclass(one.annotation)
    }
    parameters = [
        option for name, one in signature.parameters.items() for option in (_options(groups[name]) if name in groups else [one])
    ]

    @functools.wraps(function)
    def run(**options: Any) -> None:
        made = {name: group(**{each.name: options.pop(each.name) for each in _options(group)}) for name, group in groups.items()}
        function(**options, **made)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _options(group: Any) -> Iterator[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[field.name])
