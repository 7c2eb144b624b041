"""Reads every row, and names what is not as it was written."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from setpoint.store.port import sha256_of
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import TABLES, any_text, is_whole, key_of, name_of, select

_BATCH = 1_000
_FILES = "SELECT sha256, body FROM file"


async def damaged_rows(database: Database) -> list[str]:
    """What is damaged in the database, in words; a batch of rows at a time, so that nothing else waits long.

    Raises:
        StoreError: it cannot be read at all.
    """
    found: list[str] = []
    for table in TABLES:
        found += [
            name_of(table, key_of(table, row)) async for row in _rows(database, select(table), _BATCH) if not is_whole(table, row)
        ]
    found += [
        name_of("file", sha256)
        async for sha256, body in _rows(database, _FILES, 1)
        if not isinstance(body, bytes) or sha256_of(body) != sha256
    ]
    return found


async def _rows(database: Database, statement: str, batch: int) -> Any:
    cursor = await database.read(lambda connection: connection.execute(statement))

    def fetch(connection: sqlite3.Connection) -> list[Any]:
        with any_text(connection):
            return cursor.fetchmany(batch)

    while rows := await database.read(fetch):
        for row in rows:
            yield row
        await asyncio.sleep(0)
