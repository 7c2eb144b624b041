"""story, replay: the story of an entity as a file, and whether this version decides as it is told there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Format, Output, grouped
from setpoint.cli.output import echo_document, echo_yaml
from setpoint.cli.session import Session, show


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(story))
    app.command()(replay)


@dataclass(frozen=True)
class StorySession(Session):
    """The session of a command whose result is a file."""

    output: Format = Output.JSON


def story(
    entity: Annotated[
        str, typer.Argument(help="service@channel, or any entity by its id, such as line:saas.", show_default=False)
    ],
    about: Annotated[str, typer.Option("--about", help="A sentence to keep with it.")] = "",
    *,
    session: StorySession,
) -> None:
    """Print what an entity was told, turn by turn, and what it decided; `setpoint replay` takes that.

    Example: setpoint story web@production > story.json
    """
    answer = session.query("story", {"entity": entity, "about": about})
    if answer["decided_otherwise"]:
        _warn(answer)
    if session.output is Output.YAML:
        echo_yaml(answer["story"])
        return
    from setpoint.core.recording.trace import laid_out  # noqa: PLC0415 - loads the core

    echo_document(laid_out(answer["story"]).rstrip("\n"))


def _warn(answer: dict[str, Any]) -> None:
    from setpoint.cli.render.console import complain  # noqa: PLC0415 - only when something is to be said

    turns = answer["decided_otherwise"]
    which = f"Turn {turns[0]}" if len(turns) == 1 else f"{len(turns)} turns, the first of them {turns[0]},"
    complain(f"{which} went otherwise when they were decided: by another version of Setpoint. The story has today's decisions.")


def replay(
    files: Annotated[list[Path], typer.Argument(help="Stories, as `setpoint story` prints them.", show_default=False)],
    output: Format = Output.TABLE,
) -> None:
    """Decide everything that stories tell again, and see that it comes out the same; needs no engine.

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
        told = traces.read(file.read_bytes())
        differences = traces.replay(told)
    except OSError as error:
        raise Quit(ExitCode.ERROR, f"{file} cannot be read: {error.strerror}.") from error
    except traces.UnreadableTrace as error:
        raise Quit(
            ExitCode.ERROR, f"{file} is no story that this version can replay: {error}.", "Write one with `setpoint story`."
        ) from error
    return {
        "entity": told.entity,
        "turns": len(told.turns),
        "differences": [msgspec.to_builtins(one) for one in differences],
    }


def _print(found: dict[str, Any]) -> None:
    from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.recording import lines  # noqa: PLC0415 - as above

    for file, told in found.items():
        say(*lines(file, told, width()))
