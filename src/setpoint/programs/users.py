"""Unix users that processes and programs run as (``user:``), and the directory with the files that such a user may read.

The data directory is closed to every other user. So what runs as another user is copied to ``HOME.users/USER`` beside it: the
engine writes there, that user may read and execute, and no other user may enter. Descriptors or a bind mount instead would break
programs that look up their own path, or need more privileges than switching does.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from setpoint.durable import files

UMASK = 0o022
"""Of everything that is deployed and of every program, whatever the engine has for its own files."""
_CAPABILITIES = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_PTRACE": 19}
"""Needed to place files, to end, to start and to recognise processes of another user, with the bit of each: capabilities(7)."""


class UserError(ValueError):
    """Why nothing can run as a user, and what to do about it, in one sentence."""


class Account(NamedTuple):
    """A user of this machine; ``groups`` includes the primary one."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that describe the user."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def account_of(name: str) -> Account:
    """Return the user with this name, as whom this process can start others.

    Raises:
        UserError: the user does not exist or is root, or this process may not switch users.
    """
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):  # of a NUL character
        raise UserError(f'the user "{name}" does not exist on this machine: create the user, or correct `user`') from None
    if found.pw_uid == 0:
        raise UserError(f'the user "{name}" has all rights of the engine (uid 0): name an unprivileged one in `user`')
    if why := _unable():
        raise UserError(f'nothing can be started as the user "{name}": {why}, or remove `user`')
    groups = tuple(sorted(os.getgrouplist(name, found.pw_gid)))
    return Account(name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def _unable() -> str:
    """Why this process cannot switch users, and what to do.

    Capabilities without root do not suffice: ambient ones would be handed on to what is started.
    """
    if os.geteuid() != 0:
        return f"the engine runs as uid {os.geteuid()}: run it as root"
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    return f"the engine lacks {', '.join(missing)}: add what is missing" if missing else ""


def directory_of_all(home: Path) -> Path:
    """Return where the directories of users lie, beside a data directory."""
    return home.with_name(f"{home.name}.users")


def directory_of(home: Path, account: Account, *parts: str) -> Path:
    """Return a directory below that with the files of one user, made where it is missing.

    Raises:
        UserError: the user cannot reach it, or it is not the engine's. OSError: the disk does not take it.
    """
    shared = directory_of_all(home.absolute())
    own = shared / account.name
    _own(shared, 0o711, os.getegid())
    _own(own, 0o710, account.gid)
    if (closed := closed_to(account, own)) is not None:
        raise UserError(
            f'the user "{account.name}" may not enter {closed}, and so cannot reach {own}: choose a data directory (--home) below'
            " directories that every user may enter, such as /var/lib/setpoint"
        )
    place = own
    for part in parts:
        place /= part
        _own(place, 0o755, os.getegid())
    return place


def own_directories(path: Path) -> Iterator[Path]:
    """Yield the directories in a directory. It and they are this user's and no links: anybody may have made one of its name."""
    if _is_own(path):
        yield from (each for each in path.iterdir() if _is_own(each))


def _is_own(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


@contextmanager
def entered_by(account: Account, directory: str) -> Iterator[str]:
    """Yield a path that stays this directory, whatever takes its name: Popen enters it before it switches users.

    Raises:
        UserError: the user may not enter it. OSError: it is not there.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        path = Path(f"/proc/self/fd/{descriptor}")
        if (closed := closed_to(account, path.readlink())) is not None:
            raise UserError(f'the user "{account.name}" may not enter {closed}, on the way to {directory}: change its mode')
        yield str(path)
    finally:
        os.close(descriptor)


def closed_to(account: Account, path: Path) -> Path | None:
    """Return the first directory on the way to a directory, itself included, that a user may not enter. Raises OSError."""
    path = path.resolve()
    return next((directory for directory in (*reversed(path.parents), path) if not _enters(account, directory.stat())), None)


def _enters(account: Account, found: os.stat_result) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid in account.groups else stat.S_IXOTH))


def _own(path: Path, mode: int, group: int) -> None:
    files.make_directory(path)
    found = path.lstat()
    if not _is_own(path):
        raise UserError(f"{path} is not a directory of the engine's user: remove it")
    if (stat.S_IMODE(found.st_mode), found.st_gid) != (mode, group):
        files.give_to_group(path, group)
        files.restrict(path, mode)
