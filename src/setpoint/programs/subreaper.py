"""Runs one program and ends what it leaves behind: the process that ``runner`` starts for each program.

Standard input: eight hexadecimal digits (a length), then the job as JSON; then it stays open for as long as the result is
wanted – when it ends, everything is ended. Standard output: a dot once the program is under way, at the end one JSON line with
how it ended, then the last bytes of each of its outputs. The program's descendants become children of this process when their
own parents end (PR_SET_CHILD_SUBREAPER, prctl(2)), so none can escape by a double fork or a session of its own.
"""
# It starts once per program: no import that it can do without, hence neither pathlib nor contextlib.
# ruff: noqa: SIM105, S606

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time

from setpoint.programs.kernel import PR_SET_PDEATHSIG, become_subreaper, living_descendants, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PIPE_SIZE = 1024 * 1024
READ_SIZE = 256 * 1024
GRACE = 1.0
"""Seconds from SIGTERM to SIGKILL."""
PATIENCE = 3.0
"""Seconds that killed processes get to vanish before they are reported as left (uninterruptible sleep, another user's)."""
FIONREAD = 0x541B


class OutputTail:
    """The reading end of a pipe, and the last ``keep`` bytes that came through it: the reason stands in the last line."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.kept = bytearray()
        self.written = 0
        self.reading, self.writing = os.pipe()
        try:
            fcntl.fcntl(self.reading, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # the user's share of pipe memory is used up: the default size does as well

    @property
    def tail(self) -> bytes:
        """What is kept of it."""
        return bytes(self.kept[-self.keep :])

    def read(self, size: int) -> bool:
        """Take in up to ``size`` bytes; False at the end."""
        data = os.read(self.reading, size)
        self.written += len(data)
        self.kept += data
        if len(self.kept) > 2 * self.keep:
            del self.kept[: -self.keep]
        return bool(data)

    def read_rest(self) -> None:
        """Take in what the program had written when it ended, and nothing that a descendant writes from then on."""
        waiting = int.from_bytes(fcntl.ioctl(self.reading, FIONREAD, bytes(4)), sys.byteorder)
        if waiting:
            self.read(waiting)


class Supervision:
    """One program under way: its outputs, its descendants, and whether its result is still wanted."""

    def __init__(self, pid: int, outputs: list[OutputTail], wakeups: int, *, daemons: bool) -> None:
        self.pid, self.wakeups, self.daemons = pid, wakeups, daemons
        self.outputs = {output.reading: output for output in outputs}
        self.status: int | None = None
        self.abandoned = False
        self.poller = select.poll()
        for descriptor in (0, wakeups, *self.outputs):
            self.poller.register(descriptor, select.POLLIN)

    def step(self, seconds: float) -> None:
        """Wait up to ``seconds`` for something to happen, and take note of it."""
        for descriptor, _ in self.poller.poll(max(0, int(seconds * 1000)) + 1):
            if descriptor in self.outputs:
                if not self.outputs[descriptor].read(READ_SIZE):
                    self.stop_reading(descriptor)
            elif descriptor == self.wakeups:
                signals = os.read(self.wakeups, 512)
                self.abandoned |= any(number != signal.SIGCHLD for number in signals)
            elif not os.read(0, 512):
                self.abandoned = True
                self.poller.unregister(0)
        self.reap()

    def read_rest(self) -> None:
        """Take in what is there of all outputs, and close them."""
        for descriptor, output in list(self.outputs.items()):
            output.read_rest()
            self.stop_reading(descriptor)

    def stop_reading(self, descriptor: int) -> None:
        """Close an output: a process that still writes to it gets SIGPIPE."""
        del self.outputs[descriptor]
        self.poller.unregister(descriptor)
        os.close(descriptor)

    def reap(self) -> bool:
        """Collect children that ended; False when none is left – then no descendant is, for orphans become our children."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.pid:
                    self.status = status
        except ChildProcessError:
            return False

    def remains(self) -> list[int]:
        """Living processes that must not outlive the program: its descendants; where daemons may stay, those of its session."""
        found = living_descendants(os.getpid())
        return [pid for pid, session in found.items() if not self.daemons or session == self.pid]

    def end_all(self) -> int:
        """Send SIGTERM, after a grace SIGKILL, until nothing remains. Return how many could not be ended."""
        terminated: set[int] = set()
        killing_from = time.monotonic() + GRACE
        until = killing_from + PATIENCE
        while self.reap():
            found, now = self.remains(), time.monotonic()
            if now >= until or (self.daemons and not found):
                return len(found)
            for pid in found:
                if now >= killing_from:
                    send(pid, signal.SIGKILL)
                elif pid not in terminated:
                    terminated.add(pid)
                    send(pid, signal.SIGTERM)
                    send(pid, signal.SIGCONT)
            self.step(0.01)
        return 0


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone already, or another user's: counted as left


def start(job: dict[str, Any], outputs: list[OutputTail]) -> tuple[int, dict[str, Any] | None]:
    """Return the program's pid, and what went wrong if it could not be started."""
    failure, failure_end = os.pipe()
    data = os.memfd_create("stdin")
    content = memoryview(job["stdin"].encode())
    while content:
        content = content[os.write(data, content) :]
    os.lseek(data, 0, os.SEEK_SET)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        become(job, parent, (data, outputs[0].writing, outputs[-1].writing), failure_end)
    for descriptor in (data, failure_end, *(output.writing for output in outputs)):
        os.close(descriptor)
    with os.fdopen(failure, "rb") as file:
        wrong = file.read()
    return pid, json.loads(wrong) if wrong else None


def become(job: dict[str, Any], parent: int, files: tuple[int, int, int], failure: int) -> None:
    """Turn this forked process into the program; never returns."""
    stage = "session"
    try:
        os.setsid()
        os.umask(job["umask"])
        if job["account"]:
            stage = "user"
            switch(job["account"])
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # not before: a change of the user clears it
        if os.getppid() != parent:
            os._exit(127)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for target, source in enumerate(files):
            os.dup2(source, target)
        stage = "directory"
        if job["directory"]:
            os.chdir(job["directory"])
        stage = "program"
        os.execvpe(job["command"][0], job["command"], job["env"])
    except (OSError, ValueError) as error:
        code = error.errno if isinstance(error, OSError) else 0
        os.write(failure, json.dumps({"stage": stage, "errno": code, "error": str(error)}).encode())
    finally:
        os._exit(127)


def switch(account: dict[str, Any]) -> None:
    """Become another Unix user for good; root loses all capabilities by it. Raises OSError."""
    os.setgroups(account["groups"])
    os.setresgid(*[account["gid"]] * 3)
    os.setresuid(*[account["uid"]] * 3)


def run(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return how the program ended, and the last of what it wrote."""
    become_subreaper()
    wakeups, wakeups_end = os.pipe()
    os.set_blocking(wakeups_end, False)
    signal.set_wakeup_fd(wakeups_end, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    outputs = [OutputTail(job["keep"]) for _ in range(2 if job["separate"] else 1)]
    pid, wrong = start(job, outputs)
    os.write(1, b".")
    if wrong:
        return {"how": "not-started", **wrong}, b""
    supervision = Supervision(pid, outputs, wakeups, daemons=job["daemons"])
    how = watch(supervision, job["timeout"])
    left = 0 if how == "ended" and job["daemons"] else supervision.end_all()
    code = os.waitstatus_to_exitcode(supervision.status) if supervision.status is not None else 0
    tails = [output.tail for output in outputs]
    dropped = outputs[0].written - len(tails[0])
    return {"how": how, "code": code, "dropped": dropped, "left": left, "split": len(tails[0])}, b"".join(tails)


def watch(supervision: Supervision, timeout: float) -> str:
    """Follow the program until it ends, its time is up (seconds), or its result is not wanted any more; which of them."""
    deadline = time.monotonic() + timeout
    while supervision.status is None:
        left = deadline - time.monotonic()
        if supervision.abandoned or left <= 0:
            return "abandoned" if supervision.abandoned else "timeout"
        supervision.step(left)
    supervision.read_rest()
    return "ended"


def read_exactly(size: int) -> bytes:
    """Return as many bytes of standard input; empty when it ends before that: the engine is gone."""
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            return b""
        data += piece
    return data


def main() -> None:
    """Read the job, run it, report."""
    size = read_exactly(8)
    job = read_exactly(int(size, 16)) if size else b""
    if not job:
        return
    try:
        report, tails = run(json.loads(job))
    except OSError as error:
        report, tails = {"how": "not-started", "stage": "supervision", "errno": error.errno, "error": str(error)}, b""
    if report["how"] == "abandoned":
        return
    rest = memoryview(json.dumps(report).encode() + b"\n" + tails)
    while rest:
        rest = rest[os.write(1, rest) :]
