"""The narrow port between the actors and whatever hosts them. Every host passes the same conformance suite.

Hosts deliver facts (at least once, one turn at a time per entity), make state and instructions durable *before* performing
them, perform instructions, and keep timers, watches and subscriptions. They decide nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from setpoint.core.facts import AnyFact, Fact
from setpoint.core.instructions import AnyInstruction, Apply, Cancel, Decision, Event, RunCheck, RunTask, Watch
from setpoint.engine.health import Health
from setpoint.model.checks import CheckResult
from setpoint.model.observation import Observation
from setpoint.model.tasks import TaskResult
from setpoint.model.time import Duration, Instant
from setpoint.store.port import Line

State = msgspec.Struct
Clock = Callable[[], Instant]
"""Milliseconds since the epoch, UTC."""

CLOCK = "engine:clock"
"""Entity of the lines of history about the clocks: it is not an actor."""
PATIENCE = 30.0
"""Seconds that a caller waits for a turn."""

AnyKind = TypeVar("AnyKind", bound=Fact)

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


class StateCodec(Protocol):
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


class Clocks(Protocol):
    """The two clocks of a host (§10.17). Called, they return steady time, which never goes back."""

    @property
    def offset(self) -> Duration:
        """How far the wall clock is beyond the steady one now."""
        ...

    @property
    def was_set(self) -> bool:
        """Whether the wall clock was ever beyond the steady one, or behind it."""
        ...

    def __call__(self) -> Instant:
        """Return steady time."""
        ...

    def wall(self) -> Instant:
        """Return what the wall clock shows."""
        ...

    def wall_at(self, steady: Instant) -> Instant:
        """Return what the wall clock showed, or would show, at a steady time: what people read."""
        ...

    def stamped(self, fact: AnyKind) -> AnyKind:
        """Return the fact as one that happens now."""
        ...


class Actors(Protocol):
    """Actors that take facts, and their states."""

    @property
    def clock(self) -> Clocks:
        """The clocks that facts are stamped with."""
        ...

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

    async def post_all(self, facts: Iterable[tuple[str, AnyFact]]) -> None:
        """Deliver many, behind what is urgent; return when all are durable. Raises as ``post``; then some may be durable."""
        ...

    async def read(self, entity: str) -> Any:
        """The committed state of an entity; None when it has none."""
        ...

    async def scan(self, kind: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, Any]]:
        """Entities of a kind (``instance``, ``line`` …) in order of their ids, from after ``after``."""
        ...


Effect = Apply | RunCheck | RunTask | Cancel


@dataclass
class DryRunOutcome:
    """What would happen, in order."""

    events: list[tuple[str, Event]] = field(default_factory=list)
    """(entity, line of history)."""
    effects: list[tuple[str, Effect]] = field(default_factory=list)
    """(entity, what the outside would be ordered to do)."""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    """Entity -> state, of those that had a turn."""
    cut_off: bool = False


class DryRun(Actors, Protocol):
    """Actors on a copy of what is committed: they decide, and nothing of it is stored or performed."""

    @property
    def outcome(self) -> DryRunOutcome:
        """What the facts until now would lead to."""
        ...


class Engine(Actors, Protocol):
    """A host."""

    async def recorded(self, entity: str) -> Recording | None:
        """The turns of an entity, as far back as they are kept: at least some hundreds. None: it has had none."""
        ...

    def rehearse(self) -> DryRun:
        """Return actors in the states that are committed now, for a dry run."""
        ...

    def look(self, entity: str) -> None:
        """Look soon at what runs: a hint that it may have changed. The entity need not exist."""
        ...

    async def look_now(self, entity: str) -> int:
        """Look at what runs, and return the number of the look if it found a change, which is posted; else 0.

        A look that started before the call does not count. 0 also where nothing is watched.
        """
        ...

    def problem(self, entity: str) -> str:
        """Return why the turns of an entity do not succeed; empty: they do."""
        ...

    def problems(self) -> dict[str, str]:
        """Return every entity whose turns do not succeed, with the reason."""
        ...

    def subscribe_events(self, *, after: int | None = None) -> AsyncIterator[Line]:
        """Yield lines of history as they become durable, after number ``after`` (None: from now on), until the engine ends.

        Raises:
            UnknownNumber: the store has not given out this number.
        """
        ...

    def health(self) -> Health:
        """Return how the engine is; it costs nothing."""
        ...

    async def serve(self) -> None:
        """Run until cancelled; ends what it started, in order, and leaves the rest for the next start."""
        ...
