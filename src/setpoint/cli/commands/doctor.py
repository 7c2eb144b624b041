"""doctor: is the house in order?"""

from __future__ import annotations

from pathlib import Path

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import grouped
from setpoint.cli.session import Session, home_of

_SIGNS = {"ok": "✓", "warning": "!", "bad": "✗"}
_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(doctor))


def doctor(*, session: Session) -> None:
    """Look at the data directory, the journal, the runtimes and the engine; exit 1 if something is bad.

    Example: setpoint doctor
    """
    _look_from_outside(home_of(session.home))
    answer = session.query("doctor")

    def table() -> None:
        from rich.text import Text  # noqa: PLC0415 - loads rich

        from setpoint.cli.render.console import say, width, wrapped  # noqa: PLC0415 - as above

        name = max(len(one["name"]) for one in answer["findings"])
        for one in answer["findings"]:
            first = Text(f"{_SIGNS[one['state']]} ", _STYLES[one["state"]]).append(f"{one['name']:<{name}}  ", "bold")
            say(wrapped(one["text"], first=first, columns=width()))
            if one["hint"]:
                say(wrapped(one["hint"], first=Text(" " * (name + 4)), columns=width()))

    session.show(answer, table)
    if not answer["healthy"]:
        raise Quit(ExitCode.ERROR, f"Something is wrong in {home_of(session.home)}.")


def _look_from_outside(place: Path) -> None:
    """Where no engine runs: whether one could. Raises Ended."""
    from setpoint.server import location  # noqa: PLC0415 - only here
    from setpoint.server.storage import look_from_outside  # noqa: PLC0415 - as above
    from setpoint.store.port import StoreError  # noqa: PLC0415 - as above

    if location.held(place):
        return
    try:
        look_from_outside(place)
    except StoreError as error:
        raise Quit(ExitCode.ERROR, f"No engine runs in {place}, and none can: {error}.") from error
