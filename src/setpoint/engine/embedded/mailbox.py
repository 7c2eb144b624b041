"""Facts on their way to actors, and which actors have some."""

from __future__ import annotations

from asyncio import Future
from collections import deque
from typing import Any

from setpoint.core.facts import AnyFact
from setpoint.model.time import Stamp

_NORMAL_TURN = 4
"""Every so many turns goes to an actor that is not urgent, however many are."""


class Mail:
    """One fact for one actor."""

    __slots__ = ("blob", "done", "fact", "operation", "seq", "taken")

    def __init__(
        self, fact: AnyFact, blob: bytes | None = None, *, seq: int = 0, operation: str = "", done: Future[None] | None = None
    ) -> None:
        self.fact = fact
        self.blob = blob
        """The fact encoded, where it must get a row unless a turn takes it immediately. None: it can be had again."""
        self.seq = seq
        """Its row; 0: none."""
        self.operation = operation
        """The operation that ended with it; its row is kept until a turn took this."""
        self.done = done
        """Resolved when it is durable."""
        self.taken = False


class Actor:
    """One entity in memory."""

    __slots__ = ("aside", "durable", "entity", "failures", "id", "pending", "ready", "state", "turn", "turns", "unreadable")

    def __init__(self, number: int, entity: str, state: Any = None) -> None:
        self.id = number
        self.entity = entity
        self.state: Any = state
        """As decided."""
        self.durable: Any = state
        """As committed."""
        self.pending: list[Mail] | None = None
        self.aside: list[Mail] | None = None
        """Facts with which a turn raised."""
        self.failures = 0
        self.unreadable = False
        """Its stored state cannot be decoded: it takes no turn, and its rows stay as they are."""
        self.ready = 0
        self.turn = 0
        """Row of its last turn; 0: none."""
        self.turns = 0
        """So many it has had."""


class Mailbox:
    """Who has mail, in the order in which it came; urgent ones first."""

    def __init__(self) -> None:
        self._urgent: deque[Actor] = deque()
        self._normal: deque[Actor] = deque()
        self._turns = 0
        self.mails = 0
        """Facts that wait for a turn."""
        self.unsaved: list[tuple[Actor, Mail]] = []
        """What must be a row after the next commit, unless it is taken in it."""

    def __len__(self) -> int:
        return len(self._urgent) + len(self._normal)

    def put(self, actor: Actor, mail: Mail, *, urgent: bool = False) -> None:
        """Add a fact behind those that wait."""
        self.mails += 1
        if actor.pending is None:
            actor.pending = [mail]
        else:
            actor.pending.append(mail)
        if mail.blob is not None and not mail.seq:
            self.unsaved.append((actor, mail))
        self.rouse(actor, urgent=urgent)

    def rouse(self, actor: Actor, *, urgent: bool = False) -> None:
        """Let the actor have a turn, with or without new mail."""
        if urgent:
            if actor.ready < 2:
                actor.ready = 2
                self._urgent.append(actor)
        elif not actor.ready:
            actor.ready = 1
            self._normal.append(actor)

    def next(self) -> tuple[Actor, bool] | None:
        """Who has the next turn, and whether it is urgent."""
        self._turns += 1
        while self._urgent or self._normal:
            normal = not self._urgent or (self._normal and not self._turns % _NORMAL_TURN)
            actor = self._normal.popleft() if normal else self._urgent.popleft()
            if actor.ready:
                urgent = actor.ready == 2
                actor.ready = 0
                return actor, urgent
        return None


def stamp_of(mails: list[Mail]) -> Stamp:
    """The newest stamp: a turn's ``now``, and what the wall clock showed then."""
    newest = max(mails, key=lambda mail: mail.fact.at).fact
    return Stamp(newest.at, newest.offset)
