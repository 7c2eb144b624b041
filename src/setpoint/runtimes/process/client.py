"""Talking to the supervisor of a home, and starting one where none runs."""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from setpoint.durable.locks import is_held
from setpoint.plugins.errors import TransientError, Unreachable
from setpoint.programs.environment import supervisor_environment
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.records import PROTOCOL, Reply, SupervisorRequest
from setpoint.runtimes.process.supervision.guardian import HELD

_ANSWER = 10.0
_START = 20.0
_POLL = 0.02
_LINE = 64 * 1024 * 1024


class NotRunningError(Exception):
    """No supervisor runs: no process holds the lock of this home."""


async def ask(home: Home, request: SupervisorRequest, *, patience: float | None = None) -> Reply:
    """One request and its answer, within ``patience`` seconds (ten).

    Raises:
        NotRunningError: no supervisor runs. Unreachable: one runs and does not respond.
    """
    try:
        async with asyncio.timeout(_ANSWER if patience is None else patience):
            while True:
                try:
                    return await _exchange(home, request)
                except (ConnectionError, FileNotFoundError):
                    if not is_held(home.lock):
                        raise NotRunningError from None
                    await asyncio.sleep(_POLL)  # it is about to listen, or to end
    except TimeoutError:
        raise Unreachable("the supervisor of local processes does not answer") from None


async def ask_or_start(home: Home, request: SupervisorRequest) -> Reply:
    """As ``ask``, with a supervisor of this protocol started first where there is none.

    Raises:
        TransientError: it cannot be started, or does not answer.
    """
    for _ in range(3):
        try:
            if (await ask(home, SupervisorRequest("ping"))).protocol == PROTOCOL:
                return await ask(home, request)
            await ask(home, SupervisorRequest("handover"))
            await wait_until_ended(home)
        except NotRunningError:
            await start(home)
        except Unreachable as error:
            raise TransientError(str(error)) from error
    raise TransientError("the supervisor of local processes ends as soon as it is started")


async def start(home: Home, *arguments: str) -> None:
    """Start a supervisor; returns when it, or another one, answers.

    Raises:
        TransientError: it did not come up; the text ends with its output.
    """
    await asyncio.to_thread(home.prepare)
    command = (sys.executable, "-P", "-m", "setpoint.runtimes.process.supervisor", str(home.base), *arguments)
    starting = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=supervisor_environment(os.environ),
    )
    try:
        async with asyncio.timeout(_START):
            _, complaint = await starting.communicate()
    except TimeoutError:
        starting.kill()
        await starting.wait()
        raise TransientError("the supervisor of local processes did not start in time") from None
    if starting.returncode not in {0, HELD}:
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise TransientError(f"the supervisor of local processes did not start; see {home.journal} {last}".rstrip())


async def wait_until_ended(home: Home) -> None:
    """Wait until no process holds the lock of this home."""
    while is_held(home.lock):  # noqa: ASYNC110 - another process ends, without an event
        await asyncio.sleep(_POLL)


async def connect(home: Home) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the supervisor. Raises ConnectionError or FileNotFoundError when none listens."""
    with home.socket_path() as path:
        return await asyncio.open_unix_connection(path, limit=_LINE)


async def answer(reader: asyncio.StreamReader) -> Reply:
    """The answer on a connection. Raises ConnectionError when it ends before."""
    line = await reader.readline()
    if not line:
        raise ConnectionResetError("it ended before it answered")
    return msgspec.json.decode(line, type=Reply)


async def _exchange(home: Home, request: SupervisorRequest) -> Reply:
    reader, writer = await connect(home)
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        await writer.drain()
        return await answer(reader)
    finally:
        writer.close()
