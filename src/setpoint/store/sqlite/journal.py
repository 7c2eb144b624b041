"""The journal as tables: a commit is one transaction, and a load reads every row but turns.

Turns are appended, and each names the one before it of the same entity; no index is kept. The story of an entity has chapters of
``CHAPTER`` turns: the first row of each but the first holds the state as it was before it, so that older chapters can be dropped.
The newest chapter and the whole one before it stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from setpoint.model.time import Stamp
from setpoint.store.journal import OFFSETS_KEPT, Commit, JournalTurn, Loaded, StoredActor
from setpoint.store.sqlite import bulk
from setpoint.store.sqlite.changes import Numbers, SqliteChanges
from setpoint.store.sqlite.database import Database
from setpoint.store.sqlite.sums import any_text, check, damage, is_whole, key_of, seal, select

_PROBE = 512 * 1024
"""Bytes that must be writable before a full disk counts as emptied."""
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


class SqliteJournal:
    """See the port."""

    def __init__(self, database: Database, changes: SqliteChanges) -> None:
        self._database = database
        self._changes = changes

    async def load(self) -> Loaded:
        """See the port."""
        return await self._database.write(load)

    async def commit(self, commit: Commit, *, written: Callable[[], None] = lambda: None) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection, numbers: Numbers) -> None:
            save(connection, commit, numbers)
            written()

        await self._changes.write(work)

    async def probe(self) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO file VALUES ('probe', zeroblob(?))", (_PROBE,))
            connection.execute("DELETE FROM file WHERE sha256 = 'probe'")

        await self._database.write(work)

    async def turns(self, entity: str) -> list[JournalTurn]:
        """See the port."""
        return await self._database.read(lambda connection: _turns_of(connection, entity))


def save(connection: sqlite3.Connection, commit: Commit, numbers: Numbers) -> None:
    """Inside a transaction: everything of one commit."""
    _save_actors(connection, commit)
    bulk.insert(connection, "INSERT INTO inbox", seal("inbox", commit.mail))
    bulk.match(connection, "DELETE FROM inbox WHERE seq", commit.mail_gone)
    bulk.match(connection, "UPDATE inbox SET sum = sum + 1 - aside, aside = 1 WHERE seq", commit.mail_aside)
    bulk.match(connection, "DELETE FROM operation WHERE id", commit.operations_gone)
    bulk.insert(connection, "INSERT OR REPLACE INTO operation", seal("operation", list(commit.operations.values())))
    _save_history(connection, commit, numbers)
    bulk.insert(connection, "INSERT OR IGNORE INTO dedup", commit.dedup)
    bulk.match(connection, "DELETE FROM dedup WHERE key", commit.dedup_gone)
    _save_subscriptions(connection, commit)
    _save_problems(connection, commit)
    connection.executemany("INSERT OR REPLACE INTO clock VALUES (?, ?)", commit.offsets)
    for stamp in commit.stamp:
        rows = [("steady", stamp.at), ("wall", stamp.wall)]
        connection.executemany("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows)


def next_start(connection: sqlite3.Connection) -> int:
    """Count this start."""
    connection.execute("INSERT INTO meta VALUES ('boot', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
    number: int = connection.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()[0]
    return number


def _save_actors(connection: sqlite3.Connection, commit: Commit) -> None:
    bulk.insert(
        connection,
        "INSERT INTO actor",
        seal("actor", list(commit.actors.values())),
        "ON CONFLICT (id) DO UPDATE SET "
        "state = excluded.state, wake_at = excluded.wake_at, turn = excluded.turn, turns = excluded.turns, "
        "sum = excluded.sum",
    )
    bulk.insert(connection, "INSERT OR REPLACE INTO actor_fixed", seal("actor_fixed", list(commit.fixed.values())))
    bulk.insert(connection, "INSERT INTO turn", seal("turn", commit.turns))
    for last in commit.long:
        _drop_old_chapters(connection, last)


def _save_history(connection: sqlite3.Connection, commit: Commit, numbers: Numbers) -> None:
    lines = [(number, *line) for number, line in enumerate(commit.history, start=numbers.newest + 1)]
    if entities := commit.visible:
        numbers.add("turns", commit.at, entities, lines=len(lines))
    bulk.insert(connection, "INSERT INTO history", seal("history", lines))


def _save_subscriptions(connection: sqlite3.Connection, commit: Commit) -> None:
    bulk.insert(connection, "INSERT OR REPLACE INTO publication", seal("publication", list(commit.publications.values())))
    if commit.subscriptions:
        there = seal("subscription", [pair for pair, there in commit.subscriptions.items() if there])
        bulk.insert(connection, "INSERT OR IGNORE INTO subscription", there)
        gone = [pair for pair, there in commit.subscriptions.items() if not there]
        connection.executemany("DELETE FROM subscription WHERE publisher = ? AND subscriber = ?", gone)
    if commit.fanouts:
        started = [(name, after) for name, after in commit.fanouts.items() if after is not None]
        bulk.insert(connection, "INSERT OR REPLACE INTO fanout", started)
        bulk.match(
            connection, "DELETE FROM fanout WHERE publisher", [name for name, after in commit.fanouts.items() if after is None]
        )


def _save_problems(connection: sqlite3.Connection, commit: Commit) -> None:
    if commit.problems:
        found = [(entity, *problem) for entity, problem in commit.problems.items() if problem]
        bulk.insert(connection, "INSERT OR REPLACE INTO problem", found)
        bulk.match(
            connection, "DELETE FROM problem WHERE entity", [entity for entity, problem in commit.problems.items() if not problem]
        )


def load(connection: sqlite3.Connection) -> Loaded:
    """Everything; damaged rows are named."""
    loaded = Loaded()
    loaded.problems = dict(connection.execute("SELECT entity, text FROM problem"))
    with any_text(connection):
        loaded.actors = _actors(connection)
        loaded.subscriptions = [row[:2] for row in _whole(connection, "subscription", loaded)]
        loaded.publications = [row[:2] for row in _whole(connection, "publication", loaded)]
        loaded.operations = [row[:3] for row in _whole(connection, "operation", loaded, entity=1, order="id")]
        mail = _whole(connection, "inbox", loaded, entity=1, order="seq")
        loaded.mail = [(seq, entity, fact, bool(aside)) for seq, entity, fact, aside, _ in mail]
    loaded.next_mail = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM inbox").fetchone()[0]
    loaded.next_turn = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM turn").fetchone()[0]
    loaded.dedup = dict(connection.execute("SELECT key, at FROM dedup"))
    loaded.fanouts = connection.execute("SELECT publisher, after FROM fanout").fetchall()
    rows = connection.execute("SELECT steady, offset FROM clock ORDER BY steady DESC LIMIT ?", (OFFSETS_KEPT,))
    loaded.offsets = [Stamp(*row) for row in reversed(rows.fetchall())]
    loaded.stamp = _last_stamp(connection)
    return loaded


def _last_stamp(connection: sqlite3.Connection) -> Stamp | None:
    found = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('steady', 'wall')"))
    return Stamp(found["steady"], found["wall"] - found["steady"]) if len(found) == 2 else None


def _actors(connection: sqlite3.Connection) -> list[StoredActor]:
    fixed = {row[0]: row for row in connection.execute(select("actor_fixed"))}
    return [
        _actor(whole, row, fixed.get(row[0], (row[0], b"", -1)))  # there always is one
        for whole, row in sorted(_named(connection), key=lambda found: str(found[1][1]))
    ]


def _actor(whole: bool, row: Any, fixed: Any) -> StoredActor:
    number, entity, changing, wake_at, turn, turns, _ = row
    if not whole:
        return StoredActor(number, entity, b"", b"", None, 0, 0, str(damage("actor", key_of("actor", row))))
    damaged = "" if is_whole("actor_fixed", fixed) else str(damage("actor_fixed", key_of("actor_fixed", fixed)))
    return StoredActor(number, entity, fixed[1], changing, wake_at, turn, turns, damaged)


def _named(connection: sqlite3.Connection) -> list[tuple[bool, Any]]:
    """Whether it is whole, and the row of each actor. A damaged name is known by the index, which has a copy."""
    names = dict(connection.execute("SELECT id, entity FROM actor INDEXED BY sqlite_autoindex_actor_1 WHERE entity >= ''"))
    found = []
    for row in connection.execute(f"{select('actor')} NOT INDEXED").fetchall():
        renamed = row if is_whole("actor", row) else (row[0], names.get(row[0], row[1]), *row[2:])
        found.append((is_whole("actor", renamed), renamed))
    return found


def _whole(connection: sqlite3.Connection, table: str, loaded: Loaded, *, entity: int = 0, order: str = "") -> Iterator[Any]:
    """The rows that are as they were written; each other one is a problem of the entity that its column names."""
    for row in connection.execute(f"{select(table)} ORDER BY {order}" if order else select(table)).fetchall():
        if is_whole(table, row):
            yield row
        else:
            owner = str(row[entity]).encode("utf-8", "replace").decode()
            loaded.damaged[owner] = str(damage(table, key_of(table, row)))


def _turns_of(connection: sqlite3.Connection, entity: str) -> list[JournalTurn]:
    """What is kept of an entity, oldest first. Raises RowDamaged."""
    rows = connection.execute(_STORY, (entity,)).fetchall()
    for row in rows:
        check("turn", row)
    return [JournalTurn(*row[2:-1]) for row in rows]


def _drop_old_chapters(connection: sqlite3.Connection, last: int) -> None:
    """Inside a transaction: of the story that ends with row ``last``, drop all but the two newest chapters."""
    connection.execute(_DROP, (last,))
