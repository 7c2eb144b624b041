"""Logs that stay short: files are cut while they are written to, and what repeats is logged a few times only.

A log is what standard error of a process is connected to, so that it also holds a crash in native code, or of an interpreter that
is just starting. A handler that renames its file would lose those: here the file stays, and is cut behind its writers.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from setpoint.durable import files

CAP = 10 * 1024 * 1024
"""Bytes of one log file; its predecessor holds as many."""
_BLOCK = 64 * 1024


def predecessor(path: Path) -> Path:
    """Where the last bytes of a log are that was cut."""
    return path.with_suffix(".log.1")


def rotate(path: Path, cap: int = CAP) -> None:
    """Cut a log that has outgrown ``cap``, with its last ``cap`` bytes kept beside it.

    Its writers append. What they write between the copy and the cut is lost.

    Raises:
        OSError: the disk does not take the copy; the log is as it was.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_size > cap:
        _copy_end(path, predecessor(path), cap)
        files.truncate(path)


def _copy_end(source: Path, target: Path, length: int) -> None:
    files.remove(target)
    with source.open("rb") as reading:
        reading.seek(-length, os.SEEK_END)
        files.create(target, _blocks(reading, length))


def _blocks(reading: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (block := reading.read(min(length, _BLOCK))):
        yield block
        length -= len(block)


class RepeatLimit(logging.Filter):
    """Lets ``BURST`` warnings of one kind through in ``PERIOD`` seconds; the next one that passes counts those left out.

    Of one kind are records of one logger whose text begins with the same line before its values are filled in.
    """

    BURST = 20
    PERIOD = 10.0
    KINDS = 256

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if record.levelno < logging.WARNING:
            return True
        kind = (record.name, str(record.msg).partition("\n")[0][:200])
        now = time.monotonic()
        began, count = self._seen.get(kind, (now, 0))
        if now - began >= self.PERIOD:
            self._note_left_out(record, count - self.BURST)
            began, count = now, 0
        if kind not in self._seen and len(self._seen) >= self.KINDS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[kind] = (began, count + 1)
        return count < self.BURST

    def _note_left_out(self, record: logging.LogRecord, count: int) -> None:
        if count > 0:
            record.msg, record.args = f"{record.getMessage()} ({count} more like this before)", ()


def limit_repeats() -> None:
    """Apply a ``RepeatLimit`` to all that this process logs from now on."""
    limit = RepeatLimit()
    for handler in logging.getLogger().handlers:
        handler.addFilter(limit)
