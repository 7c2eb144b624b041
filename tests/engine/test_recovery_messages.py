"""What is told of a journal that cannot be written is what is the matter with it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from setpoint.engine.embedded.recovery import unwritable


def test_a_locked_journal_is_told_as_locked_and_not_as_full(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    holder, other = sqlite3.connect(path, isolation_level=None), sqlite3.connect(path, timeout=0)
    holder.execute("CREATE TABLE one (a)")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("INSERT INTO one VALUES (1)")
    said = unwritable(path, caught.value)
    assert "another process holds a lock on it" in said
    assert "make room" not in said
    holder.close()
    other.close()


def test_a_full_disk_is_told_with_what_is_free(tmp_path: Path) -> None:
    said = unwritable(tmp_path / "journal.sqlite", sqlite3.OperationalError("database or disk is full"))
    assert "KB are free there" in said
    assert "make room" in said
