"""Turns as they were written down: what each was given, so that the story of any past decision can be told and replayed.

Rows are appended, and each names the one before it of the same entity; no index is kept. A story has chapters of ``CHAPTER``
turns: the first row of each but the first holds the state as it was before it, so that older chapters can be dropped. The newest
chapter and the whole one before it stay.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from setpoint.model.time import Instant
from setpoint.store.sums import check

CHAPTER = 250
"""Turns. Between one and two times as many are kept of an entity."""

TurnRow = tuple[int, int, int, Instant, int, bytes, bytes | None, bytes | None]
"""As the table has it: its row, the row before it, number, stamp, digest, facts, and of the state before it both parts."""

_STORY = """
WITH RECURSIVE story(seq, previous) AS (
    SELECT seq, previous FROM turn WHERE seq = (SELECT turn FROM actor WHERE entity = ?)
    UNION ALL
    SELECT turn.seq, turn.previous FROM turn JOIN story ON turn.seq = story.previous
)
SELECT turn.seq, turn.previous, number, at, digest, facts, fixed, changing, sum FROM story JOIN turn USING (seq) ORDER BY turn.seq
"""
_DROP = """
WITH RECURSIVE story(seq, previous, starts, chapters) AS (
    SELECT seq, previous, changing IS NOT NULL, changing IS NOT NULL FROM turn WHERE seq = ?
    UNION ALL
    SELECT turn.seq, turn.previous, turn.changing IS NOT NULL, chapters + (turn.changing IS NOT NULL)
    FROM turn JOIN story ON turn.seq = story.previous
)
DELETE FROM turn WHERE seq IN (SELECT seq FROM story WHERE chapters > 2 OR chapters = 2 AND NOT starts)
"""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[bytes, ...])


class Turn(NamedTuple):
    """One row, as a story needs it."""

    number: int
    at: Instant
    digest: int
    facts: bytes
    fixed: bytes | None
    changing: bytes | None


def pack(facts: Sequence[bytes]) -> bytes:
    """Several encoded facts as one value."""
    return _encoder.encode(facts)


def unpack(facts: bytes) -> tuple[bytes, ...]:
    """What was packed. Raises ``msgspec.MsgspecError``."""
    return _decoder.decode(facts)


def digest_of(state: bytes) -> int:
    """A digest of an encoded state, cheap enough for every turn."""
    return zlib.crc32(state)


def turns_of(connection: sqlite3.Connection, entity: str) -> list[Turn]:
    """What is kept of an entity, oldest first; it begins with the start of a chapter, or with the very first turn.

    Raises:
        RowDamaged, sqlite3.Error.
    """
    rows = connection.execute(_STORY, (entity,)).fetchall()
    for row in rows:
        check("turn", row)
    return [Turn(*row[2:-1]) for row in rows]


def drop_old_chapters(connection: sqlite3.Connection, last: int) -> None:
    """Inside a transaction: of the story that ends with row ``last``, drop all but the two newest chapters."""
    connection.execute(_DROP, (last,))
