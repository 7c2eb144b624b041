"""doctor, completion: check the installation, and make the shell complete its commands."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.output import echo
from setpoint.cli.session import Session, home_of, session_options

_SIGNS = {"ok": "✓", "warning": "!", "bad": "✗"}
_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@session_options
def doctor(session: Session) -> None:
    """Check the data directory, the journal, the runtimes and the engine. Exit code 1 if one of them is broken.

    Example: setpoint doctor
    """
    _look_from_outside(home_of(session.home))
    answer = session.query("doctor")

    def table() -> None:
        from rich.text import Text  # noqa: PLC0415 - loads rich

        from setpoint.cli.render.console import print_lines, width, wrapped  # noqa: PLC0415 - as above

        name = max(len(one["name"]) for one in answer["findings"])
        for one in answer["findings"]:
            first = Text(f"{_SIGNS[one['state']]} ", _STYLES[one["state"]]).append(f"{one['name']:<{name}}  ", "bold")
            print_lines(wrapped(one["text"], first=first, columns=width()))
            if one["hint"]:
                print_lines(wrapped(one["hint"], first=Text(" " * (name + 4)), columns=width()))

    session.show(answer, table)
    if not answer["healthy"]:
        raise Quit(ExitCode.ERROR, f"Something is wrong in {home_of(session.home)}.")


def _look_from_outside(place: Path) -> None:
    """Check whether an engine could run here, if none does. Raises Quit."""
    from setpoint.server import location  # noqa: PLC0415 - only here
    from setpoint.server.storage import look_from_outside  # noqa: PLC0415 - as above
    from setpoint.store.port import StoreError  # noqa: PLC0415 - as above

    if location.held(place):
        return
    try:
        look_from_outside(place)
    except StoreError as error:
        raise Quit(ExitCode.ERROR, f"No engine runs in {place}, and none can: {error}.") from error


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)), help="Your shell.")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and instances in your shell.

    Example: setpoint completion bash > ~/.local/share/bash-completion/completions/setpoint
    """
    echo(_SHELLS[shell](context.find_root().command, {}, "setpoint", "_SETPOINT_COMPLETE").source())
