"""What is told of a journal that cannot be written is what is the matter with it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from setpoint.engine.embedded.recovery import unwritable
from setpoint.store.port import StoreUnavailable
from setpoint.store.sqlite import SqliteStore
from setpoint.store.sqlite.errors import translated


def test_a_locked_journal_is_told_as_locked_and_not_as_full(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    holder, other = sqlite3.connect(path, isolation_level=None), sqlite3.connect(path, timeout=0)
    holder.execute("CREATE TABLE one (a)")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable) as caught, translated(path):
        other.execute("INSERT INTO one VALUES (1)")
    said = unwritable(SqliteStore(path), caught.value)
    assert "another process holds a lock on it" in said
    assert "make room" not in said
    holder.close()
    other.close()


def test_a_full_disk_is_told_with_what_is_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with pytest.raises(StoreUnavailable) as caught, translated(path):
        raise sqlite3.OperationalError("database or disk is full")
    said = unwritable(SqliteStore(path), caught.value)
    assert "KB are free there" in said
    assert "make room" in said
