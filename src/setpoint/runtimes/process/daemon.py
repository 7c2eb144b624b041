"""Becoming a process of its own: a lock for each home, a session of its own, none of the starter's files and secrets."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

HELD = 3
"""Exit status: another supervisor holds this home."""
FAILED = 1


def hold_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until this process ends; None when somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
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


def detach(journal: Path, work: Callable[[int], int]) -> int:
    """Run ``work`` in a background process; its argument is a descriptor to write ``ready`` to.

    Returns in the starter: 0 once it is ready, else what ``work`` returned.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_background(journal)
        os._exit(_guarded(work, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        if ready.read(5) == b"ready":
            return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _guarded(work: Callable[[int], int], writing: int) -> int:
    try:
        return work(writing)
    except BaseException:  # noqa: BLE001 - the last frame of the process: whatever happened is written to its log
        sys.excepthook(*sys.exc_info())
        return FAILED
    finally:
        sys.stderr.flush()


def _in_background(journal: Path) -> None:
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    # A starter that ignores or blocks signals must not hand that on to what runs here.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
