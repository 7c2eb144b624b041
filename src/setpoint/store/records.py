"""Small durable things that are no actors: people's tokens, audit records, settings – whatever a floor above keeps.

Two shapes: *records*, each replaced as a whole under (kind, key), and *logs*, numbered lines of a kind that are never changed.
Values are msgspec structs or JSON-able. A value is durable when the call returns.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any, TypeVar

import msgspec

from setpoint.model.time import Instant
from setpoint.store.database import Database
from setpoint.store.sums import RowDamaged, any_text, check, is_whole, key_of, seal, select

T = TypeVar("T")
log = logging.getLogger("setpoint.store")


class Records:
    """Puts and gets. Every method raises sqlite3.Error when the file cannot be written or read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._encoder = msgspec.msgpack.Encoder()

    async def put(self, kind: str, key: str, value: Any) -> None:
        """Store or replace."""
        body = self._encoder.encode(value)
        [row] = seal("record", [(kind, key, body)])
        await self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row)
        )

    async def get(self, kind: str, key: str, shape: type[T]) -> T | None:
        """The value as ``shape``; None: there is none. Raises msgspec.ValidationError, RowDamaged."""
        statement = f"{select('record')} WHERE kind = ? AND key = ?"
        row = await self._database.read(lambda connection: connection.execute(statement, (kind, key)).fetchone())
        if row is None:
            return None
        check("record", row)
        return msgspec.msgpack.decode(row[2], type=shape)

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        """Every record of a kind, in order of keys; one that is damaged is left out, and logged."""
        statement = f"{select('record')} WHERE kind = ? ORDER BY key"
        rows = await self._rows("record", statement, (kind,))
        return {key: msgspec.msgpack.decode(body, type=shape) for _, key, body, _ in rows}

    async def delete(self, kind: str, key: str) -> bool:
        """Remove; whether it was there."""
        statement = "DELETE FROM record WHERE kind = ? AND key = ?"
        return await self._database.write(lambda connection: connection.execute(statement, (kind, key)).rowcount > 0)

    async def append(self, kind: str, at: Instant, value: Any) -> int:
        """Add a line to a log; its number, which rises over all kinds."""
        body = self._encoder.encode(value)

        def work(connection: sqlite3.Connection) -> int:
            number: int = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM log").fetchone()[0]
            connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", seal("log", [(number, kind, at, body)])[0])
            return number

        return await self._database.write(work)

    async def tail(self, kind: str, shape: type[T], *, before: int = 0, limit: int = 100) -> list[tuple[int, Instant, T]]:
        """The newest lines (number, when, value), newest first; ``before`` is the cursor to older ones. Damage: as ``all``."""
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
                log.error("%s", RowDamaged(table, key_of(table, row)))
        return [row for row in rows if is_whole(table, row)]
