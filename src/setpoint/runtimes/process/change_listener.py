"""Hearing from the supervisor of a home what changes, whichever supervisor that is.

Guardian and supervisor start each other again; when both were killed, this end of the connection notices, and starts them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec

from setpoint.durable.locks import is_held
from setpoint.durable.records import OtherFormat
from setpoint.plugins.errors import TransientError
from setpoint.runtimes.process import client
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.records import SupervisorRequest
from setpoint.runtimes.process.supervision.keeping import start_of_this_engine

_GRACE = 2.0
"""Seconds that one supervisor may take to make way for the next before what it kept counts as changed."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

_log = logging.getLogger(__name__)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def changes(home: Home, runs: asyncio.Event) -> AsyncIterator[str]:
    """Names of instances of which something may have changed, without end; callers set ``runs`` when they got a response.

    While no supervisor runs, and none is needed, this waits for ``runs``. When one is lost and none follows, all that it reported
    is reported once more.
    """
    known: set[str] = set()
    while True:
        listening = await _listen(home, _GRACE if known else 0.0)
        if listening is None:
            runs.clear()
            lost, known = known, set()
            for name in sorted(lost):
                yield name
            await runs.wait()
            continue
        reader, writer = listening
        try:
            while name := await _next(reader):
                known.add(name)
                yield name
        finally:
            writer.close()


async def _listen(home: Home, grace: float) -> Connection | None:
    """Return a connection on which names come; None when no supervisor runs or is needed, or it is too old to report.

    One that is needed and cannot be started is reported as missing after ``grace`` seconds, and tried again by the next apply.
    """
    loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
    deadline = loop.time() + grace
    while True:
        try:
            return await _greet(home)
        except (ConnectionError, FileNotFoundError):
            if is_held(home.lock):
                deadline = loop.time() + grace  # it is about to listen, or to end
            elif await _started(home):
                continue
            elif loop.time() >= deadline:
                return None
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _started(home: Home) -> bool:
    """Start a supervisor if one is needed; whether one serves now."""
    try:
        if not await asyncio.to_thread(home.wants_supervision):
            return False
        await client.start(home)
    except (TransientError, OtherFormat) as error:
        _log.warning("%s", error)
        return False
    return True


async def _greet(home: Home) -> Connection | None:
    reader, writer = await client.connect(home)
    try:
        writer.write(msgspec.json.encode(SupervisorRequest("changes", engine=start_of_this_engine(home.base))) + b"\n")
        if not (await client.answer(reader)).error:
            return reader, writer
    except BaseException:
        writer.close()
        raise
    writer.close()
    return None


async def _next(reader: asyncio.StreamReader) -> str:
    """The next name; empty when the supervisor hung up."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return ""
    return msgspec.json.decode(line, type=str) if line.endswith(b"\n") else ""
