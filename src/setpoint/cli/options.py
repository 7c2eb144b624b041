"""Options and arguments that several commands share, as decorators."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import click

from setpoint.cli import completions


class Output(StrEnum):
    """Format of a command's result."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def one_line(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Return a text on one line, so that the message of a commit can be given as a reason."""
    return " ".join(text.split())


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Data directory of the engine. Default: SETPOINT_HOME, else ~/.local/share/setpoint.",
)
token_file_option = click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File that holds your token. Default: the token in SETPOINT_TOKEN, else the administrator's file.",
)
"""No option takes the token itself: every user of the machine can read the arguments of a process."""
output_option = click.option(
    "--output", "-o", type=click.Choice(Output, case_sensitive=False), default="table", show_default=True, help="Format."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the immediate effect without changing anything.")
why_option = click.option("--why", default="", callback=one_line, help="Reason, kept in the history.")
until_option = click.option(
    "--until", default="", help="End: a date such as 2026-12-24 (its first second) or a time such as 2026-12-24T18:00."
)
for_option = click.option("--for", "lasts", default="", help="Duration, such as 2h or 3d.")
link_option = click.option("--link", default="", help="URL of an incident or a ticket.")
alone_option = click.option("--alone", is_flag=True, help="Move only some services of a set, or each independently.")
release_option = click.option(
    "--release", type=click.IntRange(min=0), default=0, help="Number of the release. Default: the one in progress."
)
app_option = click.option(
    "--app",
    default="",
    shell_complete=completions.applications,
    help="Application. Required only where the name is ambiguous.",
)
target_argument = click.argument(
    "target",
    shell_complete=completions.targets,
    help="service@channel, application/service@channel, or a channel for every instance in it.",
)
instance_argument = click.argument(
    "target", shell_complete=completions.instances, help="service@channel or application/service@channel."
)
