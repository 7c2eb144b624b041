"""Events from outside: stamped, deduplicated, and confirmed to their posters when durable – or refused."""

from __future__ import annotations

import asyncio
import time

from msgspec import structs

from setpoint.core.facts import AnyFact
from setpoint.engine.embedded.clock import HostClock
from setpoint.engine.embedded.mailbox import Mail, Mailbox
from setpoint.engine.embedded.turns import Turns
from setpoint.engine.embedded.world import EngineWorld
from setpoint.engine.port import StateCodec
from setpoint.model.time import HOUR, Duration, Instant

_DEDUP_AGE: Duration = 24 * HOUR
_SWEEP = 3600.0


class Intake:
    """Takes facts in. ``queued`` may wait for turns before posters are made to wait."""

    def __init__(self, codec: StateCodec, clock: HostClock, queued: int) -> None:
        self._codec = codec
        self._clock = clock
        self._queued = queued
        self._room = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self._by_key: dict[str, asyncio.Future[None]] = {}
        self._next_sweep = 0.0

    def use(self, world: EngineWorld, mailbox: Mailbox, turns: Turns) -> None:
        """Deliver there from now on."""
        self._world = world
        self._mailbox = mailbox
        self._turns = turns

    def is_full(self) -> bool:
        """Whether posters should wait."""
        return self._mailbox.mails > self._queued

    async def room(self) -> None:
        """Wait until some facts were decided upon."""
        self._room.clear()
        await self._room.wait()

    def make_room(self) -> None:
        """Facts were decided upon."""
        if not self._room.is_set() and not self.is_full():
            self._room.set()

    def take(self, entity: str, fact: AnyFact, dedup: str, *, urgent: bool) -> asyncio.Future[None] | None:
        """Put it into the mailbox; done when it is durable. None: it had been taken before. Raises ValueError."""
        if dedup in self._by_key:
            return self._by_key[dedup]
        if dedup and dedup in self._world.dedup:
            return None
        now = self._clock()
        if not fact.at:
            fact = structs.replace(fact, at=now, offset=self._clock.offset)
        blob = self._codec.encode_fact(fact)
        dedup.encode()
        actor = self._world.actor(entity)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        done.add_done_callback(self._waiting.discard)
        self._mailbox.put(actor, Mail(fact, blob, done=done), urgent=urgent)
        if dedup:
            self._remember(dedup, now, done)
        return done

    def fail(self, error: Exception) -> None:
        """Fail every poster whose fact is not durable; posters that wait for room try, and fail as well."""
        for done in list(self._waiting):
            if not done.done():
                done.set_exception(error)
                done.exception()
        self._room.set()

    def sweep(self, now: Instant) -> bool:
        """Once an hour, forget keys that are too old to come again; whether there were some."""
        if time.monotonic() < self._next_sweep:
            return False
        self._next_sweep = time.monotonic() + _SWEEP
        gone = [key for key, at in self._world.dedup.items() if at < now - _DEDUP_AGE]
        for key in gone:
            del self._world.dedup[key]
        self._turns.dedup_gone += gone
        return bool(gone)

    def _remember(self, dedup: str, now: Instant, done: asyncio.Future[None]) -> None:
        self._world.dedup[dedup] = now
        self._turns.dedup.append((dedup, now))
        self._by_key[dedup] = done
        done.add_done_callback(lambda _: self._by_key.pop(dedup, None))
