"""The only place of the package that writes, renames, truncates or removes files and directories.

A file is replaced as a whole: written beside its place, synced, renamed, and its directory synced; a reader sees the old or the
new content, never half of it. A caller that changes memory as well does so *after* the function here has returned: when it
raises, the memory is what it was, and a retry does everything again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

_FRESH = ".fresh-"
"""Part of the name of a file that is not in its place yet."""


class Disk:
    """The calls to the operating system, one method each: a test replaces ``disk`` by one whose calls fail."""

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """A descriptor; ``O_CLOEXEC`` is added."""
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """How many bytes were taken, which may be fewer than there are."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Until it is on the disk."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Replaces a file that is there."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Raises FileExistsError when there is one."""
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Raises FileNotFoundError when there is none."""
        path.unlink()

    def mkdir(self, path: Path, mode: int) -> None:
        """Raises FileExistsError when there is one."""
        path.mkdir(mode=mode)

    def rmtree(self, path: Path) -> None:
        """A directory with everything in it; what cannot be removed stays."""
        shutil.rmtree(path, ignore_errors=True)

    def truncate(self, target: Path | int, length: int) -> None:
        """Cut a file, by its path or a descriptor."""
        os.truncate(target, length)

    def chmod(self, path: Path, mode: int) -> None:
        """Who may read and write."""
        path.chmod(mode)

    def chown(self, path: Path, group: int) -> None:
        """Which group it belongs to; its user stays."""
        os.chown(path, -1, group, follow_symlinks=False)

    def touch(self, path: Path) -> None:
        """Used now."""
        os.utime(path)


disk = Disk()


def replace(path: Path, data: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Put ``data`` in the place of a file, all or nothing; without ``sync`` a loss of power may bring the old content back.

    Raises:
        OSError: the file is as it was; or, when its directory could not be synced, new and perhaps not durable. Try again.
    """
    fresh = _fresh(path)
    try:
        _write(fresh, data, mode, sync=sync)
        disk.rename(fresh, path)
    except BaseException:
        _discard(fresh)
        raise
    if sync:
        sync_directory(path.parent)


def create(path: Path, blocks: Iterable[bytes], *, mode: int = 0o600, sync: bool = False) -> None:
    """A new file in a directory that only the caller uses yet. Raises OSError, FileExistsError."""
    descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        for block in blocks:
            _write_all(descriptor, block)
        if sync:
            disk.sync(descriptor)
    finally:
        os.close(descriptor)


def create_once(path: Path, data: bytes) -> None:
    """Create the file unless it exists: of two writers one wins, and readers see all of it. Raises OSError."""
    if path.exists():
        return
    fresh = _fresh(path)
    try:
        _write(fresh, data, 0o600, sync=True)
        with contextlib.suppress(FileExistsError):
            disk.link(fresh, path)
        sync_directory(path.parent)
    finally:
        _discard(fresh)


def remove(path: Path, *, sync: bool = False) -> None:
    """A file, unless it is gone already. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(path)
        if sync:
            sync_directory(path.parent)


def remove_tree(path: Path) -> None:
    """A directory with everything in it; what cannot be removed stays."""
    disk.rmtree(path)


def rename(source: Path, target: Path) -> None:
    """Raises OSError."""
    disk.rename(source, target)


def truncate(target: Path | int, length: int = 0) -> None:
    """Cut a file short. Raises OSError."""
    disk.truncate(target, length)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """With its parents, unless it is there; a mode for others holds whatever the umask is. Raises OSError."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        try:
            disk.mkdir(directory, mode)
            if mode & 0o077:
                disk.chmod(directory, mode)
        except FileExistsError:
            if not directory.is_dir():
                raise
        sync_directory(directory.parent)


def restrict(path: Path, mode: int) -> None:
    """Who may read and write. Raises OSError."""
    disk.chmod(path, mode)


def give_to_group(path: Path, group: int) -> None:
    """Its user stays. Raises OSError."""
    disk.chown(path, group)


def touch(path: Path) -> None:
    """Used now. Raises OSError."""
    disk.touch(path)


def open_append(path: Path) -> int:
    """A descriptor that appends, for this user only: its file may be cut short behind it. Raises OSError."""
    return disk.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def open_lock(path: Path) -> int:
    """A descriptor of a file that is locked and rewritten in place, for this user only. Raises OSError."""
    return disk.open(path, os.O_RDWR | os.O_CREAT)


def rewrite(descriptor: int, data: bytes) -> None:
    """The content of a lock file, which nothing depends on. Raises OSError."""
    disk.truncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    _write_all(descriptor, data)


def sync_directory(path: Path) -> None:
    """What was renamed, made or removed in it stays so. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def sweep(directory: Path) -> None:
    """Remove what a killed writer left; only for the sole writer there. Raises OSError."""
    for left in directory.glob(f".*{_FRESH}*"):
        remove(left)


def _fresh(path: Path) -> Path:
    return path.with_name(f".{path.name}{_FRESH}{secrets.token_hex(4)}")


def _write(path: Path, data: bytes, mode: int, *, sync: bool) -> None:
    descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        _write_all(descriptor, data)
        if sync:
            disk.sync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[disk.write(descriptor, left) :]


def _discard(path: Path) -> None:
    """What is left of a failed write is swept up later where it cannot be removed now."""
    with contextlib.suppress(OSError):
        disk.unlink(path)
