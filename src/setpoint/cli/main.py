"""`setpoint`: the commands by section, and how each of them ends."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from setpoint.cli.ending import ExitCode, Quit

SECTIONS = {
    "Engine": {
        "up": "engine",
        "down": "engine",
        "doctor": "installation",
        "token": "people",
        "whoami": "people",
        "audit": "people",
    },
    "Configuration": {
        "validate": "configuration",
        "apply": "configuration",
        "schema": "configuration",
        "invariants": "watching",
        "adopt": "removal",
        "orphans": "removal",
        "remove": "removal",
    },
    "Releases": {
        "release": "releases",
        "releases": "releases",
        "promote": "marking",
        "cancel": "marking",
        "mark-bad": "marking",
        "mark-good": "marking",
    },
    "What runs, and why": {
        "status": "watching",
        "explain": "watching",
        "timeline": "stories",
        "history": "stories",
        "events": "stories",
        "logs": "stories",
        "check": "checking",
    },
    "Approvals": {
        "approve": "approvals",
        "reject": "approvals",
        "skip": "approvals",
    },
    "Operating": {
        "rollback": "overrides",
        "retry": "overrides",
        "pin": "overrides",
        "unpin": "overrides",
        "hold": "overrides",
        "resume": "overrides",
        "stop-the-line": "stopping",
        "start-the-line": "stopping",
        "pause": "stopping",
        "unpause": "stopping",
        "observe": "stopping",
        "heal": "stopping",
    },
    "Simulation": {
        "simulate": "simulating",
        "story": "recording",
        "replay": "recording",
    },
    "Shell": {
        "completion": "installation",
    },
}
"""Name of each command, and its module in ``cli.commands``: only that of the command that runs is imported."""
_MODULES = {name: module for section in SECTIONS.values() for name, module in section.items()}


class Commands(click.Group):
    """The commands of ``SECTIONS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Return the names in the order in which ``--help`` shows them."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return a command, or None if there is none of that name."""
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"setpoint.cli.commands.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, each with the whole sentence that describes it."""
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, one.get_short_help_str(limit=200)) for name, one in commands if one], col_max=16)


@click.command(
    cls=Commands,
    name="setpoint",
    context_settings={"auto_envvar_prefix": "SETPOINT", "help_option_names": ["-h", "--help"]},
    epilog="Every option has an environment variable: SETPOINT_RELEASE_TIMEOUT=1h is `setpoint release --timeout 1h`.",
)
@click.version_option(package_name="setpoint", message="%(prog)s %(version)s", help="Show the version.")
def app() -> None:
    """Declare which version runs where and under which conditions. Setpoint makes it so, and explains what it is waiting for."""


def main() -> NoReturn:
    """Run the command line, and exit with a documented code; an error of the user is never a traceback."""
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
