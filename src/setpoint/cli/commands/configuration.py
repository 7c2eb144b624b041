"""apply, validate, schema: the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Format, Output, Why, grouped
from setpoint.cli.output import echo, echo_json
from setpoint.cli.session import Session, show

Directory = Annotated[Path, typer.Argument(help="Directory with your *.setpoint.yaml files.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(apply))
    app.command()(validate)
    app.command()(schema)


def apply(
    directory: Directory,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    confirm: Annotated[
        list[str] | None, typer.Option("--confirm", help="A group that may lose more than half of its channels; may be repeated.")
    ] = None,
    why: Why = "",
    *,
    session: Session,
) -> None:
    """Put a configuration into force: shows what changes, and asks.

    Example: setpoint apply config/
    """
    from setpoint.cli.render import difference  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.console import interactive, say, width  # noqa: PLC0415 - as above

    payload = _collected(directory)
    with session.connected() as client:
        shown = client.query("preview", payload)
        if session.output is Output.TABLE or not (yes or dry_run):
            say(*difference.preview(shown, width()))
        if dry_run:
            session.show(shown, lambda: None)
            return
        if not difference.anything(shown):
            session.show(shown, lambda: None)
            return
        if not yes and not interactive():
            raise Quit(ExitCode.ERROR, "Nothing was applied: there is nobody to ask.", "Say --yes to apply without being asked.")
        if not yes and not typer.confirm("Apply this?"):
            raise Quit(ExitCode.ERROR, "Nothing was applied.")
        answer = client.command("apply", {**payload, "expect": shown["plan"], "confirm": confirm or [], "why": why})
    session.show(answer, lambda: say(*difference.applied(answer)))


def validate(directory: Directory = Path(), output: Format = Output.TABLE) -> None:
    """Check a configuration without an engine; shows every mistake.

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
    echo(f"{directory} is in order.")
    for notice in notices:
        echo(f"  {notice}")
    for refusal in refusals:
        echo(f"  `apply` will refuse it: {refusal}")


def _print_problems(directory: Path, problems: list[str]) -> None:
    echo("\n".join(problems))
    echo(f"\n{len(problems)} mistake{'s' if len(problems) > 1 else ''} in {directory}.", err=True)


def schema() -> None:
    """Print the JSON Schema of configuration files, for editors.

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
