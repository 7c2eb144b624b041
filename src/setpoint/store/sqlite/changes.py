"""The change log as a table: who writes what anyone can see takes its number here, in the same transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from setpoint.model.time import Instant
from setpoint.store.following import Bell
from setpoint.store.port import Change, UnknownNumber
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import check, seal, select

T = TypeVar("T")
_PRUNED_EVERY = 64
"""Changes: deleting a row with each one would double what the log costs."""
# Lines have numbers of their own from before there was a change log: it goes on behind all of them.
_NEWEST = """SELECT max(coalesce((SELECT max(number) FROM change), 0), coalesce((SELECT max(seq) FROM history), 0),
           coalesce((SELECT max(seq) FROM log), 0))
"""
_PREVIOUS = "SELECT coalesce((SELECT max(number) FROM change), (SELECT max(seq) FROM history), 0)"
_OLDEST = "SELECT coalesce((SELECT previous FROM change ORDER BY number LIMIT 1), (SELECT max(seq) FROM history), 0)"
_PRUNE = "DELETE FROM change WHERE number <= (SELECT number FROM change ORDER BY number DESC LIMIT 1 OFFSET ?)"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class Numbers:
    """What one transaction numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.newest: int = _one(connection, _NEWEST)

    def add(self, kind: str, at: Instant, entities: Iterable[str] = (), *, lines: int = 0) -> int:
        """Append a change with so many lines; return its number. They have the last numbers up to this one."""
        previous = _one(self._connection, _PREVIOUS)
        self.newest += max(lines, 1)
        row = (self.newest, previous, at, kind, _encode(tuple(entities)))
        self._connection.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)", seal("change", [row])[0])
        return self.newest


class SqliteChanges:
    """Reads the log, and runs the transactions that add to it."""

    def __init__(self, database: Database, kept: int) -> None:
        self._database = database
        self._kept = kept
        self._bell = Bell()
        self._added = 0

    async def open(self) -> None:
        """Go on from what is durable."""
        self._bell.ring(await self.newest())

    def close(self) -> None:
        """End every wait."""
        self._bell.close()

    async def write(self, work: Callable[[sqlite3.Connection, Numbers], T]) -> T:
        """As ``Database.write``, with numbers to take."""
        loop = asyncio.get_running_loop()

        def numbered(connection: sqlite3.Connection) -> tuple[T, int]:
            numbers = Numbers(connection)
            before = numbers.newest
            result = work(connection, numbers)
            if numbers.newest > before:
                self._prune(connection)
            return result, numbers.newest

        # Not after the await: a caller that is cancelled there has written all the same.
        result, _ = await self._database.write(numbered, lambda found: loop.call_soon_threadsafe(self._bell.ring, found[1]))
        return result

    async def newest(self) -> int:
        """See the port."""
        return await self._database.read(lambda connection: _one(connection, _NEWEST))

    async def read(self, *, after: int, limit: int = 500) -> list[Change]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            newest = _one(connection, _NEWEST)
            oldest = _one(connection, _OLDEST)
            if not oldest <= after <= newest:
                raise UnknownNumber(after, oldest, newest)
            statement = f"{select('change')} WHERE number > ? ORDER BY number LIMIT ?"
            return connection.execute(statement, (after, limit)).fetchall()

        return [_change(row) for row in await self._database.read(work)]

    async def wait(self, *, after: int) -> int | None:
        """See the port."""
        return await self._bell.wait(after=after)

    def _prune(self, connection: sqlite3.Connection) -> None:
        if self._added % _PRUNED_EVERY == 0:
            connection.execute(_PRUNE, (self._kept,))
        self._added += 1


def _change(row: Any) -> Change:
    check("change", row)
    number, previous, at, kind, entities, _ = row
    return Change(number, previous, at, kind, _decode(entities))


def _one(connection: sqlite3.Connection, statement: str) -> int:
    found: int = connection.execute(statement).fetchone()[0]
    return found
