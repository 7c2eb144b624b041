"""Hearing from the supervisor of a home what changes, whichever supervisor that is; none is started for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from setpoint.runtimes.process import client
from setpoint.runtimes.process.daemon import is_locked
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.records import Request

_GRACE = 2.0
"""Seconds that one supervisor may take to make way for the next before what it kept counts as changed."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def changes(home: Home, runs: asyncio.Event) -> AsyncIterator[str]:
    """Names of instances of which something may have changed, without end; ``runs`` is set by whoever got an answer.

    While no supervisor runs this waits for ``runs``. When one is lost and none follows, all that it told of is told once more.
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
    """A connection on which names come; None when for ``grace`` seconds nobody held the lock, or one is too old to tell."""
    loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
    deadline = loop.time() + grace
    while True:
        try:
            return await _greet(home)
        except (ConnectionError, FileNotFoundError):
            if is_locked(home.lock):
                deadline = loop.time() + grace  # it is about to listen, or to end
            elif loop.time() >= deadline:
                return None
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _greet(home: Home) -> Connection | None:
    reader, writer = await client.connect(home)
    try:
        writer.write(msgspec.json.encode(Request("changes")) + b"\n")
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
