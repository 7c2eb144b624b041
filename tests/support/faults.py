"""A disk that fails: every call through which the package changes files, counted, and some of them refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setpoint.durable import files

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)


class FaultyDisk(files.Disk):
    """Fails from its ``first`` call on (1: the first), ``count`` times; a write that fails has taken half of the data before."""

    def __init__(self, first: int, count: int, error: int) -> None:
        self.calls = 0
        self.failed: list[str] = []
        self._range = range(first, first + count)
        self._error = error

    def _call(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        self.calls += 1
        if self.calls in self._range:
            self.failed.append(f"{name} {arguments[0]}")
            raise OSError(self._error, os.strerror(self._error), str(arguments[0]))
        return call(*arguments)

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        return self._call("open", super().open, path, flags, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.calls + 1 in self._range:
            os.write(descriptor, data[: len(data) // 2])
        return self._call("write", super().write, descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._call("sync", lambda _: None, descriptor)  # no loss of power is tested, and it costs most of the time

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename", super().rename, source, target)

    def link(self, source: Path, target: Path) -> None:
        self._call("link", super().link, source, target)

    def unlink(self, path: Path) -> None:
        self._call("unlink", super().unlink, path)

    def mkdir(self, path: Path, mode: int) -> None:
        self._call("mkdir", super().mkdir, path, mode)

    def rmtree(self, path: Path) -> None:
        self.calls += 1
        if self.calls not in self._range:  # what cannot be removed stays
            super().rmtree(path)

    def truncate(self, target: Path | int, length: int) -> None:
        self._call("truncate", super().truncate, target, length)

    def chmod(self, path: Path, mode: int) -> None:
        self._call("chmod", super().chmod, path, mode)

    def chown(self, path: Path, group: int) -> None:
        self._call("chown", super().chown, path, group)

    def touch(self, path: Path) -> None:
        self._call("touch", super().touch, path)


@contextmanager
def faults(first: int, count: int, error: int) -> Iterator[FaultyDisk]:
    """The package writes to a disk that fails, until the block ends."""
    whole, files.disk = files.disk, FaultyDisk(first, count, error)
    try:
        yield files.disk
    finally:
        files.disk = whole
