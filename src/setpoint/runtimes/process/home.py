"""Where the process runtime keeps its things below the engine's data directory, and how it writes them.

``runtimes/local/`` is readable by its user only: records hold the environment that replicas are started with.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setpoint.runtimes.process.records import InstanceRecord

_NAME = re.compile(r"[^A-Za-z0-9._-]")


class Home:
    """The layout of one data directory; making one touches nothing."""

    def __init__(self, home: Path) -> None:
        self.base = home.absolute()
        self.root = self.base / "runtimes" / "local"
        self.files = self.base / "files"
        self.lock = self.root / "supervisor.lock"
        self.socket_name = "supervisor.sock"
        self.journal = self.root / "supervisor.log"
        self.instances = self.root / "instances"
        self.logs = self.root / "logs"
        self.trees = self.root / "trees"

    def prepare(self) -> None:
        """Make the directories, for this user only."""
        for directory in (self.root, self.instances, self.logs, self.trees):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def identity(self) -> str:
        """A random name of this home, made once: the first part of every run started from it."""
        path = self.root / "id"
        with contextlib.suppress(FileExistsError):
            # Linked, not written in place: whoever reads it sees all of it, and of two that make it one wins.
            fresh = self.root / f"id.{secrets.token_hex(4)}"
            fresh.write_text(secrets.token_hex(8), encoding="ascii")
            try:
                if not path.exists():
                    path.hardlink_to(fresh)
            finally:
                fresh.unlink()
        return path.read_text(encoding="ascii")

    def logs_of(self, instance: str) -> Path:
        """The directory of an instance's log files."""
        return self.logs / file_name(instance)

    def tree_of(self, instance: str, digest: str) -> Path:
        """The directory that one version of an instance starts in: shared with no other version and no other instance."""
        return self.trees / file_name(instance) / digest

    def record_of(self, instance: str) -> Path:
        """The file an instance is remembered in."""
        return self.instances / f"{file_name(instance)}.json"

    def read(self, instance: str) -> InstanceRecord | None:
        """What is remembered of one instance; None when nothing is.

        Raises:
            msgspec.DecodeError: the file is damaged.
        """
        try:
            return msgspec.json.decode(self.record_of(instance).read_bytes(), type=InstanceRecord)
        except FileNotFoundError:
            return None

    def longest_stop(self) -> float:
        """Seconds that the slowest of all replicas may take to end."""
        stops = (launch.stop for record, _ in self.read_all() if record is not None for launch in record.launches.values())
        return max(stops, default=0) / 1000

    def read_all(self) -> Iterator[tuple[InstanceRecord | None, Path]]:
        """Every instance that is remembered, with its file; None for one whose file is damaged."""
        for path in sorted(self.instances.glob("*.json")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=InstanceRecord), path
            except msgspec.DecodeError:
                yield None, path

    def forget(self, instance: str) -> None:
        """Remember nothing of an instance, its logs included; its directories go later, as one may just have been made."""
        self.record_of(instance).unlink(missing_ok=True)
        shutil.rmtree(self.logs_of(instance), ignore_errors=True)

    def write(self, record: InstanceRecord, *, durable: bool = False) -> None:
        """Replace what is remembered, all or nothing; ``durable`` survives a loss of power, too."""
        path = self.record_of(record.instance)
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        fresh.replace(path)
        if durable:
            _sync_directory(self.instances)

    def clear_socket(self) -> None:
        """Remove what a supervisor that was killed left; only for the one that holds the lock."""
        (self.root / self.socket_name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def socket_path(self) -> Iterator[str]:
        """A path to the socket that is short however deep the home lies (the kernel's limit is 107 bytes)."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.socket_name}"
        finally:
            os.close(descriptor)


def file_name(instance: str) -> str:
    """``shop/web@staging`` as one readable part of a path; different instances never share one."""
    return _NAME.sub(lambda match: f"%{ord(match[0]):02x}", instance)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
