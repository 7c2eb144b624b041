"""Records, logs and identified requests as rows."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any, TypeVar

import msgspec

from setpoint.model.time import Instant
from setpoint.store.port import REQUESTS_KEPT, Claim
from setpoint.store.sqlite.changes import Numbers, SqliteChanges
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import any_text, check, damage, is_whole, key_of, seal, select

T = TypeVar("T")
log = logging.getLogger("setpoint.store")


class SqliteRecords:
    """See the port."""

    def __init__(self, database: Database, changes: SqliteChanges) -> None:
        self._database = database
        self._changes = changes
        self._encoder = msgspec.msgpack.Encoder()

    async def put(self, kind: str, key: str, value: Any) -> None:
        """See the port."""
        body = self._encoder.encode(value)
        [row] = seal("record", [(kind, key, body)])
        await self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row)
        )

    async def get(self, kind: str, key: str, shape: type[T]) -> T | None:
        """See the port."""
        statement = f"{select('record')} WHERE kind = ? AND key = ?"
        row = await self._database.read(lambda connection: connection.execute(statement, (kind, key)).fetchone())
        if row is None:
            return None
        check("record", row)
        return msgspec.msgpack.decode(row[2], type=shape)

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        """See the port."""
        statement = f"{select('record')} WHERE kind = ? ORDER BY key"
        rows = await self._rows("record", statement, (kind,))
        return {key: msgspec.msgpack.decode(body, type=shape) for _, key, body, _ in rows}

    async def delete(self, kind: str, key: str) -> bool:
        """See the port."""
        statement = "DELETE FROM record WHERE kind = ? AND key = ?"
        return await self._database.write(lambda connection: connection.execute(statement, (kind, key)).rowcount > 0)

    async def append(self, kind: str, at: Instant, value: Any) -> int:
        """See the port."""
        body = self._encoder.encode(value)

        def work(connection: sqlite3.Connection, numbers: Numbers) -> int:
            number = numbers.add(kind, at)
            connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", seal("log", [(number, kind, at, body)])[0])
            return number

        return await self._changes.write(work)

    async def tail(self, kind: str, shape: type[T], *, before: int = 0, limit: int = 100) -> list[tuple[int, Instant, T]]:
        """See the port."""
        statement = f"{select('log')} WHERE kind = ? AND (? = 0 OR seq < ?) ORDER BY seq DESC LIMIT ?"
        rows = await self._rows("log", statement, (kind, before, before, limit))
        return [(seq, at, msgspec.msgpack.decode(body, type=shape)) for seq, _, at, body, _ in rows]

    async def _rows(self, table: str, statement: str, values: tuple[Any, ...]) -> list[Any]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            with any_text(connection):
                return connection.execute(statement, values).fetchall()

        rows = await self._database.read(work)
        for row in rows:
            if not is_whole(table, row):
                log.error("%s", damage(table, key_of(table, row)))
        return [row for row in rows if is_whole(table, row)]


class SqliteRequests:
    """See the port."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def claim(self, identity: str, payload: str, at: Instant) -> Claim:
        """See the port. Claims that are too old or too many are removed."""

        def work(connection: sqlite3.Connection) -> Claim:
            connection.execute("DELETE FROM request WHERE at < ?", (at - REQUESTS_KEPT,))
            connection.execute("INSERT OR IGNORE INTO request (id, at, payload) VALUES (?, ?, ?)", (identity, at, payload))
            connection.execute(
                "DELETE FROM request WHERE seq <= (SELECT seq FROM request ORDER BY seq DESC LIMIT 1 OFFSET ?)", (self._most,)
            )
            row = connection.execute("SELECT payload, answer FROM request WHERE id = ?", (identity,)).fetchone()
            return Claim(*row)

        return await self._database.write(work)

    async def finish(self, identity: str, answer: bytes) -> None:
        """See the port."""
        await self._database.write(
            lambda connection: connection.execute("UPDATE request SET answer = ? WHERE id = ?", (answer, identity))
        )
