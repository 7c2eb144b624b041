"""The narrow port between the actors and whatever hosts them. Every host passes the same conformance suite.

Hosts deliver facts (at least once, one turn at a time per entity), make state and instructions durable *before* performing
them, perform instructions, and keep timers, watches and subscriptions. They decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction, Apply, Decision, RunCheck, RunTask, Watch
from setpoint.model.checks import CheckResult
from setpoint.model.observation import Observation
from setpoint.model.tasks import TaskResult
from setpoint.model.time import Instant

State = msgspec.Struct
Clock = Callable[[], Instant]
"""Milliseconds since the epoch, UTC."""

PATIENCE = 30.0
"""Seconds that a caller waits for a turn."""

Decide = Callable[[str, Any, Sequence[AnyFact], Instant], Decision]
"""``decide(entity, state, facts, now)``: pure. ``state`` is None for an entity that has none yet."""

WatchOf = Callable[[Any], Watch | None]
"""The standing watch that a state implies: how a host knows after a start what to look at."""


class RecordedTurn(msgspec.Struct, frozen=True):
    """What one turn was given."""

    now: Instant
    facts: tuple[AnyFact, ...]
    digest: int
    """CRC-32 of the changing part of the encoded state that it led to: whether the same is decided today."""


class Recording(msgspec.Struct, frozen=True):
    """The newest turns of one entity."""

    entity: str
    first: int
    """Number of the first turn that is kept; turns count from 1."""
    base: Any
    """The state before it; None: there was none."""
    turns: tuple[RecordedTurn, ...]


class Codec(Protocol):
    """How states, facts and instructions become bytes. ``fixed`` holds what seldom changes and is only encoded when it did."""

    def encode_state(self, entity: str, state: Any, previous: Any) -> tuple[bytes | None, bytes]:
        """(``fixed`` or None when it is the same as in ``previous``, ``changing``). ``previous`` is None the first time."""
        ...

    def decode_state(self, entity: str, fixed: bytes, changing: bytes) -> Any:
        """Upgrades states of older schema versions. Raises ``msgspec.MsgspecError`` for what it cannot read."""
        ...

    def encode_fact(self, fact: AnyFact) -> bytes:
        """A fact on its way. Raises ``UnicodeEncodeError`` for text that is none."""
        ...

    def decode_fact(self, data: bytes) -> AnyFact:
        """Raises ``msgspec.MsgspecError`` for what it cannot read."""
        ...

    def encode_instruction(self, instruction: AnyInstruction) -> bytes:
        """An operation that is open."""
        ...

    def decode_instruction(self, data: bytes) -> AnyInstruction:
        """Raises ``msgspec.MsgspecError`` for what it cannot read."""
        ...


class Performer(Protocol):
    """Does what instructions ask of the outside. Each may be called again with the same operation after a crash."""

    async def apply(self, entity: str, instruction: Apply) -> None:
        """Returns when the runtime has taken it on.

        Raises:
            TransientError, TerminalError: what became of it; anything else counts as transient.
        """
        ...

    async def check(self, entity: str, instruction: RunCheck) -> CheckResult:
        """One run of a check; whatever it raises counts as ``unavailable``."""
        ...

    async def task(self, entity: str, instruction: RunTask) -> TaskResult:
        """One try of a task. Performed again after a crash it must not be under way twice; whatever it raises is ``unknown``."""
        ...

    async def look(self, entity: str, watch: Watch) -> Observation:
        """One look at what runs. Raises ``Unreachable``; anything else it raises counts as that."""
        ...


class Engine(Protocol):
    """A host."""

    async def post(self, entity: str, fact: AnyFact, *, dedup: str = "") -> None:
        """Deliver a fact. Returns when it is durable. A fact with a ``dedup`` seen before is dropped. ``at`` 0 is stamped now."""
        ...

    async def ask(self, entity: str, fact: AnyFact, *, dedup: str = "", within: float = PATIENCE) -> Any:
        """Deliver a fact as ``post`` does, and return the committed state after the turn that took it.

        For a fact with a ``dedup`` seen before: the state after the turn that took the first one. Where that turn raises: the
        state that the entity keeps; its problem shows why, and the turn is tried again.

        Raises:
            TimeoutError: the fact is durable, and no turn took it within so many seconds.
            EngineError: as ``post``; or the engine stopped before the turn was committed. A durable fact is taken later.
        """
        ...

    async def until(self, entity: str, holds: Callable[[Any], bool], *, within: float = PATIENCE) -> Any:
        """Return the committed state as soon as ``holds`` is true of it, or its turns raise: then the one it keeps.

        Raises:
            TimeoutError: it did not come to that within so many seconds. EngineError: the engine does not serve.
        """
        ...

    async def read(self, entity: str) -> Any:
        """The committed state of an entity; None when it has none."""
        ...

    async def scan(self, kind: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, Any]]:
        """Entities of a kind (``instance``, ``line`` …) in order of their ids, from after ``after``."""
        ...

    async def recorded(self, entity: str) -> Recording | None:
        """The turns of an entity, as far back as they are kept: at least some hundreds. None: it has had none."""
        ...

    async def serve(self) -> None:
        """Run until cancelled; ends what it started, in order, and leaves the rest for the next start."""
        ...
