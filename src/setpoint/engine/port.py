"""The narrow port between the actors and whatever hosts them. Every host passes the same conformance suite.

Hosts deliver facts (at least once, one turn at a time per entity), make state and instructions durable *before* performing
them, perform instructions, and keep timers, watches and subscriptions. They decide nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import Decision
from setpoint.model.time import Instant

State = msgspec.Struct
Clock = Callable[[], Instant]
"""Milliseconds since the epoch, UTC."""

Decide = Callable[[str, State | None, Sequence[AnyFact], Instant], Decision]
"""``decide(entity, state, facts, now)``: pure. ``state`` is None for an entity that has none yet."""


class Codec(Protocol):
    """How states and facts become bytes. ``fixed`` holds what seldom changes and is only encoded when it did."""

    def encode_state(self, entity: str, state: State, previous: State | None) -> tuple[bytes | None, bytes]:
        """(``fixed`` or None when it is the same as in ``previous``, ``changing``)."""
        ...

    def decode_state(self, entity: str, fixed: bytes, changing: bytes) -> State:
        """Upgrades states of older schema versions. Raises ``msgspec.DecodeError`` for what it cannot read."""
        ...


Perform = Callable[..., Awaitable[None]]


class Engine(Protocol):
    """A host."""

    async def post(self, entity: str, fact: AnyFact, *, dedup: str = "") -> None:
        """Deliver a fact. Returns when it is durable. A fact with a ``dedup`` seen before is dropped. ``at`` 0 is stamped now."""
        ...

    async def read(self, entity: str) -> State | None:
        """The committed state of an entity."""
        ...

    async def scan(self, kind: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, State]]:
        """Entities of a kind (``instance``, ``line`` …) in order of their ids, from after ``after``."""
        ...

    async def serve(self) -> None:
        """Run until cancelled; ends what it started, in order, and leaves the rest for the next start."""
        ...
