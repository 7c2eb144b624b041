"""Watches: who is looked at, when next, and what was seen last.

One heap for all; looks are few at a time, and an instance has at most one in flight. Polls keep to real time, jittered, so that
a clock that is set neither stops nor floods them; only ``gap`` and stamps are in the host's time.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from setpoint.core.facts import Observed, Unobserved
from setpoint.core.instructions import Watch
from setpoint.engine.embedded.clock import HostClock
from setpoint.engine.port import Performer
from setpoint.model.observation import Observation
from setpoint.model.time import Instant
from setpoint.plugins.errors import AdapterError

log = logging.getLogger("setpoint.engine")

LOOKS = 64
"""In flight together."""
_GRACE = 5.0
_JITTER = 0.15
_SPARE = 64
"""Entries of the heap that no longer count, beyond one for each instance, before it is cleared of them."""

Post = Callable[[str, Observed | Unobserved], None]


@dataclass(slots=True)
class _Watched:
    """One instance that is looked at."""

    watch: Watch
    seen: Observation | None = None
    """What was posted last; None: the next success is posted whatever it is."""
    unreachable: bool = False
    """That was posted; None of it is posted again."""
    succeeded: Instant | None = None
    gap: int = 0
    looking: bool = False
    again: bool = False
    queued: bool = False
    """Waits in the queue of those to be looked at now."""
    paused: set[str] | None = None
    """Applies that must be taken on first."""
    due: float = 0.0
    callers: list[asyncio.Future[int]] = field(default_factory=list)
    """They wait for a look that has not started yet."""


class Watches:
    """Looks, and posts what is new."""

    def __init__(
        self,
        performer: Performer,
        post: Post,
        clock: HostClock,
        *,
        first_look: int,
        ring: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._performer = performer
        self._post = post
        self._clock = clock
        self._look = first_look
        self._monotonic = monotonic
        self._ring = ring
        """Requests a call of ``run`` within so many seconds."""
        self._watched: dict[str, _Watched] = {}
        self._heap: list[tuple[float, str]] = []
        """When to poll whom; an entry counts if it matches the instance's own, as hints come in between."""
        self._hints_first = False
        self._now: deque[str] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random()  # noqa: S311 - jitter
        self._stopped = False
        self.looks = 0
        """Made since the start."""

    def __len__(self) -> int:
        return len(self._watched)

    def set(self, entity: str, watch: Watch) -> None:
        """Look now and every so often; the first look that starts from now on is posted."""
        watched = self._watched.get(entity)
        if watched is None:
            watched = self._watched[entity] = _Watched(watch)
        watched.watch = watch
        watched.seen = None
        watched.unreachable = False
        watched.paused = None
        self.hint(entity)

    def unset(self, entity: str) -> None:
        """Stop looking."""
        watched = self._watched.pop(entity, None)
        if watched is not None:
            _return(watched.callers, 0)

    def pause(self, entity: str, operation: str) -> None:
        """Stop looking until the next ``set``, or until this operation was cancelled; observed time goes on where it was."""
        watched = self._watched.get(entity)
        if watched is not None:
            watched.paused = {operation, *(watched.paused or ())}
            _return(watched.callers, 0)

    def unpause(self, entity: str, operation: str) -> None:
        """The operation was cancelled: if no other holds it up, look on as before."""
        watched = self._watched.get(entity)
        if watched is not None and watched.paused:
            watched.paused.discard(operation)
            if not watched.paused:
                self.set(entity, watched.watch)

    def hint(self, entity: str) -> None:
        """Look immediately: something may have changed."""
        watched = self._watched.get(entity)
        if watched is None or watched.paused:
            return
        if watched.looking:
            watched.again = True
        elif not watched.queued:
            watched.queued = True
            watched.due = 0.0
            self._now.append(entity)
        self._ring(0)

    async def look(self, entity: str) -> int:
        """Look now; return when a look that started after the call has ended: its number if it posted something new, else 0.

        Returns 0 immediately where nothing is watched, or an apply has to be taken on first.
        """
        watched = self._watched.get(entity)
        if watched is None or watched.paused or self._stopped:
            return 0
        caller: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        watched.callers.append(caller)
        self.hint(entity)
        return await caller

    def run(self) -> None:
        """Start the looks that are due, as many as may run."""
        now = self._monotonic()
        while len(self._tasks) < LOOKS and (entity := self._next(now)) is not None:
            watched = self._watched[entity]
            watched.looking = True
            watched.due = 0.0
            task = asyncio.create_task(self._look_at(entity, watched), name=entity)
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        if self._heap and len(self._tasks) < LOOKS:
            self._ring(self._heap[0][0] - now)

    async def stop(self) -> None:
        """End every look; post nothing any more."""
        for watched in self._watched.values():
            _return(watched.callers, 0)
        self._watched.clear()
        self._heap.clear()
        self._now.clear()
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks and (resisting := (await asyncio.wait(tasks, timeout=_GRACE))[1]):
            log.error("%d looks resist being cancelled and are left behind", len(resisting))

    def _next(self, now: float) -> str | None:
        """By turns one hinted at and one to be polled, so that runtimes with many hints do not keep others from being polled."""
        self._hints_first = not self._hints_first
        if self._hints_first:
            return self._next_hinted() or self._next_polled(now)
        return self._next_polled(now) or self._next_hinted()

    def _next_hinted(self) -> str | None:
        while self._now:
            entity = self._now.popleft()
            watched = self._watched.get(entity)
            if watched is not None and watched.queued:
                watched.queued = False
                if not watched.looking and not watched.paused:
                    return entity
        return None

    def _next_polled(self, now: float) -> str | None:
        while self._heap and self._heap[0][0] <= now:
            due, entity = heapq.heappop(self._heap)
            watched = self._watched.get(entity)
            if watched is not None and watched.due == due and not watched.paused:
                return entity
        return None

    async def _look_at(self, entity: str, watched: _Watched) -> None:
        callers, watched.callers = watched.callers, []
        posted = 0
        try:
            posted = await self._look_once(entity, watched)
        finally:
            _return(callers, posted)

    async def _look_once(self, entity: str, watched: _Watched) -> int:
        """Return the number of the look if it posted something new, else 0."""
        watch = watched.watch
        self._look += 1
        number = self._look
        self.looks += 1
        posted = False
        seen: Observation | str
        try:
            seen = await self._performer.look(entity, watch)
        except asyncio.CancelledError:
            if self._stopped:
                raise
            seen = "the runtime adapter gave up"
        except AdapterError as error:
            seen = _printable(str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a look that breaks is a look that saw nothing; it is posted as that
            seen = _printable(f"the look raised {type(error).__name__}: {error}")
        finally:
            watched.looking = False
        if self._watched.get(entity) is watched:
            if watched.watch is watch and not watched.paused:
                posted = self._saw(entity, watched, number, seen if seen == watched.seen else _writable(seen))
            self._schedule(entity, watched)
        return number if posted else 0

    def _saw(self, entity: str, watched: _Watched, number: int, seen: Observation | str) -> bool:
        """Post what is new; whether anything was."""
        now = self._clock()
        watch = watched.watch
        if isinstance(seen, str):
            if watched.unreachable:
                return False
            watched.unreachable = True
            watched.seen = None
            unseen = Unobserved(watch=watch.number, look=number, message=seen, gap=watched.gap)
            self._post(entity, self._clock.stamped(unseen))
            watched.gap = 0
            return True
        if watched.succeeded is not None:
            watched.gap += max(0, min(now - watched.succeeded, 2 * watch.every))
        watched.succeeded = now
        watched.unreachable = False
        if seen == watched.seen:
            return False
        watched.seen = seen
        looked = Observed(watch=watch.number, look=number, observation=seen, gap=watched.gap)
        self._post(entity, self._clock.stamped(looked))
        watched.gap = 0
        return True

    def _schedule(self, entity: str, watched: _Watched) -> None:
        if watched.paused:
            return
        if watched.again:
            watched.again = False
            self.hint(entity)
            return
        delay = watched.watch.every / 1000 * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        watched.due = self._monotonic() + delay
        heapq.heappush(self._heap, (watched.due, entity))
        if len(self._heap) > 2 * len(self._watched) + _SPARE:
            self._heap = [(watched.due, entity) for entity, watched in self._watched.items() if watched.due]
            heapq.heapify(self._heap)
        self._ring(delay)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: the observation could not be posted", task.get_name(), exc_info=error)
        if self._now or self._heap:
            self._ring(0 if self._now else max(0.0, self._heap[0][0] - self._monotonic()))


def _return(callers: list[asyncio.Future[int]], number: int) -> None:
    for caller in callers:
        if not caller.done():
            caller.set_result(number)
    callers.clear()


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _writable(seen: Observation | str) -> Observation | str:
    """What holds text that is none can be written down nowhere, and would cost more than its own instance."""
    try:
        msgspec.msgpack.encode(seen)
    except UnicodeEncodeError as error:
        return _printable(f"the observation is not valid text: {error.reason}")
    return seen
