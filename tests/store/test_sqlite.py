"""The store in a SQLite file does what every store must, and what its file needs besides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.conformance import BOUNDS, StoreConformance, spec_of, texts, with_lines

from setpoint.store.following import follow_lines
from setpoint.store.port import Bounds, RowDamaged, Store, StoreUnavailable, UnknownNumber
from setpoint.store.sqlite import SqliteStore
from setpoint.store.sqlite.schema import MIGRATIONS
from setpoint.store.sqlite.sums import seal

NAME = "setpoint.db"


class TestSqlite(StoreConformance):
    def make(self, home: Path, bounds: Bounds = BOUNDS) -> Store:
        return SqliteStore(home / NAME, bounds=bounds)

    @contextmanager
    def full(self, store: SqliteStore) -> Iterator[None]:
        connection = store.database.connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        yield
        connection.execute("PRAGMA max_page_count = 1000000")


async def test_a_spec_is_decoded_once(tmp_path: Path) -> None:
    store, spec = SqliteStore(tmp_path / NAME), spec_of("saas/web@a")
    await store.open()
    await store.content.put([spec])
    assert await store.content.spec(spec.digest) is await store.content.spec(spec.digest)
    await store.close()


async def test_a_transaction_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO record VALUES ('k', 'a', x'00', 0)")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    store = SqliteStore(tmp_path / NAME)
    await store.open()
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await store.database.write(work)
    assert await store.records.get("k", "a", dict) is None
    await store.close()


async def test_a_journal_from_before_there_was_a_change_log_goes_on_behind_its_lines(tmp_path: Path) -> None:
    """Lines of history and of logs had numbers of their own then."""
    with sqlite3.connect(tmp_path / NAME) as connection:
        for statement in (statement for statements in MIGRATIONS[:3] for statement in statements):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 3")
        lines = [(number, 1, "toy:a", "", b"\x92\xa3toy\xa3old") for number in (1, 2)]
        connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)", seal("history", lines))
        connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", seal("log", [(9, "audit", 1, b"\x01")])[0])
    connection.close()
    store = SqliteStore(tmp_path / NAME)
    await store.open()
    assert await store.changes.newest() == 9
    assert await store.changes.read(after=2) == []
    with pytest.raises(UnknownNumber, match="from 2 to 9"):
        await store.changes.read(after=1)
    assert await store.records.append("audit", 1, 1) == 10
    await store.journal.commit(with_lines("new"))
    assert [one.number for one in await store.changes.read(after=2)] == [10, 11], "a reader of the last old line misses none"
    reader = follow_lines(store, after=2)
    assert await texts(reader, 1) == ["new"]
    await store.close()


async def test_a_change_that_is_damaged_is_never_returned(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / NAME)
    await store.open()
    await store.records.append("audit", 1, 1)
    await store.database.write(lambda connection: connection.execute("UPDATE change SET kind = 'audiu'"))
    with pytest.raises(RowDamaged, match="row 1 of table change"):
        await store.changes.read(after=0)
    assert any("table change" in name for name in await store.damaged())
    await store.close()
