"""The data directory of an engine: where it is by default, the name of its lock, and whether another user could replace it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

HOME_VARIABLE = "SETPOINT_HOME"
LOCK_FILE = "engine.lock"


def default_home() -> Path:
    """Return ``SETPOINT_HOME``, or ``~/.local/share/setpoint``."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/setpoint")


def unsafe(home: Path) -> str:
    """Return why another user could read or replace a data directory, as a sentence; empty: none could.

    As ``StrictModes`` of sshd: it and every directory and link on the way belong to this user or root, and none is writable by
    others. A sticky directory such as ``/tmp`` may be. What does not exist yet, or is closed to this user, is not judged.
    """
    trusted = {0, os.geteuid()}
    for path in _way_to(home.absolute()):
        try:
            found = path.lstat()
        except OSError:
            return ""
        if found.st_uid not in trusted:
            kind = "is a link that" if stat.S_ISLNK(found.st_mode) else "is a directory that"
            return f"{path} {kind} belongs to the user with the id {found.st_uid}"
        if stat.S_ISDIR(found.st_mode) and found.st_mode & 0o022 and (path == home or not found.st_mode & stat.S_ISVTX):
            return f"{path} is writable by other users (mode {stat.S_IMODE(found.st_mode):03o})"
    return ""


def _way_to(home: Path) -> list[Path]:
    """Every directory and link that leads there, the root first; a link is followed by the way to its target."""
    way: list[Path] = []
    for path in (*reversed(home.parents), home):
        way.append(path)
        if path.is_symlink():
            target = path.resolve()
            way += [*reversed(target.parents), target]
    return way
