"""All of it together: one SQLite file behind the port."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from setpoint.store.port import Bounds, RecoveryDecision, StoreCondition
from setpoint.store.sqlite.changes import SqliteChanges
from setpoint.store.sqlite.content import SqliteContent
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.documents import SqliteDocuments
from setpoint.store.sqlite.history import SqliteHistory
from setpoint.store.sqlite.journal import SqliteJournal, next_start
from setpoint.store.sqlite.records import SqliteRecords, SqliteRequests
from setpoint.store.sqlite.verify import damaged_rows

_BOUNDS = Bounds()


class SqliteStore:
    """A store in the file ``path``, which is made if there is none."""

    def __init__(self, path: Path, recovery: RecoveryDecision = RecoveryDecision.NONE, bounds: Bounds = _BOUNDS) -> None:
        self.database = Database(path, recovery)
        self.changes = SqliteChanges(self.database, bounds.changes)
        self.journal = SqliteJournal(self.database, self.changes)
        self.history = SqliteHistory(self.database)
        self.content = SqliteContent(self.database)
        self.documents = SqliteDocuments(self.database, self.changes)
        self.records = SqliteRecords(self.database, self.changes)
        self.requests = SqliteRequests(self.database, bounds.requests)

    @property
    def name(self) -> str:
        """The path."""
        return str(self.database.path)

    @property
    def software(self) -> str:
        """The library that runs."""
        return f"SQLite {sqlite3.sqlite_version}"

    @property
    def identity(self) -> int:
        """See the port."""
        return self.database.identity

    async def open(self) -> int:
        """See the port."""
        self.database.open()
        try:
            await self.changes.open()
            return await self.database.write(next_start)
        except BaseException:
            self.database.close()
            raise

    async def close(self) -> None:
        """See the port."""
        self.changes.close()
        await asyncio.to_thread(self.database.close)

    def look(self) -> None:
        """See the port."""
        self.database.look()

    async def keep_generation(self) -> None:
        """See the port."""
        await self.database.raise_generation()

    async def check(self) -> StoreCondition:
        """See the port."""

        def work(connection: sqlite3.Connection) -> StoreCondition:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            return StoreCondition(self.database.path.stat().st_size, "" if found == "ok" else found)

        return await self.database.read(work)

    async def damaged(self) -> list[str]:
        """See the port."""
        return await damaged_rows(self.database)
