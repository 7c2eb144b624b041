"""What replicas wrote: one file for each, capped, read from its end and followed.

A replica writes straight into its file, so nothing is lost or blocked while no supervisor runs. A file that outgrows its cap is
cut behind the replica, with its end in ``<replica>.log.1``.

Replicas run as the engine's user and can put anything into the directory. Only regular files directly below it are read: a link
would show another file of the user, and a FIFO would block.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from setpoint.durable import files
from setpoint.durable.bounded_logs import CAP, predecessor, rotate
from setpoint.plugins.runtime import LogLine

KEEP = 20
"""Replicas of an instance that are gone and whose logs are still kept."""
MOST = 64 * 1024 * 1024
"""Bytes of all of them together."""
_LONGEST = 16 * 1024
_TAIL = 1024 * 1024
_POLL = 0.2
_BLOCK = 64 * 1024
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
"""What opening a name gives where no file has it: a link, a socket or nothing."""


def log_file(directory: Path, replica: str) -> Path:
    """Where a replica writes."""
    return directory / f"{replica}.log"


def rotate_all(directory: Path, cap: int = CAP) -> None:
    """Cut the files that have outgrown ``cap``, with their last ``cap`` bytes kept beside them."""
    for path in directory.glob("*.log"):
        rotate(path, cap)


def prune(directory: Path, living: set[str], gone: Sequence[str], keep: int = KEEP, most: int = MOST) -> set[str]:
    """Keep the logs of the last ``keep`` replicas that are gone, up to ``most`` bytes but at least those of the last one.

    ``gone`` is in the order in which they ended. Returns the names of those whose logs are left; files of no replica are removed.
    """
    kept: set[str] = set()
    size = 0
    for name in reversed(gone[-keep:]):
        size += sum(path.stat().st_size for path in _files_of(directory, name) if path.exists())
        if kept and size > most:
            break
        kept.add(name)
    for name in {path.name.partition(".log")[0] for path in directory.glob("*.log*")} - living - kept:
        for path in _files_of(directory, name):
            files.remove(path)
    return kept


def _files_of(directory: Path, replica: str) -> tuple[Path, Path]:
    path = log_file(directory, replica)
    return path, predecessor(path)


def last_lines(directory: Path, replica: str, count: int) -> list[str]:
    """Up to ``count`` lines from the end, those of the file before included."""
    path, before = (one.name for one in _files_of(directory, replica))
    lines = _tail(directory, path, count)
    if len(lines) < count:
        lines = _tail(directory, before, count - len(lines)) + lines
    return lines


async def read(directory: Path, names: Callable[[], list[str]], *, lines: int, follow: bool) -> AsyncIterator[LogLine]:
    """The last lines of each replica in ``names``, and with ``follow`` those to come, also of replicas to come."""
    offsets: dict[str, int] = {}
    for name in await asyncio.to_thread(names):
        texts, offsets[name] = await asyncio.to_thread(_beginning, directory, name, lines)
        for text in texts:
            yield LogLine(replica=name, text=text)
    while follow:
        await asyncio.sleep(_POLL)
        for name in await asyncio.to_thread(names):
            texts, offsets[name] = await asyncio.to_thread(_since, directory, name, offsets.get(name, 0))
            for text in texts:
                yield LogLine(replica=name, text=text)


def _beginning(directory: Path, replica: str, lines: int) -> tuple[list[str], int]:
    with _opened(directory, log_file(directory, replica).name) as file:
        end = file.seek(0, os.SEEK_END) if file else 0
    return last_lines(directory, replica, lines), end


@contextlib.contextmanager
def _opened(directory: Path, name: str) -> Iterator[BinaryIO | None]:
    """Open a regular file of a directory for reading; None: there is none of this name."""
    descriptor = _descriptor(directory, name)
    if descriptor is None:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _descriptor(directory: Path, name: str) -> int | None:
    try:
        base = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=base)
        finally:
            os.close(base)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _tail(directory: Path, name: str, count: int) -> list[str]:
    data = b""
    with _opened(directory, name) as file:
        if count <= 0 or file is None:
            return []
        position = file.seek(0, os.SEEK_END)
        while position > 0 and data.count(b"\n") <= count and len(data) < max(_TAIL, count * _LONGEST):
            step = min(_BLOCK, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
    return [_text(line) for line in data.splitlines()[-count:]]


def _since(directory: Path, replica: str, offset: int) -> tuple[list[str], int]:
    """Whole lines after ``offset`` and where they end; a file cut short is read from its beginning."""
    with _opened(directory, log_file(directory, replica).name) as file:
        if file is None:
            return [], 0
        if file.seek(0, os.SEEK_END) < offset:
            offset = 0
        file.seek(offset)
        data = file.read(16 * _BLOCK)
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) < _LONGEST:
        return [], offset
    data = data[: end or len(data)]
    return [_text(line) for line in data.splitlines()], offset + len(data)


def _text(line: bytes) -> str:
    return line[:_LONGEST].decode("utf-8", "replace").rstrip("\r")
