"""apply, validate, schema: work with a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output, output_option, why_option
from setpoint.cli.output import echo, echo_json
from setpoint.cli.session import Session, session_options, show


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), help="Directory with your *.setpoint.yaml files.")
@click.option("--yes", "-y", is_flag=True, help="Apply without confirmation.")
@click.option("--dry-run", is_flag=True, help="Show the changes without applying them.")
@click.option("--confirm", multiple=True, help="Group that may lose more than half of its channels. Repeatable.")
@why_option
@session_options
def apply(directory: Path, yes: bool, dry_run: bool, confirm: tuple[str, ...], why: str, session: Session) -> None:
    """Show what a configuration changes, and apply it after confirmation.

    Example: setpoint apply config/
    """
    from setpoint.cli.render import difference  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.console import interactive, print_lines, width  # noqa: PLC0415 - as above

    payload = _collected(directory)
    with session.connected() as client:
        shown = client.query("preview", payload)
        if session.output is Output.TABLE or not (yes or dry_run):
            print_lines(*difference.preview(shown, width()))
        if dry_run:
            session.show(shown, lambda: None)
            return
        if not difference.anything(shown):
            session.show(shown, lambda: None)
            return
        if not yes and not interactive():
            raise Quit(
                ExitCode.ERROR, "Nothing was applied: confirmation needs a terminal.", "Add --yes to apply without confirmation."
            )
        if not yes and not click.confirm("Apply this?"):
            raise Quit(ExitCode.ERROR, "Nothing was applied.")
        answer = client.command("apply", {**payload, "expect": shown["plan"], "confirm": list(confirm), "why": why})
    session.show(answer, lambda: print_lines(*difference.applied(answer)))


@click.command()
@click.argument(
    "directory",
    required=False,
    default=Path(),
    type=click.Path(path_type=Path),
    help="Directory with your *.setpoint.yaml files.",
)
@output_option
def validate(directory: Path, output: Output) -> None:
    """Check a configuration and list every error. Needs no engine.

    Example: setpoint validate config/
    """
    from setpoint.config.compile import load  # noqa: PLC0415 - loads the configuration language
    from setpoint.config.problems import ConfigurationError  # noqa: PLC0415 - as above

    try:
        configuration = load(directory)
    except ConfigurationError as error:
        problems = error.problems
        as_data = [{name: getattr(one, name) for name in one.__struct_fields__} for one in problems]
        answer: dict[str, Any] = {"problems": as_data, "notices": [], "refusals": []}
        show(answer, output, lambda: _print_problems(directory, [str(one) for one in problems]))
        raise Quit(ExitCode.ERROR) from None
    found = {"problems": [], "notices": configuration.notices, "refusals": configuration.refusals}
    show(found, output, lambda: _print_order(directory, configuration.notices, configuration.refusals))


def _print_order(directory: Path, notices: list[str], refusals: list[str]) -> None:
    echo(f"{directory} is valid.")
    for notice in notices:
        echo(f"  {notice}")
    for refusal in refusals:
        echo(f"  `setpoint apply` will refuse it: {refusal}")


def _print_problems(directory: Path, problems: list[str]) -> None:
    echo("\n".join(problems))
    echo(f"\n{len(problems)} error{'s' if len(problems) > 1 else ''} in {directory}.", err=True)


@click.command()
def schema() -> None:
    """Print the JSON Schema of configuration files for your editor.

    Example: setpoint schema > setpoint.schema.json
    """
    from setpoint.config.schema import json_schema  # noqa: PLC0415 - loads the configuration language

    echo_json(json_schema())


def _collected(directory: Path) -> dict[str, Any]:
    import base64  # noqa: PLC0415 - only here

    from setpoint.config.files import collect, executables  # noqa: PLC0415 - loads the configuration language
    from setpoint.config.problems import ConfigurationError  # noqa: PLC0415 - as above

    try:
        files = collect(directory)
    except ConfigurationError as error:
        raise Quit(
            ExitCode.ERROR, "The configuration cannot be read; nothing was applied.", "", [str(one) for one in error.problems]
        ) from error
    return {
        "files": {path: base64.b64encode(content).decode() for path, content in files.items()},
        "root": str(directory.resolve()),
        "executable": executables(directory.resolve(), files),
    }
