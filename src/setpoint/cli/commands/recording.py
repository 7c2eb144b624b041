"""story, replay: export the trace of an entity, and check that this version of Setpoint decides the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output, home_option, output_option, token_file_option
from setpoint.cli.output import echo_document, echo_yaml
from setpoint.cli.session import Session, show


@click.command()
@click.argument("entity", help="service@channel, or the id of another entity, such as line:saas.")
@click.option("--about", default="", help="Description to keep in the trace.")
@home_option
@token_file_option
@click.option("--output", "-o", type=click.Choice(["json", "yaml"]), default="json", show_default=True, help="Format.")
def story(entity: str, about: str, home: Path | None, token_file: Path | None, output: str) -> None:
    """Print the trace of an entity: the inputs and decisions of each turn, for `setpoint replay`.

    Example: setpoint story web@production > story.json
    """
    answer = Session(home, token_file).query("story", {"entity": entity, "about": about})
    if answer["decided_otherwise"]:
        _warn(answer)
    if output == "yaml":
        echo_yaml(answer["story"])
        return
    from setpoint.core.recording.trace import laid_out  # noqa: PLC0415 - loads the core

    echo_document(laid_out(answer["story"]).rstrip("\n"))


def _warn(answer: dict[str, Any]) -> None:
    from setpoint.cli.render.console import complain  # noqa: PLC0415 - only for a warning

    turns = answer["decided_otherwise"]
    which = f"Turn {turns[0]}" if len(turns) == 1 else f"{len(turns)} turns, the first of them {turns[0]},"
    complain(f"{which} was decided differently by an earlier version of Setpoint. The trace has the decisions of this version.")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), help="Traces, as printed by `setpoint story`.")
@output_option
def replay(files: tuple[Path, ...], output: Output) -> None:
    """Replay traces, and report every decision that differs. Needs no engine.

    Example: setpoint replay tests/histories/*.json
    """
    found = {str(file): _replayed(file) for file in files}
    show(found, output, lambda: _print(found))
    if any(one["differences"] for one in found.values()):
        raise Quit(ExitCode.FAILED)


def _replayed(file: Path) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 - only this command needs it

    from setpoint.core.recording import trace as traces  # noqa: PLC0415 - loads the core

    try:
        trace = traces.read(file.read_bytes())
        differences = traces.replay(trace)
    except OSError as error:
        raise Quit(ExitCode.ERROR, f"{file} cannot be read: {error.strerror}.") from error
    except traces.UnreadableTrace as error:
        raise Quit(
            ExitCode.ERROR, f"{file} is not a trace that this version can replay: {error}.", "Export one with `setpoint story`."
        ) from error
    return {
        "entity": trace.entity,
        "turns": len(trace.turns),
        "differences": [msgspec.to_builtins(one) for one in differences],
    }


def _print(found: dict[str, Any]) -> None:
    from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.recording import lines  # noqa: PLC0415 - as above

    for file, trace in found.items():
        print_lines(*lines(file, trace, width()))
