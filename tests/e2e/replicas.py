"""The process table, looked at all the time from outside: which replicas were ever there, and whether one was there twice."""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Self

EVERY = 0.03


class Replicas:
    """Use it as ``with``. Replicas are known by the test's directory among their words and by ``SETPOINT_REPLICA``."""

    def __init__(self, root: Path) -> None:
        self.seen: dict[str, set[int]] = defaultdict(set)
        """Version -> every process of it that was ever seen."""
        self.most: Counter[str] = Counter()
        """Version -> most of them at once."""
        self.twice: list[str] = []
        """Replicas of which two processes were there at once."""
        self.looks = 0
        self._root = str(root).encode()
        self._names: dict[tuple[int, str], str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self._look()

    def _look(self) -> None:
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        there = [(pid, version) for pid in pids if (version := self._version(pid))]
        for pid, version in there:
            self.seen[version].add(pid)
        for version, count in Counter(version for _, version in there).items():
            self.most[version] = max(self.most[version], count)
        names = Counter(filter(None, (self._name(pid, version) for pid, version in there)))
        self.twice += [name for name, count in names.items() if count > 1]
        self.looks += 1

    def _version(self, pid: int) -> str:
        words = _read(f"/proc/{pid}/cmdline").split(b"\0")
        if b"--version" not in words or not any(self._root in word for word in words) or not _leads(pid):
            return ""
        return words[words.index(b"--version") + 1].decode()

    def _name(self, pid: int, version: str) -> str:
        if (pid, version) not in self._names:
            entries = dict(entry.partition(b"=")[::2] for entry in _read(f"/proc/{pid}/environ").split(b"\0"))
            self._names[pid, version] = entries.get(b"SETPOINT_REPLICA", b"").decode()
        return self._names[pid, version]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _leads(pid: int) -> bool:
    """Whether it leads its session, as every replica does; what it forks (a wrapper around an interpreter, say) is part of it."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False
