"""The commands of the command line as its own parser knows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from setpoint.cli.main import app


def subcommands(command: click.Command) -> dict[str, click.Command]:
    """Return the commands of a group by name; none for a command that is not a group."""
    if not isinstance(command, click.Group):
        return {}
    context = click.Context(command)
    found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return {name: one for name, one in found.items() if one is not None}


def leaves(command: click.Command = app, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is not a group, with its words after ``setpoint``."""
    below = subcommands(command)
    for name, one in below.items():
        yield from leaves(one, (*words, name))
    if not below:
        yield words, command
