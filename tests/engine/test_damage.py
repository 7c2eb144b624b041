"""Bytes that flip on the disk are found when they are read, named, and never decided upon; what is beside them goes on."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.engine.hosts import make
from tests.engine.toy import Outside, ToyCodec, tell
from tests.support.eventually import eventually

from setpoint.control.queries.doctor import damaged_files
from setpoint.engine.embedded.recovery import world_of
from setpoint.model.spec import Spec, Version, Workload
from setpoint.store.port import RowDamaged, sha256_of
from setpoint.store.sqlite.journal import load
from setpoint.store.sqlite.schema import OtherSchema, migrate
from setpoint.store.sqlite.sums import TABLES, any_text, is_whole, seal, select

NAME = "setpoint.db"
SPEC = Spec("saas/web@production", "local", Version("1.0"), Workload("process", {"command": ["web"]})).sealed()
FILES = {"a.yaml": b"kind: Service\n", "b.yaml": b"kind: Runtime\n"}
OFFSETS = 400


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """A data directory with at least one row in each table, its database in one file."""
    home = tmp_path / "home"
    async with make(home, Outside()) as engine:
        for message in ("one", "two"):
            for toy in ("toy:a", "toy:b", "toy:c"):
                await engine.post(toy, tell(message))
        await engine.store.content.put([SPEC], FILES.values())
        await engine.store.documents.save(FILES, at=1, person="ada")
        await engine.store.records.put("kind", "key", {"a": 1})
        await engine.store.records.append("audit", 5, {"b": 2})
        await eventually(lambda: not engine.health().queued)
    with sqlite3.connect(home / NAME) as connection:
        for table, row in ROWS.items():
            seal_and_insert(connection, table, row)
    connection.close()
    return home


ROWS: dict[str, tuple[Any, ...]] = {
    "inbox": (1_000, "toy:b", b"no fact", 1),
    "operation": ("toy:b/1", "toy:b", b"no instruction"),
    "publication": ("toy:c", b"no fact"),
    "subscription": ("toy:c", "toy:b"),
    "actor_fixed": (1, b""),
    "history": (1_000, 5, "toy:b", "saas", b"\x80"),
}
"""What toys do not write themselves."""


def seal_and_insert(connection: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> None:
    marks = ", ".join("?" * (len(row) + 1))
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", seal(table, [row])[0])


def flipped(value: Any) -> Any:
    match value:
        case None:
            return 1
        case int():
            return value ^ 4096
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 32) if value else "x"
        case _:
            return bytes([*value[:-1], value[-1] ^ 32]) if value else b"x"


COLUMNS = [(table, column) for table, (columns, _) in TABLES.items() for column in (*columns, "sum")]
OWNED = {"actor", "actor_fixed", "inbox", "operation", "publication", "subscription"}
"""What is damaged there is a problem of one entity."""


def test_whatever_column_changes_the_row_is_named_and_its_entity_has_a_problem(home: Path) -> None:
    whole = (home / NAME).read_bytes()
    for table, column in COLUMNS:
        (home / NAME).write_bytes(whole)
        connection = sqlite3.connect(home / NAME, isolation_level=None)
        columns = (*TABLES[table][0], "sum")
        row = connection.execute(f"{select(table)} ORDER BY {columns[0]} DESC LIMIT 1").fetchone()
        where = " AND ".join(f"{name} IS ?" for name in columns)
        value = flipped(row[columns.index(column)])
        changed = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *row)).rowcount
        assert changed == 1, (table, column)
        assert [is_whole(table, row) for row in connection.execute(select(table))].count(False) == 1, (table, column)
        world = world_of(load(connection), ToyCodec())
        assert any("damaged" in text for text in world.problems.values()) == (table in OWNED), (table, column)
        connection.close()


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_a_damaged_row_is_found_by_reading_all_and_the_others_go_on(table: str, home: Path) -> None:
    with sqlite3.connect(home / NAME) as connection:
        connection.execute(f"UPDATE {table} SET sum = sum + 7 WHERE sum = (SELECT max(sum) FROM {table})")
    connection.close()
    async with make(home, Outside()) as engine:
        assert [name for name in await engine.store.damaged() if name.endswith(f"of table {table}")]
        await engine.post("toy:d", tell("goes on"))
        assert engine.health().status == "serving"


async def test_a_state_that_is_damaged_decides_nothing(home: Path) -> None:
    with sqlite3.connect(home / NAME) as connection:
        [number, state] = connection.execute("SELECT id, state FROM actor WHERE entity = 'toy:a'").fetchone()
        connection.execute("UPDATE actor SET state = ? WHERE id = ?", (flipped(state), number))
    connection.close()
    async with make(home, Outside()) as engine:
        before = engine.health().turns
        await engine.post("toy:a", tell("three"))
        await engine.post("toy:b", tell("three"))
        await eventually(lambda: engine.health().turns > before)
        assert await engine.read("toy:a") is None
        assert "is damaged" in engine.problem("toy:a")
        assert not engine.problem("toy:b")
    with sqlite3.connect(home / NAME) as connection:
        assert connection.execute("SELECT state FROM actor WHERE id = ?", (number,)).fetchone()[0] == flipped(state), "kept"
    connection.close()


async def test_a_name_that_is_damaged_is_known_by_its_second_copy(home: Path) -> None:
    _misname(home / NAME, b"toy:c", b"tox:c")
    async with make(home, Outside()) as engine:
        assert (await engine.read("toy:c")).story == ("one", "two")
        assert await engine.scan("tox") == []
        assert [name for name in await engine.store.damaged() if "tox:c of table actor" in name]


def _misname(path: Path, name: bytes, other: bytes) -> None:
    """Change the name in the row, not in the index."""
    data, at = path.read_bytes(), -1
    while (at := data.index(name, at + 1)) >= 0:
        path.write_bytes(data[:at] + other + data[at + len(name) :])
        with sqlite3.connect(path) as connection:
            names = {entity.encode() for (entity,) in connection.execute("SELECT entity FROM actor NOT INDEXED")}
        connection.close()
        if other in names:
            return


def test_a_byte_that_flips_anywhere_is_noticed_or_changes_nothing(home: Path, tmp_path: Path) -> None:
    """Either SQLite finds the file malformed, or the row is found damaged, or all rows are as they were."""
    whole = (home / NAME).read_bytes()
    rows = _rows(home / NAME)
    assert rows is not None
    assert all(is_whole(table, row) for table, row in rows)
    copy, chosen, noticed = tmp_path / "copy.db", random.Random(7), 0
    for _ in range(OFFSETS):
        at, bit = chosen.randrange(100, len(whole)), 1 << chosen.randrange(8)
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        found = _rows(copy)
        if found is None:
            noticed += 1
            continue
        good = [pair for pair in found if is_whole(*pair)]
        assert set(good) <= set(rows), f"byte {at}, bit {bit}: a row passes for one that was never written"
        assert len(found) == len(rows), f"byte {at}, bit {bit}: a row is gone, and nothing says so"
        noticed += len(good) < len(rows)
    assert noticed > OFFSETS // 40, "the bytes that count are among them"


def _rows(path: Path) -> list[tuple[str, tuple[Any, ...]]] | None:
    """Every row; None: the file is found to be malformed. What can be read can be loaded."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            return None
        migrate(connection)
        world_of(load(connection), ToyCodec())
        with any_text(connection):
            return [(table, row) for table in TABLES for row in connection.execute(select(table))]
    except (sqlite3.Error, OtherSchema, UnicodeDecodeError):
        return None
    finally:
        connection.close()
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)


async def test_content_that_is_damaged_is_never_given_out(home: Path) -> None:
    sha256 = sha256_of(FILES["a.yaml"])
    with sqlite3.connect(home / NAME) as connection:
        connection.execute("UPDATE file SET body = ? WHERE sha256 = ?", (flipped(FILES["a.yaml"]), sha256))
        connection.execute("UPDATE spec SET body = ?", (flipped(connection.execute("SELECT body FROM spec").fetchone()[0]),))
    connection.close()
    async with make(home, Outside()) as engine:
        content = engine.store.content
        with pytest.raises(RowDamaged, match=f"{sha256} of table file"):
            await content.file(sha256)
        with pytest.raises(RowDamaged, match=f"{SPEC.digest} of table spec"):
            await content.spec(SPEC.digest)
        with pytest.raises(RowDamaged, match="table file"):
            await engine.store.documents.load(1)
        assert await content.file(sha256_of(FILES["b.yaml"])) == FILES["b.yaml"]
        assert {name.rpartition(" ")[2] for name in await engine.store.damaged()} == {"file", "spec"}


def test_files_that_are_damaged_are_named(home: Path) -> None:
    files = home / "files"
    files.mkdir()
    whole, damaged = files / sha256_of(b"whole"), files / sha256_of(b"damaged")
    whole.write_bytes(b"whole")
    damaged.write_bytes(b"dbmaged")
    assert [str(damaged) in name for name in damaged_files(home)] == [True]


async def test_tables_of_another_build_are_refused(home: Path, tmp_path: Path) -> None:
    for statement in ("ALTER TABLE actor ADD COLUMN more INTEGER", "PRAGMA user_version = 99", "PRAGMA user_version = 1"):
        copy = tmp_path / "copy.db"
        shutil.copy(home / NAME, copy)
        connection = sqlite3.connect(copy, isolation_level=None)
        connection.execute(statement)
        with pytest.raises(OtherSchema, match="start"):
            migrate(connection)
        connection.close()
