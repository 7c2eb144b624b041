"""Becoming a process of its own: a lock for each home, a session of its own, none of the starter's files and secrets."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from setpoint.durable import files, locks
from setpoint.runtimes.process.supervision.guardian import HELD, READY, Guardian, Work, guarded


def hold_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock until this process ends; None when another process holds it."""
    descriptor = locks.take(path)
    if descriptor is None:
        return None
    with contextlib.suppress(OSError):  # the number is for people, and a full disk must not keep a supervisor from starting
        files.rewrite(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def detach(journal: Path, lock: Path, work: Work) -> int:
    """Run ``work`` in a background process, below a guardian that starts it again when it is killed.

    Both hold the lock, so that a client that looks while a killed one is being started again never concludes that there is none.
    Returns in the starter: 0 once it serves, HELD, or the exit status that it ended with before.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        in_background(journal)
        os._exit(guarded(lambda: _guard(lock, work, writing)))
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        if ready.read(len(READY)) == READY:
            return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _guard(lock: Path, work: Work, writing: int) -> int:
    held = hold_lock(lock)
    return HELD if held is None else Guardian(work, held, writing).run()


def in_background(journal: Path) -> None:
    """Leave the starter's session, directory, files and signals behind."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    log = files.open_append(journal)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    # A starter that ignores or blocks signals must not hand that on to what runs here.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
