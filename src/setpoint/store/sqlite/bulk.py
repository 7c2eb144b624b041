"""Many rows by few statements.

``sqlite3`` lets go of the interpreter once per statement step and has to win it back, which takes a while when another thread
decides; with ``executemany`` that is once per row. One statement for many rows does its work beside that thread instead: all rows
but a few in one, the rest in another, so that the statements to prepare stay few enough to be kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

_STEP = 32
_LARGEST = 512
"""Rows in one statement; SQLite takes 32,766 values at most."""


def insert(connection: sqlite3.Connection, head: str, rows: Sequence[Sequence[Any]], tail: str = "") -> None:
    """``head VALUES (…), (…) … tail`` for all rows, which are equally long."""
    for part in _parts(rows):
        connection.execute(_insert(head, len(part[0]), len(part), tail), tuple(chain.from_iterable(part)))


def match(connection: sqlite3.Connection, statement: str, keys: Sequence[Any]) -> None:
    """``statement IN (…)`` for all keys."""
    for part in _parts(keys):
        connection.execute(_match(statement, len(part)), tuple(part))


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    start = 0
    while (left := len(rows) - start) > 0:
        size = min(left - left % _STEP or left, _LARGEST)
        yield rows[start : start + size]
        start += size


@lru_cache(maxsize=512)
def _insert(head: str, columns: int, rows: int, tail: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{head} VALUES {', '.join([row] * rows)} {tail}"


@lru_cache(maxsize=512)
def _match(statement: str, keys: int) -> str:
    return f"{statement} IN ({', '.join('?' * keys)})"
