"""The memory image of the journal: what the last decided turn left behind."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import Any

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction
from setpoint.engine.embedded.mailbox import Actor
from setpoint.model.names import entity_kind
from setpoint.model.time import Instant, Stamp


class EngineWorld:
    """Every actor, who subscribes to whom, what was published, what is open."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}
        self.kinds: dict[str, list[str]] = {}
        """Kind -> sorted entities."""
        self.subscribers: dict[str, dict[str, None]] = {}
        self.publications: dict[str, AnyFact] = {}
        self.fanouts: dict[str, list[str]] = {}
        """Publisher -> who has not got its publication yet, last one first."""
        self.operations: dict[str, str] = {}
        """Open operation -> kind of its instruction."""
        self.wakes: dict[str, Instant] = {}
        """Stored times to be woken, as loaded."""
        self.problems: dict[str, str] = {}
        """Entity -> why its turns do not succeed, of those that have a problem."""
        self.open: list[tuple[str, AnyInstruction]] = []
        """Open operations, as loaded."""
        self.dedup: dict[str, Instant] = {}
        self.stamp: Stamp | None = None
        """The last durable one, as loaded."""
        self.offsets: list[Stamp] = []
        """Of the wall clock, as loaded, oldest first."""
        self.next_actor = 1
        self.next_mail = 1
        self.next_turn = 1
        self.long: deque[int] = deque()
        """Last turns of entities whose oldest chapters may go."""

    def actor(self, entity: str) -> Actor:
        """The actor, made if there is none. Raises ValueError for a text that is not an entity."""
        found = self.actors.get(entity)
        return found if found is not None else self.add(Actor(self.next_actor, entity))

    def add(self, actor: Actor) -> Actor:
        """Take in an actor."""
        kind = entity_kind(actor.entity)
        self.actors[actor.entity] = actor
        self.next_actor = max(self.next_actor, actor.id + 1)
        insort(self.kinds.setdefault(kind, []), actor.entity)
        return actor

    def scan(self, kind: str, after: str, limit: int) -> list[tuple[str, Any]]:
        """Committed states of a kind, in order of entity."""
        names = self.kinds.get(kind, [])
        start = bisect_right(names, after) if after else 0
        found: list[tuple[str, Any]] = []
        for position in range(start, len(names)):
            state = self.actors[names[position]].durable
            if state is not None:
                found.append((names[position], state))
                if len(found) == limit:
                    break
        return found

    def start_fanout(self, publisher: str, after: str = "") -> None:
        """Everyone subscribed whose name comes after ``after`` has yet to get what was published."""
        names = sorted(self.subscribers.get(publisher, ()))
        rest = names[bisect_left(names, after + "\0") :] if after else names
        rest.reverse()
        self.fanouts[publisher] = rest
