"""The data directory of an engine: where it is by default, the name of its lock, and whether another user could replace it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

HOME_VARIABLE = "SETPOINT_HOME"
LOCK_FILE = "engine.lock"
_LONGEST_WAY = 1_000
"""Directories and links that are judged: the kernel follows 40 links."""


def default_home() -> Path:
    """Return ``SETPOINT_HOME``, or ``~/.local/share/setpoint``."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/setpoint")


def unsafe(home: Path) -> str:
    """Return why another user could read or replace a data directory, as a sentence; empty: none could.

    As ``StrictModes`` of sshd: it and every directory and link on the way belong to this user or root, and no other user may
    write there, unless the directory is sticky, as ``/tmp`` is. A group without another member counts as this user. What does
    not exist yet, or is closed to this user, is not judged.
    """
    trusted = {0, os.geteuid()}
    for path in _way_to(home.absolute()):
        try:
            found = path.lstat()
        except OSError:
            continue
        if found.st_uid not in trusted:
            kind = "is a link that" if stat.S_ISLNK(found.st_mode) else "is a directory that"
            return f"{path} {kind} belongs to the user with the id {found.st_uid}"
        if _open_to_others(found) and (path == home or not found.st_mode & stat.S_ISVTX):
            return f"{path} is writable by other users (mode {stat.S_IMODE(found.st_mode):03o})"
    return ""


def _open_to_others(found: os.stat_result) -> bool:
    """Whether another user may write there, if it is a directory."""
    if not stat.S_ISDIR(found.st_mode):
        return False
    return bool(found.st_mode & stat.S_IWOTH) or bool(found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid))


def _is_private(group: int) -> bool:
    """Whether this user is the only member of a group, as of those that many systems make for each user, with umask 002."""
    try:
        name, members = pwd.getpwuid(os.geteuid()).pw_name, set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return False
    primary = {one.pw_name for one in pwd.getpwall() if one.pw_gid == group}
    return members | primary == {name}


def _way_to(home: Path) -> list[Path]:
    """Every directory and link that leads there; of a link the way to its target, too, step by step."""
    way: list[Path] = []
    left = [home]
    while left and len(way) < _LONGEST_WAY:
        place = left.pop()
        for path in (*reversed(place.parents), place):
            way.append(path)
            if path.is_symlink():
                left.append(path.parent / path.readlink())
    return way
