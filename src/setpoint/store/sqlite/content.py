"""Compiled specs and files, kept by what they contain: put once, never changed, there as long as a rollback may want them."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

from setpoint.model.spec import Spec
from setpoint.store.port import sha256_of
from setpoint.store.sqlite import bulk
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import check, damage, seal, select

_CACHED = 16_384


def whole(sha256: str, content: bytes) -> bytes:
    """The content, if it is the one of this name. Raises RowDamaged."""
    if sha256_of(content) != sha256:
        raise damage("file", sha256)
    return content


class SqliteContent:
    """Specs by digest, files by SHA-256."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Spec)
        self._specs: OrderedDict[str, Spec] = OrderedDict()

    @property
    def identity(self) -> int:
        """See the port."""
        return self._database.identity

    async def put(self, specs: Iterable[Spec] = (), files: Iterable[bytes] = ()) -> None:
        """See the port."""
        specs = list(specs)
        spec_rows = seal("spec", [(_digest(spec), self._encoder.encode(spec)) for spec in specs])
        file_rows = [(sha256_of(content), content) for content in files]

        def work(connection: sqlite3.Connection) -> None:
            bulk.insert(connection, "INSERT OR IGNORE INTO spec", spec_rows)
            bulk.insert(connection, "INSERT OR IGNORE INTO file", file_rows)

        await self._database.write(work)
        for spec in specs:
            self._cache(spec)

    async def spec(self, digest: str) -> Spec | None:
        """See the port."""
        found = self._specs.get(digest)
        if found is not None:
            self._specs.move_to_end(digest)
            return found
        row = await self._one(f"{select('spec')} WHERE digest = ?", digest)
        if row is None:
            return None
        check("spec", row)
        return self._cache(self._decoder.decode(row[1]))

    async def file(self, sha256: str) -> bytes | None:
        """See the port."""
        row = await self._one("SELECT body FROM file WHERE sha256 = ?", sha256)
        return None if row is None else whole(sha256, bytes(row[0]))

    def _cache(self, spec: Spec) -> Spec:
        self._specs[spec.digest] = spec
        if len(self._specs) > _CACHED:
            self._specs.popitem(last=False)
        return spec

    async def _one(self, statement: str, key: str) -> Any:
        return await self._database.read(lambda connection: connection.execute(statement, (key,)).fetchone())


def _digest(spec: Spec) -> str:
    if not spec.digest:
        raise ValueError(f"the spec of {spec.instance} has no digest: seal it before it is stored")
    return spec.digest
