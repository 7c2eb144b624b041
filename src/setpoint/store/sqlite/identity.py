"""Which database belongs to a data directory: a marker beside the file carries its identity and how far it had come.

A database that is gone, empty, another one or an older copy looks like a fresh or a whole one to SQLite. Taken for it, the engine
would start empty, leave services alone, or decide again what was decided. It is refused instead, with the commands to recover.
"""

from __future__ import annotations

import ctypes
import secrets
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from setpoint.durable import files, records
from setpoint.store.port import RecoveryDecision
from setpoint.store.sqlite.errors import lost, translated

SUFFIX = ".marker"
_KIND = "marker"
_PARTS = ("", "-wal", "-shm")


class Marker(msgspec.Struct, frozen=True):
    """What is known of the database outside of it."""

    identity: int
    generation: int
    """Rises with each start and while the engine runs; the database is never behind it."""


class FileIdentity(NamedTuple):
    """Where a file lies on the disk, and how long it is."""

    device: int
    inode: int
    size: int


def before_opening(path: Path, recovery: RecoveryDecision) -> None:
    """Refuse a database that is not there although there was one, before SQLite makes an empty one; or clear the place for it.

    Raises:
        StoreLost. OSError.
    """
    if recovery is RecoveryDecision.EMPTY:
        _set_aside(path)
    elif (recovery is RecoveryDecision.RESTORED or marker_of(path) is not None) and (wrong := _missing(path)):
        raise lost(path, wrong)


def claim(connection: sqlite3.Connection, path: Path, recovery: RecoveryDecision) -> int:
    """Compare the open database with the marker, and count this start in both; its identity.

    Raises:
        StoreLost. OSError, sqlite3.Error.
    """
    identity, generation = _values(connection)
    if recovery is RecoveryDecision.RESTORED:
        # Another identity: what was done after the backup was taken is not taken for what is done from now on.
        return advance(connection, path, 0, generation)
    _compare(path, marker_of(path), identity, generation)
    return advance(connection, path, identity, generation)


def look_from_outside(path: Path) -> None:
    """Whether an engine could use the database, while none does; changes nothing. Raises StoreError."""
    with translated(path):
        marker = marker_of(path)
        if marker is not None:
            _look(path, marker)


def _look(path: Path, marker: Marker) -> None:
    if wrong := _missing(path):
        raise lost(path, wrong)
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        _compare(path, marker, *_values(connection))
    finally:
        connection.close()


def _compare(path: Path, marker: Marker | None, identity: int, generation: int) -> None:
    if marker is not None and identity != marker.identity:
        raise lost(path, "is another one than this data directory had")
    if marker is not None and generation < marker.generation:
        raise lost(path, f"is an older copy: it has come to generation {generation}, and was at {marker.generation}")


def advance(connection: sqlite3.Connection, path: Path, identity: int, generation: int) -> int:
    """Raise the generation, in the database first: a crash in between leaves it ahead of the marker, never behind.

    ``identity`` 0: a new one. Returns it. Raises OSError, sqlite3.Error.
    """
    identity = identity or secrets.randbits(62) | 1
    connection.execute("BEGIN IMMEDIATE")
    try:
        for row in (("identity", identity), ("generation", generation + 1)):
            connection.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", row)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    records.write(path.with_suffix(SUFFIX), _KIND, Marker(identity, generation + 1))
    return identity


def raise_generation(connection: sqlite3.Connection, path: Path) -> None:
    """An older copy of a database that runs for weeks is to be recognised, too."""
    advance(connection, path, *_values(connection))


def marker_of(path: Path) -> Marker | None:
    """None: this data directory has had no database yet. Raises StoreLost for one that cannot be read."""
    try:
        return records.read(path.with_suffix(SUFFIX), _KIND, Marker)
    except FileNotFoundError:
        return None
    except (records.Damaged, records.OtherFormat) as error:
        raise lost(path, f"cannot be recognised: {error}") from error


def place_of(path: Path) -> FileIdentity | None:
    """None: the file does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino, found.st_size)


def changed(path: Path, opened: FileIdentity, now: FileIdentity | None) -> str:
    """What became of a file that was ``opened``; empty: nothing that matters."""
    if now is None:
        return f"was deleted while the engine ran ({path.name})"
    if now[:2] != opened[:2]:
        return f"was replaced by another file while the engine ran ({path.name})"
    if now.size < opened.size:
        return f"was cut short while the engine ran ({path.name}: {now.size:,} bytes, it had {opened.size:,})"
    return ""


def _values(connection: sqlite3.Connection) -> tuple[int, int]:
    found = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('identity', 'generation')"))
    return found.get("identity", 0), found.get("generation", 0)


def _missing(path: Path) -> str:
    try:
        return "" if path.stat().st_size else "is empty"
    except FileNotFoundError:
        return "is gone"


def _set_aside(path: Path) -> None:
    """The old database is kept, whatever state it is in; the marker goes last, so that this can be done again."""
    name = time.strftime("lost-%Y%m%dT%H%M%SZ", time.gmtime())
    for part in _PARTS:
        there = path.with_name(path.name + part)
        if there.exists():
            files.rename(there, path.with_name(f"{path.stem}.{name}.db{part}"))
    files.remove(path.with_suffix(SUFFIX), sync=True)


def keep_open(connection: sqlite3.Connection) -> None:
    """Never close a connection to a file that is gone: SQLite would remove the log of the file that took its place."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
