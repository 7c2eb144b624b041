"""`setpoint`: every command, and how each of them ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from setpoint.cli.commands import (
    approvals,
    checking,
    configuration,
    doctor,
    engine,
    marking,
    overrides,
    people,
    recording,
    releases,
    removal,
    simulating,
    stopping,
    stories,
    watching,
)
from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.output import echo

app = typer.Typer(
    name="setpoint",
    help="Say what should run where and under which conditions; Setpoint makes it so, and says why not yet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    engine,
    configuration,
    releases,
    watching,
    approvals,
    checking,
    overrides,
    marking,
    stopping,
    removal,
    stories,
    recording,
    people,
    simulating,
    doctor,
):
    group.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        import setpoint  # noqa: PLC0415 - only asked for here

        echo(f"setpoint {setpoint.__version__}")
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def main() -> NoReturn:
    """The entry point. Ends with the documented exit codes, and never with a traceback for a user's mistake."""
    sys.exit(_run())


def _run() -> int:
    try:
        app(prog_name="setpoint")
    except Quit as end:
        if end.message:
            from setpoint.cli.render.console import complain  # noqa: PLC0415 - only when something is wrong

            complain(end.message, end.hint, end.details)
        return end.code
    except SystemExit as end:
        return ExitCode.ERROR if end.code == 2 else int(end.code or 0)  # a usage error is an error, not a failed release
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    return ExitCode.OK
