"""Becoming a process of its own: a lock for each home, a session of its own, none of the starter's files and secrets."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from setpoint.durable import files
from setpoint.runtimes.process.procfs import become_subreaper

HELD = 3
"""Exit status: another supervisor holds this home."""
FAILED = 1
STEADY = 60.0
"""Seconds after which a supervisor's end is no longer part of a series."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 30.0
"""Seconds before a killed supervisor is started again, doubled with each end in a series."""
_JOURNAL = 1_048_576


def hold_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until this process ends; None when somebody else holds it."""
    descriptor = files.open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    files.rewrite(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a supervisor lives, asked without getting in the way of one that starts."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def detach(journal: Path, lock: Path, work: Callable[[Callable[[], None]], int]) -> int:
    """Run ``work`` in a background process, below a guardian that starts it again when it is killed.

    ``work`` gets a function to call when it is ready. Both hold the lock, so that nobody who asks while a killed one is being
    started again takes it that there is none. Returns in the starter: 0 once it is ready, HELD, or what ``work`` returned.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_background(journal)
        os._exit(_guarded(lambda: _guard(lock, work, writing)))
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        if ready.read(5) == b"ready":
            return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _guard(lock: Path, work: Callable[[Callable[[], None]], int], writing: int) -> int:
    """Start ``work`` again, with back-off, as long as it ends otherwise than on purpose; give up if it never was ready."""
    if hold_lock(lock) is None:
        return HELD
    become_subreaper()
    was_ready = mmap.mmap(-1, 1)  # shared with the children

    def ready() -> None:
        if not was_ready[0]:
            os.write(writing, b"ready")
        was_ready[0] = 1

    deaths = 0
    while True:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(_guarded(lambda: work(ready)))
        code = _outcome(child)
        if code == 0 or not was_ready[0]:
            return code if code >= 0 else FAILED
        deaths = 0 if time.monotonic() - began > STEADY else deaths + 1
        time.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2**deaths))


def _outcome(child: int) -> int:
    """How ``child`` ended; orphans that came to us when it was killed are reaped on the way."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _guarded(work: Callable[[], int]) -> int:
    try:
        return work()
    except BaseException:  # noqa: BLE001 - the last frame of the process: whatever happened is written to its log
        sys.excepthook(*sys.exc_info())
        return FAILED
    finally:
        sys.stderr.flush()


def _in_background(journal: Path) -> None:
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    log = files.open_append(journal)
    if os.fstat(log).st_size > _JOURNAL:
        files.truncate(log)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    # A starter that ignores or blocks signals must not hand that on to what runs here.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
