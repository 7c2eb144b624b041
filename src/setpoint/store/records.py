"""Small durable things that are no actors: people's tokens, audit records, settings – whatever a floor above keeps.

Two shapes: *records*, each replaced as a whole under (kind, key), and *logs*, numbered lines of a kind that are never changed.
Values are msgspec structs or JSON-able. A value is durable when the call returns.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from setpoint.model.time import Instant
from setpoint.store.database import Database

T = TypeVar("T")


class Records:
    """Puts and gets. Every method raises sqlite3.Error when the file cannot be written or read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._encoder = msgspec.msgpack.Encoder()

    async def put(self, kind: str, key: str, value: Any) -> None:
        """Store or replace."""
        body = self._encoder.encode(value)
        await self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, key, body))
        )

    async def get(self, kind: str, key: str, shape: type[T]) -> T | None:
        """The value as ``shape``; None: there is none. Raises msgspec.ValidationError."""
        statement = "SELECT body FROM record WHERE kind = ? AND key = ?"
        row = await self._database.read(lambda connection: connection.execute(statement, (kind, key)).fetchone())
        return None if row is None else msgspec.msgpack.decode(row[0], type=shape)

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        """Every record of a kind, in order of keys."""
        statement = "SELECT key, body FROM record WHERE kind = ? ORDER BY key"
        rows = await self._database.read(lambda connection: connection.execute(statement, (kind,)).fetchall())
        return {key: msgspec.msgpack.decode(body, type=shape) for key, body in rows}

    async def delete(self, kind: str, key: str) -> bool:
        """Remove; whether it was there."""
        statement = "DELETE FROM record WHERE kind = ? AND key = ?"
        return await self._database.write(lambda connection: connection.execute(statement, (kind, key)).rowcount > 0)

    async def append(self, kind: str, at: Instant, value: Any) -> int:
        """Add a line to a log; its number, which rises over all kinds."""
        body = self._encoder.encode(value)
        statement = "INSERT INTO log (kind, at, body) VALUES (?, ?, ?)"
        cursor = await self._database.write(lambda connection: connection.execute(statement, (kind, at, body)))
        return cursor.lastrowid or 0

    async def tail(self, kind: str, shape: type[T], *, before: int = 0, limit: int = 100) -> list[tuple[int, Instant, T]]:
        """The newest lines (number, when, value), newest first; ``before`` is the cursor to older ones."""
        statement = "SELECT seq, at, body FROM log WHERE kind = ? AND (? = 0 OR seq < ?) ORDER BY seq DESC LIMIT ?"
        rows = await self._database.read(
            lambda connection: connection.execute(statement, (kind, before, before, limit)).fetchall()
        )
        return [(seq, at, msgspec.msgpack.decode(body, type=shape)) for seq, at, body in rows]
