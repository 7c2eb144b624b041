"""Embedded engines of toys.

The processes that crash tests kill import this module. It imports nothing of pytest, which takes longer than all the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.toy import Outside, ToyCodec, decide, watch

from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.port import Engine
from setpoint.store.port import RecoveryDecision, Store
from setpoint.store.sqlite import SqliteStore
from setpoint.store.sqlite.database import Database


def make(home: Path, outside: Outside, *, recovery: RecoveryDecision = RecoveryDecision.NONE, **options: Any) -> EmbeddedEngine:
    """An embedded engine of toys, on SQLite."""
    return on_store(home, SqliteStore(home / "setpoint.db", recovery), outside, **options)


def on_store(home: Path, store: Store, outside: Outside, **options: Any) -> EmbeddedEngine:
    """An embedded engine of toys."""
    step = {"clock_step": 20} if "clock" in options else {}
    return EmbeddedEngine(
        home, store, **{"decide": decide, "codec": ToyCodec(), "performer": outside, "watch": watch, **step, **options}
    )


def database_of(engine: Engine) -> Database:
    """The SQLite file below an engine made by ``make``."""
    assert isinstance(engine, EmbeddedEngine)
    assert isinstance(engine.store, SqliteStore)
    return engine.store.database
