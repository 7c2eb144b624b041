"""What a pass writes, as one transaction, and how the memory image is loaded again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from setpoint.engine.embedded.clock import Stamp
from setpoint.engine.embedded.mailbox import Actor, Mail
from setpoint.engine.embedded.world import World
from setpoint.engine.port import Codec
from setpoint.model.time import Instant
from setpoint.store import bulk
from setpoint.store.sums import RowDamaged, any_text, check, is_whole, key_of, seal, select
from setpoint.store.turns import TurnRow, drop_old_chapters

KEPT_OFFSETS = 10_000
"""So many times at which the wall clock was set are remembered; older times are shown as by the oldest of them."""


class Writes:
    """Rows to put and to delete, in the form in which they are bound."""

    def __init__(self) -> None:
        self.actors: dict[int, tuple[int, str, bytes, Instant | None, int, int]] = {}
        self.turns: list[TurnRow] = []
        self.long: list[int] = []
        """Last turns of entities whose oldest chapters go."""
        self.fixed: dict[int, tuple[int, bytes]] = {}
        self.mail: list[tuple[int, str, bytes, int]] = []
        self.mail_gone: list[int] = []
        self.mail_aside: list[int] = []
        self.operations: dict[str, tuple[str, str, bytes]] = {}
        self.operations_gone: list[str] = []
        self.publications: dict[str, tuple[str, bytes]] = {}
        self.subscriptions: dict[tuple[str, str], bool] = {}
        self.fanouts: dict[str, str | None] = {}
        self.problems: dict[str, tuple[str, Instant] | None] = {}
        self.history: list[tuple[int, Instant, str, str, bytes]] = []
        self.dedup: list[tuple[str, Instant]] = []
        self.dedup_gone: list[str] = []
        self.offsets: list[Stamp] = []
        """From when on which offset of the wall clock is in force."""
        self.stamp: list[Stamp] = []
        """Of the pass: the steady clock goes on from here after a restart."""

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def rows(self) -> int:
        """How many rows are put or deleted."""
        return sum(len(rows) for rows in vars(self).values())


def save(connection: sqlite3.Connection, writes: Writes) -> None:
    """Inside a transaction: everything of one pass."""
    _save_actors(connection, writes)
    bulk.insert(connection, "INSERT INTO inbox", seal("inbox", writes.mail))
    bulk.match(connection, "DELETE FROM inbox WHERE seq", writes.mail_gone)
    bulk.match(connection, "UPDATE inbox SET sum = sum + 1 - aside, aside = 1 WHERE seq", writes.mail_aside)
    bulk.match(connection, "DELETE FROM operation WHERE id", writes.operations_gone)
    bulk.insert(connection, "INSERT OR REPLACE INTO operation", seal("operation", list(writes.operations.values())))
    bulk.insert(connection, "INSERT INTO history", seal("history", writes.history))
    bulk.insert(connection, "INSERT OR IGNORE INTO dedup", writes.dedup)
    bulk.match(connection, "DELETE FROM dedup WHERE key", writes.dedup_gone)
    _save_subscriptions(connection, writes)
    _save_problems(connection, writes)
    connection.executemany("INSERT OR REPLACE INTO clock VALUES (?, ?)", writes.offsets)
    for stamp in writes.stamp:
        keep_stamp(connection, stamp)


def _save_actors(connection: sqlite3.Connection, writes: Writes) -> None:
    bulk.insert(
        connection,
        "INSERT INTO actor",
        seal("actor", list(writes.actors.values())),
        "ON CONFLICT (id) DO UPDATE SET "
        "state = excluded.state, wake_at = excluded.wake_at, turn = excluded.turn, turns = excluded.turns, "
        "sum = excluded.sum",
    )
    bulk.insert(connection, "INSERT OR REPLACE INTO actor_fixed", seal("actor_fixed", list(writes.fixed.values())))
    bulk.insert(connection, "INSERT INTO turn", seal("turn", writes.turns))
    for last in writes.long:
        drop_old_chapters(connection, last)


def _save_subscriptions(connection: sqlite3.Connection, writes: Writes) -> None:
    bulk.insert(connection, "INSERT OR REPLACE INTO publication", seal("publication", list(writes.publications.values())))
    if writes.subscriptions:
        there = seal("subscription", [pair for pair, there in writes.subscriptions.items() if there])
        bulk.insert(connection, "INSERT OR IGNORE INTO subscription", there)
        gone = [pair for pair, there in writes.subscriptions.items() if not there]
        connection.executemany("DELETE FROM subscription WHERE publisher = ? AND subscriber = ?", gone)
    if writes.fanouts:
        started = [(name, after) for name, after in writes.fanouts.items() if after is not None]
        bulk.insert(connection, "INSERT OR REPLACE INTO fanout", started)
        bulk.match(
            connection, "DELETE FROM fanout WHERE publisher", [name for name, after in writes.fanouts.items() if after is None]
        )


def _save_problems(connection: sqlite3.Connection, writes: Writes) -> None:
    if writes.problems:
        found = [(entity, *problem) for entity, problem in writes.problems.items() if problem]
        bulk.insert(connection, "INSERT OR REPLACE INTO problem", found)
        bulk.match(
            connection, "DELETE FROM problem WHERE entity", [entity for entity, problem in writes.problems.items() if not problem]
        )


def load(connection: sqlite3.Connection, codec: Codec) -> World:
    """Everything, decoded. What is damaged or cannot be decoded costs its own entity only. Raises sqlite3.Error."""
    world = World()
    world.problems = dict(connection.execute("SELECT entity, text FROM problem"))
    with any_text(connection):
        _load_actors(connection, codec, world)
        for row in _whole(connection, "subscription", world):
            world.subscribers.setdefault(row[0], {})[row[1]] = None
        _load_publications(connection, codec, world)
        _load_operations(connection, codec, world)
        _load_mail(connection, codec, world)
    world.next_mail = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM inbox").fetchone()[0]
    world.dedup = dict(connection.execute("SELECT key, at FROM dedup"))
    world.stamp = _last_stamp(connection)
    rows = connection.execute("SELECT steady, offset FROM clock ORDER BY steady DESC LIMIT ?", (KEPT_OFFSETS,))
    world.offsets = [Stamp(*row) for row in reversed(rows.fetchall())]
    world.next_turn = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM turn").fetchone()[0]
    world.next_history = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM history").fetchone()[0]
    for publisher, after in connection.execute("SELECT publisher, after FROM fanout"):
        world.start_fanout(publisher, after)
    return world


def keep_stamp(connection: sqlite3.Connection, stamp: Stamp) -> None:
    """Let the steady clock go on from here after a restart."""
    rows = [("steady", stamp.at), ("wall", stamp.wall)]
    connection.executemany("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows)


def _last_stamp(connection: sqlite3.Connection) -> Stamp | None:
    found = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('steady', 'wall')"))
    return Stamp(found["steady"], found["wall"] - found["steady"]) if len(found) == 2 else None


def next_boot(connection: sqlite3.Connection) -> int:
    """Count this start."""
    connection.execute("INSERT INTO meta VALUES ('boot', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
    number: int = connection.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()[0]
    return number


def _load_actors(connection: sqlite3.Connection, codec: Codec, world: World) -> None:
    fixed = {row[0]: row for row in connection.execute(select("actor_fixed"))}
    for whole, row in sorted(_named(connection), key=lambda found: str(found[1][1])):
        number, entity, changing, wake_at, turn, turns, _ = row
        actor = world.add(Actor(number, entity))
        if whole:
            actor.turn, actor.turns = turn, turns
        try:
            check("actor", row)
            beside = fixed.get(number, (number, b"", -1))  # there always is one
            check("actor_fixed", beside)
            actor.state = actor.durable = codec.decode_state(entity, beside[1], changing)
        except Exception as error:  # noqa: BLE001 - what cannot be decoded costs its own entity only, and is its problem
            actor.unreadable = True
            world.problems[entity] = f"its stored state cannot be read: {error}"
        if wake_at is not None and whole:
            world.wakes[entity] = wake_at


def _named(connection: sqlite3.Connection) -> list[tuple[bool, Any]]:
    """Whether it is whole, and the row of each actor. A damaged name is known by the index, which has a copy."""
    names = dict(connection.execute("SELECT id, entity FROM actor INDEXED BY sqlite_autoindex_actor_1 WHERE entity >= ''"))
    found = []
    for row in connection.execute(f"{select('actor')} NOT INDEXED").fetchall():
        renamed = row if is_whole("actor", row) else (row[0], names.get(row[0], row[1]), *row[2:])
        found.append((is_whole("actor", renamed), renamed))
    return found


def _whole(connection: sqlite3.Connection, table: str, world: World, *, entity: int = 0, order: str = "") -> Iterator[Any]:
    """The rows that are as they were written; each other one is a problem of the entity that its column names."""
    for row in connection.execute(f"{select(table)} ORDER BY {order}" if order else select(table)).fetchall():
        if is_whole(table, row):
            yield row
        else:
            owner = str(row[entity]).encode("utf-8", "replace").decode()
            world.problems[owner] = str(RowDamaged(table, key_of(table, row)))


def _load_publications(connection: sqlite3.Connection, codec: Codec, world: World) -> None:
    for publisher, fact, _ in _whole(connection, "publication", world):
        try:
            world.publications[publisher] = codec.decode_fact(fact)
        except Exception as error:  # noqa: BLE001 - what cannot be decoded costs its own entity only, and is its problem
            world.problems.setdefault(publisher, f"what it published cannot be read: {error}")


def _load_operations(connection: sqlite3.Connection, codec: Codec, world: World) -> None:
    for operation, entity, instruction, _ in _whole(connection, "operation", world, entity=1, order="id"):
        try:
            found = codec.decode_instruction(instruction)
            world.open.append((entity, found))
            world.operations[operation] = type(found).__name__
        except Exception as error:  # noqa: BLE001 - what cannot be decoded costs its own entity only, and is its problem
            world.problems.setdefault(entity, f"the open operation {operation} cannot be read: {error}")


def _load_mail(connection: sqlite3.Connection, codec: Codec, world: World) -> None:
    for seq, entity, data, aside, _ in _whole(connection, "inbox", world, entity=1, order="seq"):
        actor = world.actor(entity)
        try:
            mail = Mail(codec.decode_fact(data), data, seq=seq)
        except Exception as error:  # noqa: BLE001 - what cannot be decoded costs its own entity only, and is its problem
            world.problems.setdefault(entity, f"a fact for it cannot be read and was left aside: {error}")
            continue
        _file(actor, mail, aside=bool(aside))


def _file(actor: Actor, mail: Mail, *, aside: bool) -> None:
    if aside:
        actor.aside = actor.aside or []
        actor.aside.append(mail)
    else:
        actor.pending = actor.pending or []
        actor.pending.append(mail)
