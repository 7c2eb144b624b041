"""Many rows by few statements.

``sqlite3`` lets go of the interpreter once per statement step and has to win it back; with ``executemany`` that is once per row,
while another thread decides. One statement for many rows does its work beside that thread instead. Statements come in few sizes
so that the connection's cache of prepared statements holds them all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

_SIZES = (256, 64, 16, 4, 1)


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
    while start < len(rows):
        size = _fitting(len(rows) - start)
        yield rows[start : start + size]
        start += size


def _fitting(left: int, sizes: Iterable[int] = _SIZES) -> int:
    return next(size for size in sizes if size <= left)


@lru_cache(maxsize=512)
def _insert(head: str, columns: int, rows: int, tail: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{head} VALUES {', '.join([row] * rows)} {tail}"


@lru_cache(maxsize=512)
def _match(statement: str, keys: int) -> str:
    return f"{statement} IN ({', '.join('?' * keys)})"
