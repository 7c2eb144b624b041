"""A database that is deleted, emptied or replaced, while the engine runs or not, is never taken for a fresh one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.hosts import database_of, make
from tests.engine.toy import Outside, tell
from tests.support.eventually import eventually

from setpoint.engine.embedded import host
from setpoint.store.port import RecoveryDecision, StoreDamaged, StoreLost
from setpoint.store.sqlite.database import Database

NAME = "setpoint.db"


def delete(home: Path) -> None:
    for path in home.glob(f"{NAME}*"):
        path.unlink()


def delete_alone(home: Path) -> None:
    (home / NAME).unlink()


def empty(home: Path) -> None:
    os.truncate(home / NAME, 0)


def cut(home: Path) -> None:
    os.truncate(home / NAME, (home / NAME).stat().st_size - 4096)


def replace_by_another(home: Path) -> None:
    other = Database(home / "other" / NAME)
    other.path.parent.mkdir()
    other.open()
    other.close()
    delete(home)
    other.path.rename(home / NAME)


def replace_by_a_copy(home: Path) -> None:
    delete(home)
    shutil.copy(home / "backup", home / NAME)


WRECKS = [delete, delete_alone, empty, replace_by_another, replace_by_a_copy]
Wreck = Callable[[Path], None]


def _aside(home: Path) -> list[Path]:
    return list(home.glob("setpoint.lost-*.db"))


async def lived(home: Path) -> None:
    """An engine was here, twice; a backup was taken after the first time."""
    for message in ("one", "two"):
        async with make(home, Outside()) as engine:
            await engine.post("toy:a", tell(message))
        if message == "one":
            shutil.copy(home / NAME, home / "backup")


@pytest.mark.parametrize("wreck", WRECKS, ids=lambda wreck: wreck.__name__)
async def test_it_is_refused_at_the_start_with_the_commands_to_recover(wreck: Wreck, tmp_path: Path) -> None:
    await lived(tmp_path)
    wreck(tmp_path)
    there = (tmp_path / NAME).exists()
    with pytest.raises(StoreLost, match=r"--accept-restored.*--start-empty"):
        async with make(tmp_path, Outside()):
            pass
    assert (tmp_path / NAME).exists() == there, "no empty one was made"


@pytest.mark.parametrize("wreck", [*WRECKS, cut], ids=lambda wreck: wreck.__name__)
@pytest.mark.parametrize("idle", [True, False], ids=["idle", "writing"])
async def test_a_running_engine_stops_and_confirms_nothing(
    wreck: Wreck, idle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_GUARD", 0.01 if idle else 60)
    await lived(tmp_path)
    engine = make(tmp_path, Outside())
    with pytest.raises(StoreLost, match="while the engine ran"):  # noqa: PT012 - it ends with the block
        async with engine:
            await engine.post("toy:a", tell("three"))
            # Into the file, so that there is something to cut.
            await database_of(engine).read(lambda connection: connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall())
            wreck(tmp_path)
            if idle:
                await eventually(lambda: engine.health().status == "stopped")
            else:
                with pytest.raises(Exception, match="while the engine ran"):
                    await engine.post("toy:a", tell("four"))
    assert "--start-empty" in engine.health().reason
    with pytest.raises((StoreLost, StoreDamaged), match="--start-empty"):
        async with make(tmp_path, Outside()):
            pass


async def test_what_took_its_place_is_left_alone_when_the_engine_stops(tmp_path: Path) -> None:
    await lived(tmp_path)
    with pytest.raises(StoreLost):  # noqa: PT012 - it ends with the block
        async with make(tmp_path, Outside()) as engine:
            await engine.post("toy:a", tell("three"))
            delete(tmp_path)
            (tmp_path / NAME).write_bytes(b"a backup")
            (tmp_path / f"{NAME}-wal").write_bytes(b"its log")
    assert (tmp_path / f"{NAME}-wal").read_bytes() == b"its log"
    assert (tmp_path / NAME).read_bytes() == b"a backup"


async def test_starting_empty_keeps_the_old_file_aside(tmp_path: Path) -> None:
    await lived(tmp_path)
    whole = (tmp_path / NAME).read_bytes()
    async with make(tmp_path, Outside(), recovery=RecoveryDecision.EMPTY) as engine:
        assert await engine.read("toy:a") is None
        identity = engine.store.identity
    assert [path.read_bytes() for path in _aside(tmp_path)] == [whole]
    async with make(tmp_path, Outside()) as engine:
        assert engine.store.identity == identity, "an ordinary start again"


async def test_a_restored_backup_goes_on_as_another_database(tmp_path: Path) -> None:
    await lived(tmp_path)
    async with make(tmp_path, Outside()) as engine:
        before = engine.store.identity
    replace_by_a_copy(tmp_path)
    async with make(tmp_path, Outside(), recovery=RecoveryDecision.RESTORED) as engine:
        assert await engine.read("toy:a") is not None
        assert engine.store.identity not in {0, before}, "what was done since the backup is not taken for what is done now"
    async with make(tmp_path, Outside()):
        pass
    delete(tmp_path)
    with pytest.raises(StoreLost, match="is gone"):
        async with make(tmp_path, Outside(), recovery=RecoveryDecision.RESTORED):
            pass


async def test_a_data_directory_without_a_marker_gets_one(tmp_path: Path) -> None:
    """The very first start was killed before it wrote the marker, or the database was moved to another machine."""
    await lived(tmp_path)
    (tmp_path / "setpoint.marker").unlink()
    async with make(tmp_path, Outside()) as engine:
        assert await engine.read("toy:a") is not None
    assert (tmp_path / "setpoint.marker").exists()


async def test_a_copy_taken_while_the_engine_ran_is_older_than_what_came_after(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(host, "_GUARD", 0.01)
    monkeypatch.setattr(host, "_GENERATION", 0.0)
    async with make(tmp_path, Outside()) as engine:
        await engine.post("toy:a", tell("one"))
        with sqlite3.connect(tmp_path / NAME) as source, sqlite3.connect(tmp_path / "backup") as target:
            source.backup(target)
        source.close()
        target.close()
        marker = (tmp_path / "setpoint.marker").read_bytes()
        await engine.post("toy:a", tell("two"))
        await eventually(lambda: (tmp_path / "setpoint.marker").read_bytes() != marker)
    replace_by_a_copy(tmp_path)
    with pytest.raises(StoreLost, match="older copy"):
        async with make(tmp_path, Outside()):
            pass


async def test_a_damaged_marker_is_no_excuse(tmp_path: Path) -> None:
    await lived(tmp_path)
    data = bytearray((tmp_path / "setpoint.marker").read_bytes())
    data[-4] ^= 1
    (tmp_path / "setpoint.marker").write_bytes(data)
    with pytest.raises(StoreLost, match="damaged"):
        async with make(tmp_path, Outside()):
            pass
    async with make(tmp_path, Outside(), recovery=RecoveryDecision.RESTORED) as engine:
        assert await engine.read("toy:a") is not None
