"""Where the process runtime keeps its things below the engine's data directory, and how it writes them.

``runtimes/local/`` is readable by its user only: records hold the environment that replicas are started with.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from setpoint.durable import files, records
from setpoint.programs import users
from setpoint.programs.users import Account
from setpoint.runtimes.process.records import InstanceRecord

_NAME = re.compile(r"[^A-Za-z0-9._-]")
_KIND = "instance"
_TREES = "trees"


class Home:
    """The layout of one data directory; making one touches nothing."""

    def __init__(self, home: Path) -> None:
        self.base = home.absolute()
        self.root = self.base / "runtimes" / "local"
        self.files = self.base / "files"
        self.lock = self.root / "supervisor.lock"
        self.serving = self.root / "serving.lock"
        self.socket_name = "supervisor.sock"
        self.journal = self.root / "supervisor.log"
        self.instances = self.root / "instances"
        self.logs = self.root / "logs"
        self.trees = self.root / _TREES

    def prepare(self) -> None:
        """Make the directories, for this user only."""
        for directory in (self.root, self.instances, self.logs, self.trees):
            files.make_directory(directory)
        files.restrict(self.root, 0o700)

    def identity(self) -> str:
        """A random name of this home, made once: the first part of every run started from it."""
        path = self.root / "id"
        files.create_once(path, secrets.token_hex(8).encode())
        return path.read_text(encoding="ascii")

    def logs_of(self, instance: str) -> Path:
        """The directory of an instance's log files."""
        return self.logs / file_name(instance)

    def tree_of(self, instance: str, digest: str, account: Account | None = None) -> Path:
        """The directory that one version of an instance starts in: shared with no other version and no other instance.

        Raises:
            UserError: it runs as another user, who cannot reach such a directory. OSError: the disk does not take it.
        """
        name = file_name(instance)
        return (users.directory_of(self.base, account, _TREES, name) if account else self.trees / name) / digest

    def all_trees(self) -> Iterator[Path]:
        """The directories of all versions, those that run as other users included."""
        yield from self.trees.glob("*/*")
        for user in users.own_directories(users.directory_of_all(self.base)):
            for instance in users.own_directories(user / _TREES):
                yield from users.own_directories(instance)

    def record_of(self, instance: str) -> Path:
        """The file an instance is remembered in."""
        return self.instances / f"{file_name(instance)}.json"

    def read(self, instance: str) -> InstanceRecord | None:
        """What is remembered of one instance; None when nothing is.

        Raises:
            Damaged, OtherFormat: the file cannot be used; it is left as it is.
        """
        try:
            return records.read(self.record_of(instance), _KIND, InstanceRecord)
        except FileNotFoundError:
            return None

    def longest_stop(self) -> float:
        """Seconds that the slowest of all replicas may take to end."""
        stops = (launch.stop for record, _ in self.read_all() if record is not None for launch in record.launches.values())
        return max(stops, default=0) / 1000

    def read_all(self) -> Iterator[tuple[InstanceRecord | None, Path]]:
        """Every instance that is remembered, with its file; None for one whose file is damaged. Raises OtherFormat."""
        for path in sorted(self.instances.glob("*.json")):
            try:
                yield records.read(path, _KIND, InstanceRecord), path
            except records.Damaged:
                yield None, path

    def set_aside(self, path: Path) -> None:
        """Move a damaged record aside, where people can examine it."""
        files.rename(path, path.with_suffix(".damaged"))

    def wants_supervision(self) -> bool:
        """Return whether a record exists of something that runs, is to run or is being taken down."""
        return any(record is not None and not record.halted for record, _ in self.read_all())

    def forget(self, instance: str) -> None:
        """Remember nothing of an instance, its logs included; its directories go later, as one may just have been made."""
        files.remove(self.record_of(instance), sync=True)
        files.remove_tree(self.logs_of(instance))

    def write(self, record: InstanceRecord, *, durable: bool = False) -> None:
        """Replace what is remembered, all or nothing; ``durable`` survives a loss of power, too."""
        records.write(self.record_of(record.instance), _KIND, record, sync=durable)

    def clear_socket(self) -> None:
        """Remove what a supervisor that was killed left; only for the one that holds the lock."""
        files.remove(self.root / self.socket_name)

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
