"""The store in one SQLite file on one machine."""

from setpoint.store.sqlite.identity import look_from_outside
from setpoint.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "look_from_outside"]
