"""The engine's side: gives jobs to compiling processes, so many at a time, and waits for their reports in threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from setpoint.compilation.jobs import Job, JobLimits, Report, read_report, write
from setpoint.compilation.template import OUT_OF_MEMORY
from setpoint.programs.environment import deployment_environment

TOGETHER = 2
"""Jobs that run at a time."""
WAITING = 8
"""Jobs that wait for their turn; one more is refused."""
LIMITS = JobLimits()
_END = 5.0
"""Seconds that the template has for its end."""
_LOST = ""
"""Instead of an exit status: the template ended before the job did."""


class TooExpensiveError(Exception):
    """The configuration takes more than a job may; the text is the limit, such as ``30 s of CPU time``."""


class BusyError(Exception):
    """So many jobs wait that this one is not taken."""


class CompilerBrokenError(Exception):
    """A compiling process ended without a report, and not by a limit."""


class Compilers:
    """Compiling processes of one engine. ``start`` it before it is needed: the first job then finds it ready."""

    def __init__(self, limits: JobLimits = LIMITS, *, together: int = TOGETHER, waiting: int = WAITING) -> None:
        self._limits = limits
        self._most = together + waiting
        self._jobs = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(together, "compilers")
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the template, unless it runs. It becomes ready in the background."""
        with self._lock:
            self._ensure()

    async def report_on(self, job: Job) -> Report:
        """Compile a configuration.

        Raises:
            TooExpensiveError, BusyError, CompilerBrokenError.
        """
        with self._lock:
            if self._jobs >= self._most:
                raise BusyError
            self._jobs += 1
        running = self._threads.submit(self._run, job)
        running.add_done_callback(self._count_down)
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """End every job and the template."""
        with self._lock:
            self._drop()
        self._threads.shutdown(cancel_futures=True)

    def _count_down(self, _: Future[Report]) -> None:
        with self._lock:
            self._jobs -= 1

    def _run(self, job: Job) -> Report:
        with _memory("job") as given, _memory("report") as made:
            write(given, job)
            status = self._status(given, made)
            if status != "0":
                self._complain(status)
            try:
                return read_report(made)
            except msgspec.DecodeError as error:
                raise CompilerBrokenError(f"its report cannot be read: {error}") from error

    def _status(self, given: int, made: int) -> str:
        """Run it, and wait until it ended. A template that ended since the last job is started again."""
        reading, writing = os.pipe()
        try:
            try:
                self._send([given, made, writing])
            finally:
                os.close(writing)
            return os.read(reading, 16).decode()
        finally:
            os.close(reading)

    def _send(self, descriptors: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._ensure(), [b"j"], descriptors)
            except ConnectionError:
                self._drop()
                socket.send_fds(self._ensure(), [b"j"], descriptors)

    def _complain(self, status: str) -> None:
        """Raises TooExpensiveError or CompilerBrokenError."""
        limits = self._limits
        reached = {
            str(-signal.SIGXCPU): f"{limits.cpu} s of CPU time",
            str(-signal.SIGALRM): f"{limits.deadline:g} s",
            str(-signal.SIGABRT): f"{limits.memory >> 20} MiB of memory",
            str(-signal.SIGKILL): f"{limits.memory >> 20} MiB of memory",
            str(OUT_OF_MEMORY): f"{limits.memory >> 20} MiB of memory",
        }
        if status in reached:
            raise TooExpensiveError(reached[status])
        raise CompilerBrokenError("it ended before its job" if status == _LOST else f"its job ended with status {status}")

    def _ensure(self) -> socket.socket:
        """Call it with the lock held."""
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._template = subprocess.Popen(
                    (sys.executable, "-P", "-m", "setpoint.compilation.template", msgspec.json.encode(self._limits).decode()),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    env=_environment(),
                )
            self._control = ours
        return self._control

    def _drop(self) -> None:
        """Call it with the lock held."""
        if self._control is None or self._template is None:
            return
        self._control.close()
        try:
            self._template.wait(_END)
        except subprocess.TimeoutExpired:
            self._template.kill()
            self._template.wait()
        self._control = self._template = None


@contextlib.contextmanager
def _memory(name: str) -> Iterator[int]:
    """A file in memory."""
    descriptor = os.memfd_create(f"setpoint-{name}")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    """What finds Python's modules, and nothing secret."""
    modules = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return deployment_environment(os.environ) | modules
