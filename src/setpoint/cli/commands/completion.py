"""completion: names of commands, options and instances, completed by the shell."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from setpoint.cli.output import echo

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)), help="Your shell.")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and instances in your shell.

    Example: setpoint completion bash > ~/.local/share/bash-completion/completions/setpoint
    """
    echo(_SHELLS[shell](context.find_root().command, {}, "setpoint", "_SETPOINT_COMPLETE").source())
