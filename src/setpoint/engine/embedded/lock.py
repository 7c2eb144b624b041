"""One engine per data directory, by a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from setpoint.durable import files
from setpoint.engine.errors import AlreadyRunning

HOME_VARIABLE = "SETPOINT_HOME"
_GLANCES = 0.2
"""Seconds for which a lock that is taken is tried again: whoever asks whether an engine runs holds it for a moment."""
_AGAIN = 0.01


def default_home() -> Path:
    """``SETPOINT_HOME``, or ``~/.local/share/setpoint``."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/setpoint")


class HomeLock:
    """Holds a data directory from ``acquire`` to ``release``."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / "engine.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Make the directory (0700) if it is missing, and take it.

        Raises:
            AlreadyRunning: naming who holds it.
        """
        files.make_directory(self._home)
        files.restrict(self._home, 0o700)
        descriptor = files.open_lock(self._path)
        if not _taken(descriptor):
            holder = _holder(descriptor)
            os.close(descriptor)
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


def _taken(descriptor: int) -> bool:
    deadline = time.monotonic() + _GLANCES
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_AGAIN)
        else:
            return True


def _holder(descriptor: int) -> str:
    try:
        story = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {story['pid']} since {story['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just begun"
