"""`setpoint up`: engine and server in one process, until a signal stops them."""

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
from fastapi import FastAPI

import setpoint
from setpoint.control.control import Control
from setpoint.durable.bounded_logs import rotate
from setpoint.engine.errors import AlreadyRunning, EngineStopped
from setpoint.runtimes.process.supervision.keeping import AGAIN, RestartMark
from setpoint.server import location
from setpoint.server.app import create_app
from setpoint.server.assembly import running
from setpoint.server.connections import BoundedProtocol, raise_descriptor_limit
from setpoint.store.port import RecoveryDecision

log = logging.getLogger("setpoint.server")
HOST = "127.0.0.1"
_GRACE = 5
"""Seconds that open answers have when the server stops."""


_LOOK = 0.5
"""Seconds between two looks at whether the engine still serves."""
_LOG_EVERY = 1.0
"""Seconds between two looks at how long the engine's log is."""
Ready = Callable[[location.Location], None]


class PortTakenError(Exception):
    """Another process listens there."""


class _Server(uvicorn.Server):
    """Signals are ours: they must reach the engine too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(home: Path, port: int | None, ready: Ready, recovery: RecoveryDecision = RecoveryDecision.NONE) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called with its address.

    Raises:
        PortTakenError: the requested port is taken. AlreadyRunning, StoreDamaged, StoreLost: see the engine.
        EngineStopped: the engine broke.
    """
    raise_descriptor_limit()
    stopping = asyncio.Event()
    mark, start = RestartMark(home), os.environ.get(AGAIN, "")
    listener = listen(port, mark.port if start == "again" else 0)
    try:
        with _signals(stopping, mark), listener:
            async with running(home, recovery=recovery) as control:
                if start == "again" and not mark.set:
                    return  # it was stopped while it was being started again
                _mark(mark, listener.getsockname()[1] if start else 0)
                await _answer(control, listener, stopping, ready)
    except AlreadyRunning:
        raise  # the mark is that of the other one
    except BaseException:
        mark.remove()
        raise
    mark.remove()


def _mark(mark: RestartMark, port: int) -> None:
    """An engine in the background (``port``: of its API) is started again when it is killed, one in the foreground (0) is not."""
    if port:
        mark.leave(port)
    else:
        mark.remove()


async def _answer(control: Control, listener: socket.socket, stopping: asyncio.Event, ready: Ready) -> None:
    place = location.Location(f"http://{HOST}:{listener.getsockname()[1]}", os.getpid(), setpoint.__version__)
    server = _Server(_settings(create_app(control, stopping)))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    broken = asyncio.create_task(_broken(control))
    bounding = asyncio.create_task(_bound_log(control.services.home / location.LOG_FILE)) if AGAIN in os.environ else None
    try:
        location.write(control.services.home, place)
        ready(place)
        signalled = asyncio.create_task(stopping.wait())
        await asyncio.wait({signalled, serving, broken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        location.forget(control.services.home)
        stopping.set()
        server.should_exit = True
        await serving
        broken.cancel()
        if bounding is not None:
            bounding.cancel()
    if broken.done() and not broken.cancelled():
        raise EngineStopped(broken.result())


def _settings(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        backlog=BoundedProtocol.burst,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE,
    )


def listen(port: int | None, former: int = 0) -> socket.socket:
    """A listening socket on loopback: the requested port, else that of the ``former`` engine, else the usual one, else any.

    Raises:
        PortTakenError: the requested port is taken.
    """
    for candidate in (port,) if port is not None else (*([former] if former else []), location.DEFAULT_PORT, 0):
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
def _signals(stopping: asyncio.Event, mark: RestartMark) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        mark.remove()  # from here on a kill is part of being stopped
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _bound_log(path: Path) -> None:
    """Keep the log of an engine in the background short. What one in the foreground writes belongs to its starter."""
    while True:
        try:
            await asyncio.to_thread(rotate, path)
        except OSError as error:
            log.warning("%s could not be cut: %s", path, error)
        await asyncio.sleep(_LOG_EVERY)


async def _broken(control: Control) -> str:
    """Return the cause when the engine ended unexpectedly."""
    while (health := control.services.engine.health()).status != "stopped":  # noqa: ASYNC110 - an engine that broke sets no event
        await asyncio.sleep(_LOOK)
    return health.reason
