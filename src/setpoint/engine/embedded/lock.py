"""One engine per data directory, by a lock that dies with its holder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from setpoint.durable import files, locks
from setpoint.durable.home import HOME_VARIABLE, LOCK_FILE, unsafe
from setpoint.engine.errors import AlreadyRunning, UnsafeHome

_PATIENCE = 0.2
"""Seconds for which a lock that is taken is tried again: a look at whether an engine runs takes it for a moment."""


class HomeLock:
    """Holds a data directory from ``acquire`` to ``release``."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / LOCK_FILE
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Make the directory (0700) if it is missing, and take it.

        Raises:
            AlreadyRunning: naming who holds it. UnsafeHome: another user could replace it.
        """
        files.make_directory(self._home)
        files.restrict(self._home, 0o700)
        if why := unsafe(self._home):  # another user may have made it meanwhile
            raise UnsafeHome(f"the data directory {self._home} is not safe to use: {why}: use another {HOME_VARIABLE}")
        descriptor = locks.take(self._path, patience=_PATIENCE)
        if descriptor is None:
            holder = _holder(self._path)
            raise AlreadyRunning(
                f"the data directory {self._home} is held by {holder}: stop that engine, or use another {HOME_VARIABLE}"
            )
        self._descriptor = descriptor
        story = json.dumps({"pid": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        files.rewrite(descriptor, story.encode())

    def release(self) -> None:
        """Give it back. Twice is once."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(path: Path) -> str:
    try:
        story = json.loads(path.read_bytes())
        return f"process {story['pid']} since {story['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has just started"
