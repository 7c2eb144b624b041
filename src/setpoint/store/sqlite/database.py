"""One SQLite file: write-ahead log, ``synchronous=FULL``, one writing thread, one reading thread.

The standard library's ``sqlite3`` is used as it is: the engine's commits are one transaction of thousands of small rows, where an
ORM or an asynchronous wrapper would cost several times what the rows do. One thread writes, so that no transaction ever waits
for another one's lock; whatever must be durable goes through ``write``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from setpoint.store.port import RecoveryDecision, StoreUnavailable
from setpoint.store.sqlite import identity
from setpoint.store.sqlite.errors import MalformedError, lost, translated
from setpoint.store.sqlite.schema import migrate

T = TypeVar("T")
_QUICK_CHECK_BELOW = 64 * 1024 * 1024
"""Bytes up to which a database is checked at every start."""


class Database:
    """Transactions on one file. Opened before anything else; closing finishes what was requested."""

    def __init__(self, path: Path, recovery: RecoveryDecision = RecoveryDecision.NONE) -> None:
        self.path = path
        self.identity = 0
        """Another one after each recovery; set by ``open``."""
        self._recovery = recovery
        self._opened: dict[Path, identity.FileIdentity] = {}
        """The files, as they were at the last look."""
        self._lost = ""
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="setpoint-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="setpoint-reader")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Create or migrate the file.

        Raises:
            StoreDamaged: naming the file and what to do. StoreLost: it is not the one that was here.
            StoreUnavailable: it may be whole, but room, rights or the disk are missing.
        """
        try:
            with translated(self.path):
                self._open()
        except BaseException:
            self.close()
            raise
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        self._opened = {path: place for path in files if (place := identity.place_of(path)) is not None}

    def _open(self) -> None:
        identity.before_opening(self.path, self._recovery)
        self._write_connection = _connect(self.path)
        _check(self._write_connection, self.path)
        migrate(self._write_connection)
        self.identity = identity.claim(self._write_connection, self.path, self._recovery)
        self._recovery = RecoveryDecision.NONE
        self._read_connection = _connect(self.path)
        self._read_connection.execute("PRAGMA query_only = ON")

    @property
    def connection(self) -> sqlite3.Connection:
        """Return the writing connection, for loading before anything else runs."""
        if self._write_connection is None:
            raise _not_open(self.path)
        return self._write_connection

    def look(self) -> None:
        """Whether the file is still the one that was opened. Raises StoreLost, from then on always."""
        for path, opened in self._opened.items():
            now = identity.place_of(path)
            # The log starts over after a checkpoint, and may be cut then.
            self._lost = self._lost or identity.changed(path, opened if path == self.path else opened._replace(size=0), now)
            if now is not None and not self._lost:
                self._opened[path] = now
        if self._lost:
            raise lost(self.path, self._lost)

    async def raise_generation(self) -> None:
        """Note outside of the file how far it has come. Raises StoreError."""
        self.look()
        await asyncio.wrap_future(self._writer.submit(self._raise_generation))

    async def write(self, work: Callable[[sqlite3.Connection], T], durable: Callable[[T], object] = lambda _: None) -> T:
        """Run ``work`` as one transaction; durable when this returns. ``durable`` is called then, in the writing thread.

        Raises:
            StoreError: nothing was written.
        """
        return await asyncio.wrap_future(self._writer.submit(self._transaction, work, durable))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on committed data, beside writers."""
        return await asyncio.wrap_future(self._reader.submit(self._query, work))

    def close(self) -> None:
        """Wait for running work, then close. Twice is once."""
        self._writer.shutdown()
        self._reader.shutdown()
        for connection in (self._read_connection, self._write_connection):
            if connection is not None and self._lost:
                identity.keep_open(connection)
            elif connection is not None:
                connection.close()
        self._read_connection = self._write_connection = None

    def _query(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._read_connection is None:
            raise _not_open(self.path)
        self.look()
        with translated(self.path):
            return work(self._read_connection)

    def _transaction(self, work: Callable[[sqlite3.Connection], T], durable: Callable[[T], object]) -> T:
        connection = self.connection
        self.look()
        with translated(self.path):
            result = _committed(connection, work)
        self.look()  # nothing is confirmed that went into a file that is gone
        durable(result)
        return result

    def _raise_generation(self) -> None:
        with translated(self.path):
            identity.raise_generation(self.connection, self.path)


def _not_open(path: Path) -> StoreUnavailable:
    return StoreUnavailable(f"{path} is not open", "start the engine")


def _committed(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size < _QUICK_CHECK_BELOW:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise MalformedError(found)
