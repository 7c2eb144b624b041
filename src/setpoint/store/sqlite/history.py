"""Lines of history as rows, in the order in which they became durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from setpoint.core.instructions import Event
from setpoint.model.time import Instant
from setpoint.store.port import Line
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import any_text, damage, is_whole

_CHUNK = 500


class SqliteHistory:
    """See the port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._decoder = msgspec.msgpack.Decoder(Event)

    async def lines(
        self,
        *,
        entities: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        application: str = "",
        since: Instant = 0,
        until: Instant = 0,
        before: int = 0,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Line]:
        """See the port."""
        where, values = _conditions(application, since, until, before, after)
        where, values = _among(entities, prefixes, where, values)
        order = "DESC" if after is None else "ASC"
        statement = f"SELECT seq, at, entity, application, event, sum FROM history {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - fixed texts
        return await self._database.read(lambda connection: self._select(connection, statement, (*values, limit)))

    async def kinds(self) -> set[str]:
        """See the port."""
        found: set[str] = set()
        after = 0
        while lines := await self.lines(after=after, limit=_CHUNK):
            found.update(line.event.kind for line in lines)
            after = lines[-1].seq
        return found

    def _select(self, connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> list[Line]:
        with any_text(connection):
            return [self._line(row) for row in connection.execute(statement, values)]

    def _line(self, row: tuple[Any, ...]) -> Line:
        """Return one entry; a damaged one stays in its place, marked as such."""
        if not is_whole("history", row):
            seq = row[0] if isinstance(row[0], int) else 0
            return Line(seq, 0, "", "", Event("damaged", str(damage("history", seq))))
        seq, at, entity, application, event, _ = row
        return Line(seq, at, entity, application, self._decoder.decode(event))


def _among(entities: Sequence[str], prefixes: Sequence[str], where: str, values: list[Any]) -> tuple[str, list[Any]]:
    """Narrow to some entities; none: to nothing."""
    if not entities and not prefixes:
        return where, values
    named = f"entity IN ({', '.join('?' * len(entities))})"
    begins = ["entity >= ? AND entity < ?" for _ in prefixes]
    ends = [bound for prefix in prefixes for bound in (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))]
    return f"{where} {'AND' if where else 'WHERE'} ({' OR '.join([named, *begins])})", [*values, *entities, *ends]


def _conditions(application: str, since: Instant, until: Instant, before: int, after: int | None) -> tuple[str, list[Any]]:
    conditions = {
        "application = ?": application,
        "at >= ?": since,
        "at < ?": until,
        "seq < ?": before,
    }
    used = {text: value for text, value in conditions.items() if value}
    if after is not None:
        used["seq > ?"] = after
    return ("WHERE " + " AND ".join(used) if used else ""), list(used.values())
