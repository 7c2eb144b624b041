"""Identified requests: what each asked for and what it returned, so that one sent twice is carried out once.

A claim is durable before its command starts. Claims are kept for ``KEPT`` and at most ``MOST`` of them, the newest.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from setpoint.model.time import HOUR, Duration, Instant
from setpoint.store.database import Database

KEPT: Duration = 24 * HOUR
MOST = 10_000


class Claim(NamedTuple):
    """What is stored of a request."""

    payload: str
    """Digest of what it asked for."""
    answer: bytes | None
    """What its command returned; None: it has not ended, or ended with an error."""


class Requests:
    """Claims by identity. Every method raises sqlite3.Error when the file cannot be written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, identity: str, payload: str, at: Instant) -> Claim:
        """Store the claim unless there is one already; return the stored one. Claims that are too old or too many are removed."""

        def work(connection: sqlite3.Connection) -> Claim:
            connection.execute("DELETE FROM request WHERE at < ?", (at - KEPT,))
            connection.execute("INSERT OR IGNORE INTO request (id, at, payload) VALUES (?, ?, ?)", (identity, at, payload))
            connection.execute(
                "DELETE FROM request WHERE seq <= (SELECT seq FROM request ORDER BY seq DESC LIMIT 1 OFFSET ?)", (MOST,)
            )
            row = connection.execute("SELECT payload, answer FROM request WHERE id = ?", (identity,)).fetchone()
            return Claim(*row)

        return await self._database.write(work)

    async def finish(self, identity: str, answer: bytes) -> None:
        """Store what the command returned."""
        await self._database.write(
            lambda connection: connection.execute("UPDATE request SET answer = ? WHERE id = ?", (answer, identity))
        )
