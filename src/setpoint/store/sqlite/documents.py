"""Revisions of the configuration as rows; contents are stored once however many revisions have them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from setpoint.model.time import Instant
from setpoint.store.port import Revision, sha256_of
from setpoint.store.sqlite import bulk
from setpoint.store.sqlite.changes import Numbers, SqliteChanges
from setpoint.store.sqlite.content import whole
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import check, seal, select


class SqliteDocuments:
    """See the port."""

    def __init__(self, database: Database, changes: SqliteChanges) -> None:
        self._database = database
        self._changes = changes

    async def save(self, files: Mapping[str, bytes], executable: Collection[str] = (), *, at: Instant, person: str) -> Revision:
        """See the port."""
        hashes = {path: sha256_of(content) for path, content in files.items()}
        programs = frozenset(executable)
        identity = sorted((path, sha, path in programs) for path, sha in hashes.items())
        digest = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:16]

        def work(connection: sqlite3.Connection, numbers: Numbers) -> Revision:
            newest = _newest(connection)
            if newest is not None and newest.digest == digest:
                return newest
            revision = Revision(newest.number + 1 if newest else 1, digest, at, person)
            connection.execute(
                "INSERT INTO revision VALUES (?, ?, ?, ?, ?)", seal("revision", [msgspec.structs.astuple(revision)])[0]
            )
            bulk.insert(connection, "INSERT OR IGNORE INTO file", [(hashes[path], content) for path, content in files.items()])
            rows = seal("revision_file", [(revision.number, path, sha, int(path in programs)) for path, sha in hashes.items()])
            bulk.insert(connection, "INSERT INTO revision_file", rows)
            numbers.add("configuration", at)
            return revision

        return await self._changes.write(work)

    async def newest(self) -> Revision | None:
        """See the port."""
        return await self._database.read(_newest)

    async def revisions(self, *, limit: int = 100) -> list[Revision]:
        """See the port."""
        statement = f"{select('revision')} ORDER BY number DESC LIMIT ?"
        rows = await self._database.read(lambda connection: connection.execute(statement, (limit,)).fetchall())
        return [_revision(row) for row in rows]

    async def load(self, number: int) -> dict[str, bytes]:
        """See the port."""
        statement = (
            "SELECT r.number, r.path, r.sha256, r.executable, r.sum, f.body FROM revision_file r LEFT JOIN file f USING (sha256) "
            "WHERE r.number = ? ORDER BY r.path"
        )
        rows = await self._database.read(lambda connection: connection.execute(statement, (number,)).fetchall())
        for row in rows:
            check("revision_file", row[:-1])
        return {path: whole(sha256, bytes(body or b"")) for _, path, sha256, _, _, body in rows}

    async def executables(self, number: int) -> list[str]:
        """See the port."""
        statement = f"{select('revision_file')} WHERE number = ? ORDER BY path"
        rows = await self._database.read(lambda connection: connection.execute(statement, (number,)).fetchall())
        for row in rows:
            check("revision_file", row)
        return [path for _, path, _, executable, _ in rows if executable]


def _newest(connection: sqlite3.Connection) -> Revision | None:
    row = connection.execute(f"{select('revision')} ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else _revision(row)


def _revision(row: Any) -> Revision:
    check("revision", row)
    return Revision(*row[:-1])
