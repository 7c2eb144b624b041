"""The port between the engine with its door and a database. Every store passes the same contract suite.

A store holds five things: the journal of the engine (see ``journal``), history, content with the configurations made of it, small
records with logs and identified requests, and the change log. Rules for all of them:

- A method that writes is one transaction. When it returns, everything of it is durable; when it raises, nothing of it is.
- Readers see committed data only, and everything that was committed before they started.
- **Change log**: each commit that changes what anyone can see takes the next number, and appends one row with it in the same
  transaction. Lines of history and of logs are numbered by the same sequence, so one number shows how far a reader has come.
  Numbers rise in the order of commits, with gaps. The newest ``Bounds.changes`` rows are kept, and perhaps some more.
- Data that differs from what was written is never returned: see ``RowDamaged``.
- Each method raises ``StoreError``: ``StoreUnavailable``, ``StoreDamaged`` or ``StoreLost``, and no error of a database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec

from setpoint.core.instructions import Event
from setpoint.model.spec import Spec
from setpoint.model.time import HOUR, Duration, Instant

if TYPE_CHECKING:
    from setpoint.store.journal import Journal

T = TypeVar("T")
REQUESTS_KEPT: Duration = 24 * HOUR


class StoreError(Exception):
    """The store cannot do what was requested."""


class StoreUnavailable(StoreError):  # noqa: N818 - names the condition
    """It cannot be read or written now: a full disk, a lock, a connection. It may be whole, and trying again may succeed."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy
        """What a person can do, as the end of a sentence."""


class StoreDamaged(StoreError):  # noqa: N818 - names the condition
    """It cannot be used as it is, and is left as it is."""


class StoreLost(StoreError):  # noqa: N818 - names the condition
    """It is gone, or is not the one that this data directory had. Once raised, raised always."""


class RowDamaged(StoreError):  # noqa: N818 - names the condition
    """One row or file is not as it was written; nothing was decided by it, and the others can be read."""


class UnknownNumber(StoreError):  # noqa: N818 - names the condition
    """A reader cannot resume from this number: older changes are pruned, or this store has not given it out."""

    def __init__(self, number: int, oldest: int, newest: int) -> None:
        what = "changes after it are no longer kept" if number < oldest else "this store has not come so far"
        super().__init__(f"cannot resume from number {number}: {what}. It can resume from {oldest} to {newest}")


class RecoveryDecision(StrEnum):
    """What a person decided to do about a store that is not the one expected."""

    NONE = ""
    EMPTY = "start-empty"
    RESTORED = "accept-restored"


class Bounds(NamedTuple):
    """How much is kept of what would grow without end."""

    changes: int = 10_000
    """Rows of the change log."""
    requests: int = 10_000


class Line(msgspec.Struct, frozen=True):
    """One event of one entity."""

    seq: int
    """A number of the change log; the cursor of queries."""
    at: Instant
    entity: str
    application: str
    event: Event


class Change(msgspec.Struct, frozen=True):
    """One commit that changed what anyone can see."""

    number: int
    """Of the commit, and of its last line of history."""
    previous: int
    """Of the change before; this one's lines are those after it."""
    at: Instant
    kind: str
    """``turns``, ``configuration``, or the kind of the log that a line was added to, such as ``audit``."""
    entities: tuple[str, ...]
    """Of ``turns``: each entity with another state, a line of history, or a problem that came or went."""


class Revision(msgspec.Struct, frozen=True):
    """One applied configuration, whole."""

    number: int
    digest: str
    """Of all paths and contents."""
    at: Instant
    person: str


class Claim(NamedTuple):
    """What is stored of an identified request."""

    payload: str
    """Digest of what was requested."""
    answer: bytes | None
    """What its command returned; None: it has not ended, or ended with an error."""


class StoreCondition(NamedTuple):
    """Whether a store is in order."""

    size: int
    """Bytes."""
    wrong: str
    """Empty: it is sound."""


def sha256_of(content: bytes) -> str:
    """The name of a file's content: 64 hexadecimal characters."""
    return hashlib.sha256(content).hexdigest()


class History(Protocol):
    """Lines of history; only commits of the journal add some."""

    async def lines(
        self,
        *,
        entities: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        application: str = "",
        since: Instant = 0,
        until: Instant = 0,
        before: int = 0,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Line]:
        """Return the newest ``limit`` lines, newest first; or with ``after`` the oldest after that number, oldest first.

        ``entities`` (or ``prefixes`` of their names) and ``application`` narrow; ``since`` ≤ at < ``until`` (0: open);
        ``before`` is the cursor to older lines. A damaged line stays in its place, as an event of the kind ``damaged``.
        """
        ...

    async def kinds(self) -> set[str]:
        """Return every kind of event that there is; reads all lines."""
        ...


class Changes(Protocol):
    """The change log."""

    async def read(self, *, after: int, limit: int = 500) -> list[Change]:
        """Return the oldest changes after ``after``, oldest first. Raises ``UnknownNumber``."""
        ...

    async def newest(self) -> int:
        """Return the newest number given out; 0: none yet."""
        ...

    async def wait(self, *, after: int) -> int | None:
        """Return the newest number as soon as it is beyond ``after``; None: the store closes."""
        ...


class Content(Protocol):
    """Compiled specs and files, kept by what they contain: put once, never changed, there as long as a rollback may need them."""

    @property
    def identity(self) -> int:
        """Of the store: another one after each recovery. Known once it is open."""
        ...

    async def put(self, specs: Iterable[Spec] = (), files: Iterable[bytes] = ()) -> None:
        """Store what is not stored yet. Raises ValueError for a spec that is not sealed."""
        ...

    async def spec(self, digest: str) -> Spec | None:
        """Return the spec with this digest. Raises ``RowDamaged``."""
        ...

    async def file(self, sha256: str) -> bytes | None:
        """Return the content with this hash. Raises ``RowDamaged``."""
        ...


class Documents(Protocol):
    """The configuration's files, revision by revision: what the last ``apply`` sent, and every one before it."""

    async def save(self, files: Mapping[str, bytes], executable: Collection[str] = (), *, at: Instant, person: str) -> Revision:
        """Add a revision, or return the newest one if that has just these files. ``executable``: paths that may be run."""
        ...

    async def newest(self) -> Revision | None:
        """Return the last one saved; None: none yet."""
        ...

    async def revisions(self, *, limit: int = 100) -> list[Revision]:
        """Return them newest first."""
        ...

    async def load(self, number: int) -> dict[str, bytes]:
        """Return path -> content of a revision; empty for one that does not exist. Raises ``RowDamaged``."""
        ...

    async def executables(self, number: int) -> list[str]:
        """Return the paths of a revision's programs. Raises ``RowDamaged``."""
        ...


class Records(Protocol):
    """Small values of the door: people's tokens, the audit log, settings. They are msgspec structs or JSON-able.

    Two shapes: *records*, each replaced as a whole under (kind, key), and *logs*, numbered lines of a kind that never change.
    """

    async def put(self, kind: str, key: str, value: Any) -> None:
        """Store or replace."""
        ...

    async def get(self, kind: str, key: str, shape: type[T]) -> T | None:
        """Return the value as ``shape``; None: there is none. Raises ``RowDamaged``, ``msgspec.ValidationError``."""
        ...

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        """Return every record of a kind, in order of keys; one that is damaged is left out, and logged."""
        ...

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record; whether it was there."""
        ...

    async def append(self, kind: str, at: Instant, value: Any) -> int:
        """Add a line to a log; its number in the change log."""
        ...

    async def tail(self, kind: str, shape: type[T], *, before: int = 0, limit: int = 100) -> list[tuple[int, Instant, T]]:
        """Return the newest lines (number, when, value), newest first; ``before`` is the cursor. Damage: as ``all``."""
        ...


class Requests(Protocol):
    """Identified requests. Claims are kept for ``REQUESTS_KEPT``, and the newest ``Bounds.requests`` of them."""

    async def claim(self, identity: str, payload: str, at: Instant) -> Claim:
        """Store the claim unless there is one already; return the stored one."""
        ...

    async def finish(self, identity: str, answer: bytes) -> None:
        """Store what the command returned."""
        ...


class Store(Protocol):
    """A database. The engine opens it while it holds the data directory, and closes it as the last thing."""

    @property
    def name(self) -> str:
        """Where it is, for messages: a path, a host."""
        ...

    @property
    def software(self) -> str:
        """What it runs on, such as ``SQLite 3.40.1``."""
        ...

    @property
    def identity(self) -> int:
        """Another one after each recovery. Known once it is open."""
        ...

    @property
    def journal(self) -> Journal:
        """States, facts, operations: what the engine commits."""
        ...

    @property
    def history(self) -> History:
        """Lines of history."""
        ...

    @property
    def changes(self) -> Changes:
        """The change log."""
        ...

    @property
    def content(self) -> Content:
        """Specs and files."""
        ...

    @property
    def documents(self) -> Documents:
        """Configurations."""
        ...

    @property
    def records(self) -> Records:
        """Records and logs."""
        ...

    @property
    def requests(self) -> Requests:
        """Identified requests."""
        ...

    async def open(self) -> int:
        """Create it, or bring it up to date; return the number of this start, which is higher with each.

        Raises:
            StoreLost: it is not the one that was here. StoreDamaged, StoreUnavailable.
        """
        ...

    async def close(self) -> None:
        """End every reader that waits and finish what was requested. Twice is once."""
        ...

    def look(self) -> None:
        """Cheaply: is it still the one that was opened? Raises ``StoreLost``."""
        ...

    async def keep_generation(self) -> None:
        """Note outside of the data how far it has come, so that an older copy of it is refused at the next start."""
        ...

    async def check(self) -> StoreCondition:
        """Return its size, and what is wrong with its structure."""
        ...

    async def damaged(self) -> list[str]:
        """Read everything, and return what is not as it was written; other work goes on meanwhile."""
        ...
