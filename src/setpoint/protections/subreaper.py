"""Runs one program for a check, and leaves nothing of it behind. A script that ``runner.py`` executes.

Standard input: eight hexadecimal digits (a length), then the job as JSON; then it stays open for as long as somebody waits for
the answer – its end means that nobody does any more, and everything is ended. Standard output: a dot once the program is under
way, at the end one JSON line saying how it ended, then the last bytes it wrote. The program's descendants become children of
this process when their own parents die (PR_SET_CHILD_SUBREAPER, prctl(2)), so none can leave by a double fork or a session of
its own.
"""
# It starts once per check run: no import that it can do without, hence neither pathlib nor contextlib.
# ruff: noqa: PTH123, PTH208, SIM105, S606

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CAPTURED = 64 * 1024
"""Bytes of output kept: the last ones, for the reason stands in the last line."""
PIPE_SIZE = 1024 * 1024
READ_SIZE = 256 * 1024
GRACE = 1.0
"""Seconds from SIGTERM to SIGKILL."""
PATIENCE = 3.0
"""Seconds that killed processes get to vanish before they are reported as left (uninterruptible sleep, another user's)."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
FIONREAD = 0x541B


class Supervision:
    """One program under way: its output, its children, and whether anybody still waits for it."""

    def __init__(self, pid: int, output: int, wakeups: int) -> None:
        self.pid, self.output, self.wakeups = pid, output, wakeups
        self.status: int | None = None
        self.abandoned = False
        self.tail = b""
        self.written = 0
        self.poller = select.poll()
        for descriptor in (0, output, wakeups):
            self.poller.register(descriptor, select.POLLIN)

    def step(self, seconds: float) -> None:
        """Wait up to ``seconds`` for something to happen, and take note of it."""
        for descriptor, _ in self.poller.poll(max(0, int(seconds * 1000)) + 1):
            if descriptor == self.output:
                self.read(READ_SIZE)
            elif descriptor == self.wakeups:
                signals = os.read(self.wakeups, 512)
                self.abandoned |= any(number != signal.SIGCHLD for number in signals)
            elif not os.read(0, 512):
                self.abandoned = True
                self.poller.unregister(0)
        self.reap()

    def read(self, size: int) -> None:
        """Take in up to ``size`` bytes of output; forget what does not fit any more."""
        data = os.read(self.output, size)
        if data:
            self.written += len(data)
            self.tail = data[-CAPTURED:] if len(data) >= CAPTURED else (self.tail + data)[-CAPTURED:]
        else:
            self.stop_reading()

    def read_rest(self) -> None:
        """What the program had written when it ended, and nothing that a descendant writes from then on."""
        if self.output < 0:
            return
        waiting = int.from_bytes(fcntl.ioctl(self.output, FIONREAD, bytes(4)), sys.byteorder)
        if waiting:
            self.read(waiting)
        self.stop_reading()

    def stop_reading(self) -> None:
        """Let go of the output: who still writes gets SIGPIPE."""
        if self.output >= 0:
            self.poller.unregister(self.output)
            os.close(self.output)
            self.output = -1

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

    def end_all(self) -> int:
        """SIGTERM, a grace, SIGKILL, until nothing is left. How many could not be ended."""
        told: set[int] = set()
        killing_from = time.monotonic() + GRACE
        until = killing_from + PATIENCE
        while self.reap() and (now := time.monotonic()) < until:
            for pid in descendants(os.getpid()):
                if now >= killing_from:
                    send(pid, signal.SIGKILL)
                elif pid not in told:
                    told.add(pid)
                    send(pid, signal.SIGTERM)
                    send(pid, signal.SIGCONT)
            self.step(0.01)
        return len(descendants(os.getpid()))


def descendants(ancestor: int) -> list[int]:
    """Living processes below ``ancestor``, read from /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(parent_of(name), []).append(int(name))
    found, heads = [], [ancestor]
    while heads:
        below = children.get(heads.pop(), [])
        found += below
        heads += below
    return found


def parent_of(pid: str) -> int:
    """0 for a process that has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state == b"Z" else int(parent)


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone already, or another user's: counted as left


def prctl(option: int, argument: int) -> None:
    """Set a property of this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def start(job: dict[str, Any]) -> tuple[int, int, dict[str, Any] | None]:
    """The program's pid, the end of its output to read from, and what went wrong if it could not be started."""
    output, output_end = os.pipe()
    failure, failure_end = os.pipe()
    try:
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # the user's share of pipe memory is used up: the default size does as well
    facts = os.memfd_create("facts")
    os.write(facts, job["stdin"].encode())
    os.lseek(facts, 0, os.SEEK_SET)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        become(job, parent, facts, output_end, failure_end)
    os.close(output_end)
    os.close(failure_end)
    os.close(facts)
    with open(failure, "rb") as file:
        wrong = file.read()
    return pid, output, json.loads(wrong) if wrong else None


def become(job: dict[str, Any], parent: int, facts: int, output: int, failure: int) -> None:
    """Turn this forked process into the program; never returns."""
    stage = "session"
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(127)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for source, target in ((facts, 0), (output, 1), (output, 2)):
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


def run(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """How the program ended, and the last of what it wrote."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeups, wakeups_end = os.pipe()
    os.set_blocking(wakeups_end, False)
    signal.set_wakeup_fd(wakeups_end, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    pid, output, wrong = start(job)
    os.write(1, b".")
    if wrong:
        return {"how": "not-started", **wrong}, b""
    supervision = Supervision(pid, output, wakeups)
    how = watch(supervision, job["timeout"])
    left = supervision.end_all()
    code = os.waitstatus_to_exitcode(supervision.status) if supervision.status is not None else 0
    dropped = supervision.written - len(supervision.tail)
    return {"how": how, "code": code, "dropped": dropped, "left": left}, supervision.tail


def watch(supervision: Supervision, timeout: float) -> str:
    """Follow the program until it ends, its time is up (seconds), or nobody waits any more; which of them."""
    deadline = time.monotonic() + timeout
    while supervision.status is None:
        left = deadline - time.monotonic()
        if supervision.abandoned or left <= 0:
            return "abandoned" if supervision.abandoned else "timeout"
        supervision.step(left)
    supervision.read_rest()
    return "ended"


def read_exactly(size: int) -> bytes:
    """Empty when standard input ends before that: whoever asked is gone."""
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            return b""
        data += piece
    return data


def main() -> None:
    """Read the job, run it, answer."""
    size = read_exactly(8)
    job = read_exactly(int(size, 16)) if size else b""
    if not job:
        return
    try:
        report, tail = run(json.loads(job))
    except OSError as error:
        report, tail = {"how": "not-started", "stage": "supervision", "errno": error.errno, "error": str(error)}, b""
    if report["how"] == "abandoned":
        return
    answer = memoryview(json.dumps(report).encode() + b"\n" + tail)
    while answer:
        answer = answer[os.write(1, answer) :]


if __name__ == "__main__":
    main()
