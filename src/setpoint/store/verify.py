"""Reads every row and every file of contents, and names what is not as it was written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setpoint.durable import records
from setpoint.store.content import sha256_of
from setpoint.store.database import Database
from setpoint.store.sums import TABLES, any_text, is_whole, key_of, name_of, select

_BATCH = 1_000
_FILES = "SELECT sha256, body FROM file"


async def damaged_rows(database: Database) -> list[str]:
    """What is damaged in the database, in words; a batch of rows at a time, so that nothing else waits long.

    Raises:
        sqlite3.Error, DatabaseLost: it cannot be read at all.
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


def damaged_files(home: Path) -> list[str]:
    """Files of contents and records below a data directory that are damaged, or of another format. Raises OSError."""
    return [*_contents(home / "files"), *_records(home)]


async def _rows(database: Database, statement: str, batch: int) -> Any:
    cursor = await database.read(lambda connection: connection.execute(statement))

    def fetch(connection: sqlite3.Connection) -> list[Any]:
        with any_text(connection):
            return cursor.fetchmany(batch)

    while rows := await database.read(fetch):
        for row in rows:
            yield row
        await asyncio.sleep(0)


def _contents(files: Path) -> Iterator[str]:
    for path in sorted(files.glob("*")) if files.is_dir() else ():
        if len(path.name) == 64 and sha256_of(path.read_bytes()) != path.name:
            yield f"the file {path} (the next apply writes it again)"


def _records(home: Path) -> Iterator[str]:
    for kind, pattern in (
        ("instance", "runtimes/local/instances/*.json"),
        ("applied", "runtimes/custom/*.json"),
        ("task", "tasks/*.json"),
    ):
        for path in sorted(home.glob(pattern)):
            try:
                records.read(path, kind, dict[str, Any])
            except FileNotFoundError:
                continue
            except (records.Damaged, records.OtherFormat) as error:
                yield str(error)
