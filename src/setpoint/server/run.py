"""`setpoint up`: engine and server in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

import setpoint
from setpoint.engine.errors import EngineStopped
from setpoint.server import location
from setpoint.server.app import create_app
from setpoint.server.assembly import running

log = logging.getLogger("setpoint.server")
HOST = "127.0.0.1"
_GRACE = 5
"""Seconds that open answers have when the server stops."""


class PortTakenError(Exception):
    """Somebody else listens there."""


class _Server(uvicorn.Server):
    """Signals are ours: they must reach the engine too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(home: Path, port: int | None, ready: Callable[[location.Location], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is told where it answers.

    Raises:
        PortTakenError: the port asked for is taken. AlreadyRunning, JournalDamaged: see the engine.
        EngineStopped: the engine broke.
    """
    stopping = asyncio.Event()
    listener = listen(port)
    with _signals(stopping), listener:
        async with running(home) as control:
            server = _Server(uvicorn.Config(create_app(control, stopping), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE))
            place = location.Location(f"http://{HOST}:{listener.getsockname()[1]}", os.getpid(), setpoint.__version__)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            broken = asyncio.create_task(_broken(control.engine.health))
            try:
                while not server.started and not serving.done():
                    await asyncio.sleep(0.005)
                location.write(home, place)
                ready(place)
                await asyncio.wait({asyncio.create_task(stopping.wait()), serving, broken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                location.forget(home)
                stopping.set()
                server.should_exit = True
                await serving
            if broken.done():
                raise EngineStopped(broken.result())
            broken.cancel()


def listen(port: int | None) -> socket.socket:
    """A listening socket on loopback: the port asked for, else the usual one, else any.

    Raises:
        PortTakenError: the port asked for is taken.
    """
    for candidate in (port,) if port is not None else (location.DEFAULT_PORT, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            continue
        return listener
    raise PortTakenError(f"port {port} of {HOST} cannot be had: choose another with --port, or leave it out")


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _broken(health: Callable[[], object]) -> str:
    """Ends when the engine ended by itself, saying why."""
    while True:
        await asyncio.sleep(0.5)
        status = health()
        if getattr(status, "status", "") == "stopped":
            return str(getattr(status, "reason", ""))
