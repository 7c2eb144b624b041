"""The tables of a data directory, as migrations: a released one is never changed, the next one is added below it.

``PRAGMA user_version`` counts the migrations that a database has had. SQLite 3.40 is the oldest that must read this.
"""

from __future__ import annotations

import sqlite3
from itertools import chain

from setpoint.durable.formats import DATABASE
from setpoint.store.sqlite.errors import MalformedError

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        # What seldom changes of a state lies in a row of its own: a row is always rewritten whole.
        # turn, turns: its last turn that was written down, and how many there have been.
        """CREATE TABLE actor (
            id INTEGER PRIMARY KEY, entity TEXT NOT NULL UNIQUE, state BLOB NOT NULL, wake_at INTEGER,
            turn INTEGER NOT NULL, turns INTEGER NOT NULL, sum INTEGER NOT NULL
        )""",
        "CREATE TABLE actor_fixed (id INTEGER PRIMARY KEY, state BLOB NOT NULL, sum INTEGER NOT NULL)",
        # What every turn was given. Only ever appended, so a commit touches few pages: each names the one before it of the same
        # entity. The first of a chapter has the state as it was before it, so that older chapters can go.
        """CREATE TABLE turn (
            seq INTEGER PRIMARY KEY, previous INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
            digest INTEGER NOT NULL, facts BLOB NOT NULL, fixed BLOB, changing BLOB, sum INTEGER NOT NULL
        )""",
        # aside: a turn with this fact raised; it is kept until one succeeds.
        """CREATE TABLE inbox (
            seq INTEGER PRIMARY KEY, entity TEXT NOT NULL, fact BLOB NOT NULL, aside INTEGER NOT NULL, sum INTEGER NOT NULL
        )""",
        "CREATE TABLE dedup (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE operation (
            id TEXT PRIMARY KEY, entity TEXT NOT NULL, instruction BLOB NOT NULL, sum INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE TABLE publication (publisher TEXT PRIMARY KEY, fact BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE subscription (
            publisher TEXT, subscriber TEXT, sum INTEGER NOT NULL, PRIMARY KEY (publisher, subscriber)
        ) WITHOUT ROWID""",
        # A publication on its way to many: who comes after ``after``, in order of name, has not got it yet.
        "CREATE TABLE fanout (publisher TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE problem (entity TEXT PRIMARY KEY, text TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE history (
            seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, entity TEXT NOT NULL, application TEXT NOT NULL, event BLOB NOT NULL,
            sum INTEGER NOT NULL
        )""",
        "CREATE INDEX history_by_entity ON history (entity)",
        "CREATE INDEX history_by_application ON history (application)",
        "CREATE TABLE spec (digest TEXT PRIMARY KEY, body BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE file (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL)",
        """CREATE TABLE record (
            kind TEXT, key TEXT, body BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (kind, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE log (
            seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL
        )""",
        "CREATE INDEX log_by_kind ON log (kind)",
        """CREATE TABLE revision (
            number INTEGER PRIMARY KEY, digest TEXT NOT NULL, at INTEGER NOT NULL, person TEXT NOT NULL, sum INTEGER NOT NULL
        )""",
        """CREATE TABLE revision_file (
            number INTEGER, path TEXT, sha256 TEXT NOT NULL, executable INTEGER NOT NULL, sum INTEGER NOT NULL,
            PRIMARY KEY (number, path)
        ) WITHOUT ROWID""",
    ),
    (
        # Identified requests: payload is a digest; answer is NULL until the command has ended well.
        """CREATE TABLE request (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, payload TEXT NOT NULL, answer BLOB
        )""",
        "CREATE INDEX request_by_at ON request (at)",
    ),
    (
        # From a steady time on the wall clock was so far beyond it: times by the wall clock can be derived afterwards.
        "CREATE TABLE clock (steady INTEGER PRIMARY KEY, offset INTEGER NOT NULL)",
    ),
    (
        # The change log. Each row names the one before, so that what was pruned is known: its lines of history lie between them.
        """CREATE TABLE change (
            number INTEGER PRIMARY KEY, previous INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
            entities BLOB NOT NULL, sum INTEGER NOT NULL
        )""",
    ),
)


assert len(MIGRATIONS) == DATABASE, "raise setpoint.durable.formats.DATABASE with each migration"  # noqa: S101 - at import


class OtherSchema(MalformedError):  # noqa: N818 - named for its cause
    """The database was written by another build of Setpoint, whose tables are others."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to date, each migration in one transaction. Raises OtherSchema, sqlite3.Error."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise OtherSchema(f"it has format {version}, this Setpoint knows {len(MIGRATIONS)}: start the newer one")
    if _tables(connection) != _expected(version):
        raise OtherSchema("another build of Setpoint wrote it, with tables that this one does not know: start that build")
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _expected(version: int) -> set[tuple[str, str]]:
    """The tables that the migrations up to ``version`` make."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in chain.from_iterable(MIGRATIONS[:version]):
            connection.execute(statement)
        return _tables(connection)
    finally:
        connection.close()


def _tables(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return {(name, " ".join(sql.split())) for name, sql in rows}
