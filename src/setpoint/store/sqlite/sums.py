"""Checksums of rows: a byte that flipped on the disk is found when its row is read, and never decided upon.

Each table here has a last column ``sum``: a CRC-32 over the name of the table and all other columns, keys included, so that a row
cannot pass for another one either. Files need none: they are found by the SHA-256 of what they contain.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from setpoint.store.port import RowDamaged

TABLES: dict[str, tuple[tuple[str, ...], int]] = {
    "actor": (("id", "entity", "state", "wake_at", "turn", "turns"), 2),
    "actor_fixed": (("id", "state"), 1),
    "turn": (("seq", "previous", "number", "at", "digest", "facts", "fixed", "changing"), 1),
    "inbox": (("seq", "entity", "fact", "aside"), 2),
    "operation": (("id", "entity", "instruction"), 2),
    "publication": (("publisher", "fact"), 1),
    "subscription": (("publisher", "subscriber"), 2),
    "history": (("seq", "at", "entity", "application", "event"), 1),
    "change": (("number", "previous", "at", "kind", "entities"), 1),
    "spec": (("digest", "body"), 1),
    "record": (("kind", "key", "body"), 2),
    "log": (("seq", "kind", "at", "body"), 2),
    "revision": (("number", "digest", "at", "person"), 1),
    "revision_file": (("number", "path", "sha256", "executable"), 2),
}
"""Table -> its columns in order, and how many of them name a row to people."""

_encode = msgspec.msgpack.Encoder().encode
_SEEDS = {table: zlib.crc32(table.encode()) for table in TABLES}
_RESTORE = "stop the engine and restore the newest backup (`setpoint up --accept-restored`)"


def damage(table: str, key: object) -> RowDamaged:
    """A row that is not as it was written."""
    return RowDamaged(f"{name_of(table, key)} is damaged: {_RESTORE}")


def name_of(table: str, key: object) -> str:
    """Return a row as messages name it."""
    return f"the row {key} of table {table}"


def sum_of(table: str, row: Sequence[Any]) -> int:
    """The checksum of a row without its last column. Raises UnicodeEncodeError or TypeError for what was never written."""
    if table == "inbox":  # moved aside in place: counted instead of covered
        return zlib.crc32(_encode(row[:3]), _SEEDS[table]) + int(row[3])
    return zlib.crc32(_encode(row), _SEEDS[table])


def seal(table: str, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows, each with its checksum as the last column."""
    return [(*row, sum_of(table, row)) for row in rows]


def is_whole(table: str, row: Sequence[Any]) -> bool:
    """Whether a row, its checksum being the last column, is as it was written."""
    try:
        return bool(sum_of(table, row[:-1]) == row[-1])
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
        return False


def check(table: str, row: Sequence[Any]) -> None:
    """Raises RowDamaged."""
    if not is_whole(table, row):
        raise damage(table, key_of(table, row))


def key_of(table: str, row: Sequence[Any]) -> str:
    """What names the row to people, however damaged it is."""
    return " ".join(str(part).encode("utf-8", "replace").decode() for part in row[: TABLES[table][1]])


def select(table: str) -> str:
    """All columns of all rows, the checksum last."""
    return f"SELECT {', '.join(TABLES[table][0])}, sum FROM {table}"  # noqa: S608 - fixed names


@contextmanager
def any_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Texts that are no longer UTF-8 are read all the same: their row is found to be damaged, and no other one suffers."""
    connection.text_factory = _text
    try:
        yield
    finally:
        connection.text_factory = str


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
