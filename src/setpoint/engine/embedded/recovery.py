"""Getting the memory image from the journal: at the start, and again when the journal could not be written for a while."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from setpoint.engine.embedded.journal import load, next_boot
from setpoint.engine.embedded.world import World
from setpoint.engine.errors import EngineDegraded
from setpoint.engine.port import Codec
from setpoint.store.database import Database, JournalDamaged

_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PROBE = 512 * 1024
"""Bytes that must be writable before a full disk counts as emptied."""


def unwritable(path: Path, error: BaseException) -> str:
    """What is the matter, and what to do."""
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
        way = "another process holds a lock on it: end that process, such as a backup or a shell of SQLite"
        return f"the journal {path} cannot be written: {error}. No new work is started; {way}"
    return f"the journal {path} cannot be written: {error} ({_free(path)}). No new work is started; make room or repair it"


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free // 1024:,} KB are free there"
    except OSError as error:
        return f"its directory cannot be looked at: {error.strerror}"


async def open_and_load(database: Database, codec: Codec) -> tuple[int, World]:
    """The number of this start, and everything that is durable.

    Raises:
        JournalDamaged: it cannot be read; it is left as it is.
        EngineDegraded: it can be read but not written. DatabaseLost: it is not the one that was here.
    """
    try:
        database.open()
        return await database.write(next_boot), await database.write(lambda connection: load(connection, codec))
    except (sqlite3.OperationalError, OSError) as error:
        raise EngineDegraded(unwritable(database.path, error)) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:  # a message of SQLite may quote what is damaged
        raise JournalDamaged(database.path, error) from error


async def load_if_writable(database: Database, codec: Codec) -> World | str:
    """Everything that is durable, if there is room to go on; else what is the matter."""

    def probe(connection: sqlite3.Connection) -> World:
        connection.execute("INSERT INTO file VALUES ('probe', zeroblob(?))", (_PROBE,))
        connection.execute("DELETE FROM file WHERE sha256 = 'probe'")
        return load(connection, codec)

    try:
        return await database.write(probe)
    except (sqlite3.Error, OSError) as error:
        return unwritable(database.path, error)
