"""What a fact would lead to: the very decisions of the core, in memory, on what is durable now.

Nothing is stored and nothing is performed. It goes as far as decisions go without the outside: an apply, a check or a task that
would start is shown, and what comes of it is not guessed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import (
    AnyInstruction,
    Apply,
    Cancel,
    Publish,
    Record,
    RunCheck,
    RunTask,
    Send,
    Subscribe,
    Unsubscribe,
)
from setpoint.core.routing import Message, route
from setpoint.engine.port import Clocks, Decide, DryRunOutcome
from setpoint.model.time import Stamp

MOST_TURNS = 20_000
"""A dry run of more is cut off, and its outcome shows that."""


@dataclass(frozen=True)
class Committed:
    """What a host provides for a dry run; it is read, never changed."""

    state: Callable[[str], Any]
    """Entity -> its state; None: it has none."""
    scan: Callable[[str, str, int], list[tuple[str, Any]]]
    """(kind, after, limit) -> entities with their states, in order."""
    publications: Mapping[str, AnyFact]
    subscribers: Mapping[str, Iterable[str]]


class Rehearsal:
    """Takes facts like an engine, and keeps to itself what they lead to."""

    def __init__(self, committed: Committed, decide: Decide, clock: Clocks) -> None:
        self._committed = committed
        self._decide = decide
        self.clock = clock
        self._publications: dict[str, AnyFact] = {}
        self._subscribers: dict[str, dict[str, None]] = {}
        """Both of those publishers that were concerned, as they would be by now."""
        self._waiting: deque[tuple[str, AnyFact]] = deque()
        self.outcome = DryRunOutcome()
        self._turns = 0

    # --- as an engine

    async def post(self, entity: str, fact: AnyFact, *, dedup: str = "") -> None:  # noqa: ARG002 - nothing is kept that could repeat
        """Deliver a fact and everything that follows from it by decisions alone."""
        self._deliver(entity, fact)
        while self._waiting and not self.outcome.cut_off:
            self._turn(*self._waiting.popleft())

    async def post_all(self, facts: Iterable[tuple[str, AnyFact]]) -> None:
        """Deliver many."""
        for entity, fact in facts:
            await self.post(entity, fact)

    async def ask(self, entity: str, fact: AnyFact, *, dedup: str = "", within: float = 0) -> Any:  # noqa: ARG002 - see ``post``
        """Deliver a fact; the state as it would be by then."""
        await self.post(entity, fact)
        return await self.read(entity)

    async def until(self, entity: str, holds: Callable[[Any], bool], *, within: float = 0) -> Any:  # noqa: ARG002 - nothing else comes
        """The state as it would be by now: what leads to it was decided already."""
        return await self.read(entity)

    async def read(self, entity: str) -> Any:
        """The state as it would be by now."""
        if entity in self.outcome.after:
            return self.outcome.after[entity]
        return self._committed.state(entity)

    async def scan(self, kind: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, Any]]:
        """Entities of a kind as they would be by now; those that do not exist yet are left out."""
        return [(entity, self.outcome.after.get(entity, state)) for entity, state in self._committed.scan(kind, after, limit)]

    # --- turns

    def _deliver(self, entity: str, fact: AnyFact) -> None:
        self._waiting.append((entity, fact if fact.at else self.clock.stamped(fact)))

    def _turn(self, entity: str, fact: AnyFact) -> None:
        self._turns += 1
        self.outcome.cut_off = self._turns >= MOST_TURNS
        before = self.outcome.after.get(entity, self._committed.state(entity))
        decision = self._decide(entity, before, (fact,), fact.at)
        self.outcome.before.setdefault(entity, before)
        self.outcome.after[entity] = decision.state
        for instruction in decision.instructions:
            self._take(entity, instruction, fact)

    def _take(self, entity: str, instruction: AnyInstruction, cause: AnyFact) -> None:
        match instruction:
            case Send():
                self._exchange(entity, instruction, cause)
            case Publish():
                self._copy(entity)
                self._exchange(entity, instruction, cause)
            case Subscribe(to) | Unsubscribe(to):
                self._copy(to)
                self._exchange(entity, instruction, cause)
            case Record(event):
                self.outcome.events.append((entity, event))
            case Apply() | RunCheck() | RunTask() | Cancel():
                self.outcome.effects.append((entity, instruction))
            case _:
                pass  # looks change nothing

    def _exchange(self, entity: str, message: Message, cause: AnyFact) -> None:
        fact, receivers, _ = route(entity, message, self._subscribers, self._publications, Stamp(cause.at, cause.offset))
        if fact is not None:
            self._waiting.extend((receiver, fact) for receiver in receivers)

    def _copy(self, publisher: str) -> None:
        """Begin with what is durable."""
        if publisher in self._subscribers:
            return
        self._subscribers[publisher] = dict.fromkeys(self._committed.subscribers.get(publisher, ()))
        if publisher in self._committed.publications:
            self._publications[publisher] = self._committed.publications[publisher]
