"""Runs a program for a check under a subreaper (``subreaper.py``): it costs the engine little and leaves no process behind.

The engine talks to the subreaper alone: the job goes to its standard input, which then stays open – when the engine dies or the
awaiting task is cancelled, it closes, and the subreaper ends everything. What comes back is bounded whatever the program writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import msgspec

from setpoint.model.time import SECOND, Duration
from setpoint.protections.turns import Turns

SUBREAPER = str(Path(__file__).with_name("subreaper.py"))
ENDING = 6.0
"""Seconds that a subreaper may take, after the timeout, to end what it runs (its grace and patience) and to answer."""

STARTING = 1.0
"""Seconds that a program may take to start before the next one is started beside it."""

_starting = Turns(width=4)
_teardowns: set[asyncio.Task[None]] = set()


class Program(msgspec.Struct, frozen=True):
    """What to run. ``stdin`` is text; an empty ``directory`` is the engine's own; ``env`` is the whole environment, and ``mark``
    that of the process supervising it, by which it can be found.
    """

    command: list[str]
    env: dict[str, str]
    stdin: str = ""
    directory: str = ""
    mark: dict[str, str] = {}


class Ended(msgspec.Struct, frozen=True):
    """How it ended.

    ``ended``: ``code`` is the exit code, or minus the signal's number. ``timeout``: it was ended for taking too long.
    ``not-started``: ``stage``, ``errno`` and ``error`` say why. ``lost``: its subreaper vanished or was stuck.
    """

    how: Literal["ended", "timeout", "not-started", "lost"]
    code: int = 0
    stage: Literal["", "directory", "program", "session", "supervision"] = ""
    errno: int | None = 0
    error: str = ""
    dropped: int = 0
    """Bytes written before those in ``tail``."""
    left: int = 0
    """Descendants that could not be ended."""
    tail: bytes = b""

    @property
    def output(self) -> str:
        """What was captured as text, saying how much came before it."""
        text = self.tail.decode(errors="replace")
        return f"[{self.dropped} bytes before this were dropped]\n{text}" if self.dropped else text


def clean_environment(extra: dict[str, str]) -> dict[str, str]:
    """PATH, HOME, LANG and TZ as the engine has them, and ``extra``: nothing else of the engine's reaches a program."""
    base = {"PATH": os.defpath, "HOME": "/", "LANG": "C.UTF-8"}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if os.environ.get(name)}
    return base | inherited | extra


async def run_program(program: Program, timeout: Duration) -> Ended:  # noqa: ASYNC109 - the subreaper keeps the time: it ends descendants too
    """Run it to its end, for at most ``timeout`` milliseconds. Cancellation ends it and all its descendants."""
    async with AsyncExitStack() as turn:
        await turn.enter_async_context(_starting.one())
        try:
            process = await _start_subreaper(program.mark)
        except OSError as error:
            return Ended("not-started", stage="supervision", errno=error.errno, error=str(error))
        try:
            async with asyncio.timeout(timeout / SECOND + ENDING):
                await _hand_over(process, _job(program, timeout))
                await turn.aclose()
                return await _answer(process)
        except TimeoutError:
            return Ended("lost", error="it did not answer in time")
        finally:
            await _tear_down(process)


async def _start_subreaper(mark: dict[str, str]) -> Process:
    # It reads no environment; -I -S: neither the user's nor site's code slows it down or changes it.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", SUBREAPER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=mark, start_new_session=True
    )


def _job(program: Program, timeout: Duration) -> bytes:
    job = json.dumps(msgspec.structs.asdict(program) | {"timeout": timeout / SECOND}).encode()
    return b"%08x" % len(job) + job


async def _hand_over(process: Process, job: bytes) -> None:
    """Until the program is under way, or takes so long to start that others should have their turn."""
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    with contextlib.suppress(ConnectionError):  # it vanished: the missing answer will say so
        process.stdin.write(job)
        await process.stdin.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STARTING):
            await process.stdout.read(1)


async def _answer(process: Process) -> Ended:
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    report, _, tail = (await process.stdout.read()).removeprefix(b".").partition(b"\n")
    return _decode(report, tail)


def _decode(report: bytes, tail: bytes) -> Ended:
    try:
        fields: dict[str, Any] = json.loads(report)
        return msgspec.structs.replace(msgspec.convert(fields, Ended), tail=tail)
    except (ValueError, msgspec.ValidationError):
        return Ended("lost", error="it was killed")


async def _tear_down(process: Process) -> None:
    """Also when the task is cancelled a second time: the work goes on in a task of its own."""
    task = asyncio.create_task(_end(process))
    _teardowns.add(task)
    task.add_done_callback(_teardowns.discard)
    await asyncio.shield(task)


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(ENDING):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
