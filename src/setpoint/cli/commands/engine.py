"""up, down: start and stop the engine on this machine."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from setpoint.cli import detached
from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import home_option
from setpoint.cli.output import echo
from setpoint.cli.session import home_of
from setpoint.durable.bounded_logs import limit_repeats


@click.command()
@home_option
@click.option(
    "--port", type=click.IntRange(min=1, max=65535), help="Port on 127.0.0.1. Default: 7350, or a free port if it is taken."
)
@click.option("--detach", "-d", is_flag=True, help="Start in the background, and return when the engine is ready.")
@click.option("--start-empty", is_flag=True, help="The database is lost: set it aside and start without it. What runs is kept.")
@click.option("--accept-restored", is_flag=True, help="The database was restored from a backup: continue from it.")
def up(home: Path | None, port: int | None, detach: bool, start_empty: bool, accept_restored: bool) -> None:
    """Start the engine and its API on this machine. Services keep running when it stops.

    Example: setpoint up --detach
    """
    place = home_of(home)
    if start_empty and accept_restored:
        raise Quit(
            ExitCode.ERROR,
            "--start-empty and --accept-restored exclude each other.",
            "Use --accept-restored if you restored a backup.",
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
    from setpoint.programs.kernel import close_process  # noqa: PLC0415 - as above
    from setpoint.server.run import PortTakenError, serve  # noqa: PLC0415 - as above
    from setpoint.store.port import RecoveryDecision, StoreError  # noqa: PLC0415 - as above

    close_process()
    _log_to_standard_error()
    faulthandler.enable()  # a crash in native code leaves its stack in the log
    try:
        asyncio.run(serve(place, port, lambda found: detached.greet(place, found.url), RecoveryDecision(recovery)))
    except (EngineError, PortTakenError, StoreError, OSError) as error:
        raise Quit(ExitCode.ERROR, f"The engine cannot run: {error}.".replace("..", ".")) from error
    echo("The engine has stopped. Services keep running.")


def _log_to_standard_error() -> None:
    """Log warnings of every library, and information of Setpoint and its HTTP server."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("setpoint").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    limit_repeats()


@click.command()
@home_option
@click.option("--services", is_flag=True, help="Stop the services on this machine, too.")
def down(home: Path | None, services: bool) -> None:
    """Stop the engine. Services keep running unless you add --services.

    Example: setpoint down --services
    """
    place = home_of(home)
    detached.stop(place)
    if services:
        detached.stop_services(place)
