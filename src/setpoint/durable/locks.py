"""Locks of this machine that end with the processes that hold them (flock(2)).

A lock belongs to an open descriptor: it is held until the last copy of that, in this process or one that inherited it, is closed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from setpoint.durable import files

_RETRY = 0.01


def take(path: Path, *, patience: float = 0.0) -> int | None:
    """Return a descriptor that holds the lock; None when it is taken and stays so for ``patience`` seconds.

    A look at a lock (``is_held``) takes it for a moment: who must not be turned away by one has a little patience.

    Raises:
        OSError: the file cannot be made or opened.
    """
    deadline = time.monotonic() + patience
    descriptor = files.open_lock(path)
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        time.sleep(_RETRY)
    return descriptor


def is_held(path: Path) -> bool:
    """Whether a process holds the lock; the file is not made for that.

    Raises:
        OSError: the file is there and cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
