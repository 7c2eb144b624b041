"""History: what was decided, line by line, in the order in which it became durable."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from setpoint.core.instructions import Event
from setpoint.model.time import Instant
from setpoint.store.database import Database
from setpoint.store.sums import RowDamaged, any_text, is_whole

_CHUNK = 500


class Line(msgspec.Struct, frozen=True):
    """One event of one entity."""

    seq: int
    """Rises; the cursor of queries."""
    at: Instant
    entity: str
    application: str
    event: Event


class History:
    """Reads lines; only turns write them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._decoder = msgspec.msgpack.Decoder(Event)
        self._followers: set[asyncio.Event] = set()
        self._closed = False

    async def lines(
        self,
        *,
        entities: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        application: str = "",
        since: Instant = 0,
        until: Instant = 0,
        before: int = 0,
        after: int = 0,
        limit: int = 100,
    ) -> list[Line]:
        """The newest ``limit`` lines, newest first; or with ``after`` the oldest from after that line, oldest first.

        ``entities`` (or ``prefixes`` of their names) and ``application`` narrow; ``since`` ≤ at < ``until`` (0: open);
        ``before`` is the cursor to older lines.
        """
        where, values = _conditions(application, since, until, before, after)
        where, values = _among(entities, prefixes, where, values)
        order = "ASC" if after else "DESC"
        statement = f"SELECT seq, at, entity, application, event, sum FROM history {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - fixed texts
        return await self._database.read(lambda connection: self._select(connection, statement, (*values, limit)))

    async def kinds(self) -> set[str]:
        """Every kind of event that there is; reads all of them."""
        found: set[str] = set()
        after = 0
        while lines := await self.lines(after=after or -1, limit=_CHUNK):
            found.update(line.event.kind for line in lines)
            after = lines[-1].seq
        return found

    async def last(self) -> int:
        """Number of the newest line; 0: none."""
        found = await self._database.read(
            lambda connection: connection.execute("SELECT coalesce(max(seq), 0) FROM history").fetchone()
        )
        return int(found[0])

    async def follow(self, *, after: int | None = None) -> AsyncIterator[Line]:
        """Every line from after ``after`` (None: from now on), for ever; ends when the engine does."""
        position = await self.last() if after is None else after
        news = asyncio.Event()
        self._followers.add(news)
        try:
            while not self._closed:
                news.clear()
                while not self._closed and (found := await self._after(position)):
                    for line in found:
                        yield line
                    position = found[-1].seq
                if not self._closed:
                    await news.wait()
        finally:
            self._followers.discard(news)

    def notify(self) -> None:
        """Lines became durable."""
        for news in self._followers:
            news.set()

    def close(self) -> None:
        """End every follower."""
        self._closed = True
        self.notify()

    async def _after(self, position: int) -> list[Line]:
        statement = "SELECT seq, at, entity, application, event, sum FROM history WHERE seq > ? ORDER BY seq LIMIT ?"
        return await self._database.read(lambda connection: self._select(connection, statement, (position, _CHUNK)))

    def _select(self, connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> list[Line]:
        with any_text(connection):
            return [self._line(row) for row in connection.execute(statement, values)]

    def _line(self, row: tuple[Any, ...]) -> Line:
        """One that is damaged stays in its place, and says so."""
        if not is_whole("history", row):
            seq = row[0] if isinstance(row[0], int) else 0
            return Line(seq, 0, "", "", Event("damaged", str(RowDamaged("history", seq))))
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


def _conditions(application: str, since: Instant, until: Instant, before: int, after: int) -> tuple[str, list[Any]]:
    conditions = {
        "application = ?": application,
        "at >= ?": since,
        "at < ?": until,
        "seq < ?": before,
        "seq > ?": after,
    }
    used = {text: value for text, value in conditions.items() if value}
    return ("WHERE " + " AND ".join(used) if used else ""), list(used.values())
