"""The journal: what a host of actors commits, pass by pass, and loads when it starts. States and facts are bytes here.

One commit holds everything that one pass of turns decided. It is durable as a whole or not at all, and commits are in order.
Numbers of actors, facts and turns are chosen by the host, which is the only writer; numbers of the change log by the store.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from setpoint.model.time import Instant, Stamp

CHAPTER = 250
"""Turns. Between one and two times as many are kept of an entity."""
OFFSETS_KEPT = 10_000
"""So many times at which the wall clock was set are remembered; older times are shown as by the oldest of them."""

TurnRow = tuple[int, int, int, Instant, int, bytes, bytes | None, bytes | None]
"""Its number in the journal, that of the turn before of the same entity (0: none), number of the entity's turn, stamp, digest of
the state it led to, facts; and at the start of a chapter both parts of the state before it."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[bytes, ...])


class Commit:
    """One pass: what is put and what is deleted."""

    def __init__(self) -> None:
        self.actors: dict[int, tuple[int, str, bytes, Instant | None, int, int]] = {}
        """Number -> number, entity, changing part of the state, when to wake, last turn, count of turns."""
        self.fixed: dict[int, tuple[int, bytes]] = {}
        """Number -> number, the part of the state that seldom changes."""
        self.turns: list[TurnRow] = []
        self.long: list[int] = []
        """Last turns of entities: all but their two newest chapters are deleted."""
        self.mail: list[tuple[int, str, bytes, int]] = []
        """Number, entity, fact, and 1 where a turn with the fact raised."""
        self.mail_gone: list[int] = []
        self.mail_aside: list[int] = []
        """Facts with which a turn raised."""
        self.operations: dict[str, tuple[str, str, bytes]] = {}
        """Operation -> operation, entity, instruction. ``operations_gone`` come first: an id may be in both."""
        self.operations_gone: list[str] = []
        self.publications: dict[str, tuple[str, bytes]] = {}
        """Publisher -> publisher, fact."""
        self.subscriptions: dict[tuple[str, str], bool] = {}
        """(publisher, subscriber) -> whether it is there from now on."""
        self.fanouts: dict[str, str | None] = {}
        """Publisher -> the subscriber up to whom its publication has come; None: to all."""
        self.problems: dict[str, tuple[str, Instant] | None] = {}
        """Entity -> why its turns do not succeed, and since when; None: they do."""
        self.history: list[tuple[Instant, str, str, bytes]] = []
        """When, entity, application, event; the store gives the numbers."""
        self.dedup: list[tuple[str, Instant]] = []
        self.dedup_gone: list[str] = []
        self.offsets: list[Stamp] = []
        """From when on which offset of the wall clock is in force."""
        self.stamp: list[Stamp] = []
        """Of the pass: the steady clock continues from here after a restart."""

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def rows(self) -> int:
        """How many rows are put or deleted."""
        return sum(map(len, vars(self).values())) + bool(self.visible)

    @property
    def at(self) -> Instant:
        """What the wall clock showed."""
        return self.stamp[-1].wall if self.stamp else 0

    @property
    def visible(self) -> tuple[str, ...]:
        """Entities of which anyone can see something else now; empty: the commit takes no number."""
        entities = dict.fromkeys(row[1] for row in self.actors.values())
        return tuple(entities | dict.fromkeys(self.problems) | dict.fromkeys(row[1] for row in self.history))


class StoredActor(NamedTuple):
    """One entity, as loaded."""

    number: int
    entity: str
    fixed: bytes
    changing: bytes
    wake_at: Instant | None
    turn: int
    turns: int
    damaged: str
    """Why its state must not be used; empty: it is as it was written."""


class Loaded:
    """Everything a host goes on from. Rows that are damaged are left out, and named in ``damaged``."""

    def __init__(self) -> None:
        self.actors: list[StoredActor] = []
        """In order of entities, damaged ones included."""
        self.mail: list[tuple[int, str, bytes, bool]] = []
        """Number, entity, fact, aside; in order of numbers."""
        self.next_mail = 1
        self.next_turn = 1
        self.operations: list[tuple[str, str, bytes]] = []
        """In order of ids."""
        self.publications: list[tuple[str, bytes]] = []
        self.subscriptions: list[tuple[str, str]] = []
        self.fanouts: list[tuple[str, str]] = []
        self.problems: dict[str, str] = {}
        self.damaged: dict[str, str] = {}
        """Entity -> which row of it is damaged, apart from its state."""
        self.dedup: dict[str, Instant] = {}
        self.offsets: list[Stamp] = []
        """The newest ``OFFSETS_KEPT``, oldest first."""
        self.stamp: Stamp | None = None


class JournalTurn(NamedTuple):
    """One recorded turn."""

    number: int
    at: Instant
    digest: int
    facts: bytes
    fixed: bytes | None
    changing: bytes | None


class Journal(Protocol):
    """Commits and loads. Each method raises ``StoreError``."""

    async def load(self) -> Loaded:
        """Return everything; a damaged row costs its own entity only."""
        ...

    async def commit(self, commit: Commit, *, written: Callable[[], None] = lambda: None) -> None:
        """Make all of it durable. ``written`` is called when all is written and nothing durable: tests end the process there."""
        ...

    async def probe(self) -> None:
        """Raises ``StoreUnavailable`` unless there is room to go on: half a megabyte, not only for the one commit that failed."""
        ...

    async def turns(self, entity: str) -> list[JournalTurn]:
        """Return what is kept of an entity, oldest first: from the start of a chapter, or from its first turn.

        Raises:
            RowDamaged: one of them is not as it was written.
        """
        ...


def pack(facts: Sequence[bytes]) -> bytes:
    """Several encoded facts as one value."""
    return _encoder.encode(facts)


def unpack(facts: bytes) -> tuple[bytes, ...]:
    """What was packed. Raises ``msgspec.MsgspecError``."""
    return _decoder.decode(facts)


def digest_of(state: bytes) -> int:
    """A digest of an encoded state, cheap enough for every turn."""
    return zlib.crc32(state)
