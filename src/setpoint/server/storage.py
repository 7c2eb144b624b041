"""The database of a data directory: the one place that chooses which kind of store it is."""

from __future__ import annotations

from pathlib import Path

from setpoint.store import sqlite
from setpoint.store.port import RecoveryDecision, Store

_NAME = "setpoint.db"


def store_of(home: Path, recovery: RecoveryDecision = RecoveryDecision.NONE) -> Store:
    """The store, not open yet."""
    return sqlite.SqliteStore(home / _NAME, recovery)


def look_from_outside(home: Path) -> None:
    """Whether an engine could use the store, while none does; changes nothing. Raises StoreError."""
    sqlite.look_from_outside(home / _NAME)
