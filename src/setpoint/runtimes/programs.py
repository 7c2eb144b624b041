"""Runs one program of the custom runtime, bounded in time and in what is kept of its output.

Reading ends when the program ends, not when its output is closed: a daemon that it leaves behind may hold that open for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

_BLOCK = 65_536


class Ended(NamedTuple):
    """How a program ended. ``code`` is negative for a signal and None when it was killed for taking too long."""

    code: int | None
    output: bytes
    """Standard output, its last ``cap`` bytes."""
    complaint: bytes
    """Standard error, its last ``cap`` bytes."""

    @property
    def last_line(self) -> str:
        """The last line written to standard error, else to standard output: the reason shown to people."""
        said = (self.complaint.strip() or self.output.strip()).rpartition(b"\n")[2]
        return said.decode("utf-8", "replace").strip()[:500]


class _Capture:
    """Keeps the end of what comes through a pipe."""

    def __init__(self, cap: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._cap = cap
        self._kept = bytearray()
        self._loop.add_reader(self._reading, self._read)

    def _read(self) -> bool:
        """Take what is there; False at the end, or when there is nothing more for now."""
        try:
            block = os.read(self._reading, _BLOCK)
        except BlockingIOError:
            return False
        if not block:
            self._loop.remove_reader(self._reading)
            return False
        self._kept += block
        if len(self._kept) > 2 * self._cap:
            del self._kept[: -self._cap]
        return True

    def finish(self) -> bytes:
        """Take the rest and close."""
        budget = self._cap
        while budget > 0 and self._read():  # a daemon that goes on writing must not keep us here
            budget -= _BLOCK
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        return bytes(self._kept[-self._cap :])


async def run(
    command: list[str], *, directory: str, env: Mapping[str, str], stdin: bytes, seconds: float, cap: int = 1_048_576
) -> Ended:
    """Run a program in a session of its own; after ``seconds``, or when cancelled, its whole process group is killed.

    Raises:
        OSError: it cannot be started.
    """
    output, complaint = _Capture(cap), _Capture(cap)
    try:
        process = _start(command, directory, env, output.writing, complaint.writing)
    except (OSError, ValueError) as error:
        output.finish()
        complaint.finish()
        if isinstance(error, OSError):
            raise
        raise OSError(str(error)) from error
    finally:
        os.close(output.writing)
        os.close(complaint.writing)
    feeding = asyncio.create_task(_feed(process, stdin))
    try:
        in_time = await _ended_within(process, seconds)
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        code = _end(process)
        captured = output.finish(), complaint.finish()
    return Ended(code if in_time else None, *captured)


def _start(command: list[str], directory: str, env: Mapping[str, str], output: int, complaint: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command,
        cwd=directory or None,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=complaint,
        start_new_session=True,
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


async def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write standard input as the program reads it; one that does not want it may leave it."""
    pipe = process.stdin
    if pipe is None:
        return
    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    descriptor = pipe.fileno()
    loop.add_writer(descriptor, writable.set)
    try:
        while data:
            await writable.wait()
            writable.clear()
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        return
    finally:
        loop.remove_writer(descriptor)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


async def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    handle, ended = os.pidfd_open(process.pid), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return True


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kill what still runs of its group – before it is reaped nobody else can have its number – and reap it."""
    if not _has_ended(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return process.wait()


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
