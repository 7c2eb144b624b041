"""Runs a program under a subreaper (``subreaper.py``): it costs the engine little and leaves no process behind.

The engine talks to the subreaper alone: the job goes to its standard input, which then stays open – when the engine dies or the
awaiting task is cancelled, it closes, and the subreaper ends everything. What comes back is bounded whatever the program writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import msgspec

from setpoint.model.time import SECOND, Duration
from setpoint.programs.text import last_line
from setpoint.programs.throttle import Throttle
from setpoint.programs.users import UMASK, Account

_PACKAGE = str(Path(__file__).parents[2])
SUBREAPER = f"import sys; sys.path.append({_PACKAGE!r}); from setpoint.programs.subreaper import main; main()"
"""Imported rather than run as a script, which Python would compile at each start."""
ENDING = 6.0
"""Seconds that a subreaper may take, after the timeout, to end what it runs (its grace and patience) and to report."""
STARTING = 1.0
"""Seconds that a program may take to start before the next one is started beside it."""
_PERMANENT = {
    0,
    errno.E2BIG,
    errno.EACCES,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOEXEC,
    errno.ENOTDIR,
}
"""Errors at starting that stay until the author changes something; others (no memory, too many processes) may pass."""

_starting = Throttle(width=4)
_teardowns: set[asyncio.Task[None]] = set()


class Program(msgspec.Struct, frozen=True):
    """What to run. ``stdin`` is text; an empty ``directory`` is the engine's own; ``env`` is the whole environment."""

    command: list[str]
    env: dict[str, str]
    stdin: str = ""
    directory: str = ""
    mark: dict[str, str] = {}
    """The environment of the process supervising it, by which that can be found."""
    account: Account | None = None
    """The Unix user that it runs as; None: the engine's."""
    keep: int = 64 * 1024
    """Bytes kept of each output: the last ones."""
    separate: bool = False
    """Keep standard error apart from standard output, for a program whose output is data; else both are one, in order."""
    daemons: bool = False
    """Let what it started go on after it ends: a deployment may leave processes running. Otherwise they are ended with it.
    When its time is up, or its result is not wanted any more, its session is ended, and what left that goes on.
    """


class ProgramResult(msgspec.Struct, frozen=True):
    """How a program ended.

    ``ended``: ``code`` is the exit code, or minus the signal's number. ``timeout``: it was ended for taking too long.
    ``not-started``: ``stage``, ``errno`` and ``error`` contain the cause. ``lost``: its subreaper vanished or was stuck.
    """

    how: Literal["ended", "timeout", "not-started", "lost"]
    code: int = 0
    stage: Literal["", "directory", "program", "session", "supervision", "user"] = ""
    errno: int | None = 0
    error: str = ""
    dropped: int = 0
    """Bytes of standard output written before those in ``stdout``."""
    left: int = 0
    """Processes that could not be ended."""
    stdout: bytes = b""
    """The last of standard output, and of standard error where that is not separate."""
    stderr: bytes = b""

    @property
    def output(self) -> str:
        """Standard output as text, with a note of how much came before it."""
        text = self.stdout.decode(errors="replace")
        return f"[{self.dropped} bytes before this were dropped]\n{text}" if self.dropped else text

    @property
    def last_line(self) -> str:
        """The last line written to standard error, else to standard output: the reason shown to people."""
        return last_line(self.stderr.decode(errors="replace")) or last_line(self.stdout.decode(errors="replace"))

    @property
    def permanent(self) -> bool:
        """Whether it could not be started, and cannot be until its author changes something."""
        return self.how == "not-started" and self.stage in {"directory", "program"} and (self.errno or 0) in _PERMANENT

    @property
    def start_error(self) -> str:
        """Why it could not be started, such as ``No such file or directory``."""
        return os.strerror(self.errno) if self.errno else self.error


class _Report(ProgramResult, frozen=True):
    """As the subreaper reports it: the outputs follow, the first one ``split`` bytes long."""

    split: int = 0


async def run_program(program: Program, timeout: Duration) -> ProgramResult:  # noqa: ASYNC109 - the subreaper keeps the time: it ends descendants too
    """Run it to its end, for at most ``timeout`` milliseconds. Cancellation ends it as the timeout does."""
    async with AsyncExitStack() as starting:
        await starting.enter_async_context(_starting.slot())
        try:
            process = await _start_subreaper(program.mark)
        except OSError as error:
            return ProgramResult("not-started", stage="supervision", errno=error.errno, error=str(error))
        try:
            async with asyncio.timeout(timeout / SECOND + ENDING):
                await _hand_over(process, _job(program, timeout))
                await starting.aclose()
                return await _report(process)
        except TimeoutError:
            return ProgramResult("lost", error="it did not answer in time")
        finally:
            await _tear_down(process)


async def _start_subreaper(mark: dict[str, str]) -> Process:
    # It reads no environment; -I -S: neither the user's nor site's code slows it down or changes it.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", SUBREAPER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=mark, start_new_session=True
    )


def _job(program: Program, timeout: Duration) -> bytes:
    fields = {"timeout": timeout / SECOND, "account": program.account._asdict() if program.account else None, "umask": UMASK}
    job = json.dumps(msgspec.structs.asdict(program) | fields).encode()
    return b"%08x" % len(job) + job


async def _hand_over(process: Process, job: bytes) -> None:
    """Until the program is under way, or takes so long to start that the next one should be started."""
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    with contextlib.suppress(ConnectionError):  # it vanished: the missing report is noticed next
        process.stdin.write(job)
        await process.stdin.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STARTING):
            await process.stdout.read(1)


async def _report(process: Process) -> ProgramResult:
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    report, _, tails = (await process.stdout.read()).removeprefix(b".").partition(b"\n")
    return _decode(report, tails)


def _decode(report: bytes, tails: bytes) -> ProgramResult:
    try:
        found = msgspec.json.decode(report, type=_Report)
    except msgspec.MsgspecError:
        return ProgramResult("lost", error="it was killed")
    return msgspec.structs.replace(found, stdout=tails[: found.split], stderr=tails[found.split :])


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
