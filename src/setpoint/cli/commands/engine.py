"""up and down: the engine on this machine."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from setpoint.cli import detached
from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Home
from setpoint.cli.output import echo
from setpoint.cli.session import home_of


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(up)
    app.command()(down)


def up(
    home: Home = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port on 127.0.0.1; without it 7350, or any that is free.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Start it in the background, and return when it is ready.")
    ] = False,
    start_empty: Annotated[
        bool,
        typer.Option("--start-empty", help="The database is lost: set it aside and begin without it. What runs is kept."),
    ] = False,
    accept_restored: Annotated[
        bool,
        typer.Option("--accept-restored", help="The database was restored from a backup: go on from there."),
    ] = False,
) -> None:
    """Start the engine and its API here; what it runs goes on when it ends.

    Example: setpoint up --detach
    """
    place = home_of(home)
    if start_empty and accept_restored:
        raise Quit(
            ExitCode.ERROR, "--start-empty and --accept-restored exclude each other.", "Restored is what you have a backup of."
        )
    recovery = "start-empty" if start_empty else "accept-restored" if accept_restored else ""
    if detach:
        detached.start(place, port, recovery)
    else:
        _serve(place, port, recovery)


def _serve(place: Path, port: int | None, recovery: str) -> None:
    import asyncio  # noqa: PLC0415 - only here
    import faulthandler  # noqa: PLC0415 - as above

    from setpoint.engine.errors import EngineError  # noqa: PLC0415 - the engine is only loaded to run it
    from setpoint.server.run import PortTakenError, serve  # noqa: PLC0415 - as above
    from setpoint.store.port import RecoveryDecision, StoreError  # noqa: PLC0415 - as above

    _log_to_standard_error()
    faulthandler.enable()  # a crash in native code leaves its stack in the log
    try:
        asyncio.run(serve(place, port, lambda found: detached.greet(place, found.url), RecoveryDecision(recovery)))
    except (EngineError, PortTakenError, StoreError, OSError) as error:
        raise Quit(ExitCode.ERROR, f"The engine cannot run: {error}.".replace("..", ".")) from error
    echo("The engine has stopped; what it ran goes on running.")


def _log_to_standard_error() -> None:
    """One line an event, no secrets: warnings of every library, information of Setpoint and its HTTP server."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("setpoint").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def down(
    home: Home = None,
    services: Annotated[bool, typer.Option("--services", help="Stop what runs on this machine as well.")] = False,
) -> None:
    """Stop the engine; what it runs goes on running unless --services is given.

    Example: setpoint down --services
    """
    place = home_of(home)
    detached.stop(place)
    if services:
        detached.stop_services(place)
