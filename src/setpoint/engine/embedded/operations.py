"""Open operations: performed a few at a time, each ended by exactly one result. One apply per entity, and one task per key.

An operation whose end no turn took stays a row, and begins again at the next start with the same id. Whatever requests its
cancellation before it begins, has it cancelled; it is looked up once more just before it is performed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Container

from setpoint.core.facts import AnyFact, Applied, CheckFinished, CheckUnwanted, TaskFinished
from setpoint.core.instructions import Apply, RunCheck, RunTask
from setpoint.engine.embedded.clock import HostClock
from setpoint.engine.embedded.failpoints import Failpoints
from setpoint.engine.port import Performer
from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.names import any_release
from setpoint.model.tasks import TaskEnd, TaskResult
from setpoint.plugins.errors import AdapterError, TerminalError

log = logging.getLogger("setpoint.engine")

CHECKS = 64
APPLIES = 64
TASKS = 16
"""Limits of concurrent programs, applies and tasks."""
_GRACE = 5.0
"""Seconds that an apply or a task may take to end when the engine stops."""

Effect = Apply | RunCheck | RunTask
Ended = Callable[[str, Effect, AnyFact], None]
"""Called with the entity, what was done and the fact it ended with."""


class _OperationQueue:
    """Those of one kind: first come, first served, so many together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waiting: deque[tuple[str, Effect]] = deque()
        self.running = 0


class Operations:
    """Starts, bounds and ends operations."""

    def __init__(
        self,
        performer: Performer,
        ended: Ended,
        *,
        clock: HostClock,
        failpoints: Failpoints,
        is_open: Callable[[str], bool],
        is_wanted: Callable[[str], bool],
    ) -> None:
        self._performer = performer
        self._ended = ended
        self._clock = clock
        self._failpoints = failpoints
        self._is_open = is_open
        self._is_wanted = is_wanted
        self._lanes = {Apply: _OperationQueue(APPLIES), RunCheck: _OperationQueue(CHECKS), RunTask: _OperationQueue(TASKS)}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._kinds: dict[str, type[Effect]] = {}
        self._alone: dict[str, deque[tuple[str, Effect]]] = {}
        """What excludes others of its kind -> those that wait for its end."""
        self.finished: dict[str, tuple[str, Effect, AnyFact]] = {}
        """Operation -> its end, until the turn that takes it is committed."""
        self.stopping = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """How many wait for others to end."""
        return sum(len(lane.waiting) for lane in self._lanes.values()) + sum(len(rest) for rest in self._alone.values())

    def started(self, operation: str) -> bool:
        """Return whether it has started (or ended): too late to cancel."""
        return operation in self._tasks or operation in self.finished

    def start(self, entity: str, effect: Effect) -> None:
        """Perform it as soon as its turn comes."""
        if effect.operation in self._tasks:
            return
        if effect.operation in self.finished:
            self._ended(*self.finished[effect.operation])
            return
        excluded = _excludes(entity, type(effect))
        if excluded:
            if excluded in self._alone:
                self._alone[excluded].append((entity, effect))
                return
            self._alone[excluded] = deque()
        self._lanes[type(effect)].waiting.append((entity, effect))
        self._fill(type(effect))

    def committed(self, operation: str) -> None:
        """Its end was taken, durably."""
        self.finished.pop(operation, None)

    def forget(self, still_open: Container[str]) -> None:
        """Drop what has not started, for it is about to be loaded again, and ends that nothing waits for any more."""
        self.finished = {operation: end for operation, end in self.finished.items() if operation in still_open}
        for lane in self._lanes.values():
            lane.waiting.clear()
        running = (_excludes(task.get_name(), self._kinds[operation]) for operation, task in self._tasks.items())
        self._alone = {excluded: deque() for excluded in running if excluded}

    async def stop(self) -> None:
        """Start nothing more, end checks immediately, applies and tasks after a grace; their rows stay open."""
        self.stopping = True
        for operation, task in self._tasks.items():
            if self._kinds[operation] is RunCheck:
                task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left and (resisting := (await asyncio.wait(left, timeout=_GRACE))[1]):
            log.error(
                "%d operations resist being cancelled and are left behind; they begin again at the next start", len(resisting)
            )

    def _fill(self, kind: type[Effect]) -> None:
        lane = self._lanes[kind]
        while lane.waiting and lane.running < lane.limit and not self.stopping:
            entity, effect = lane.waiting.popleft()
            if not self._is_open(effect.operation):
                self._free(entity, effect)
            elif isinstance(effect, RunCheck) and not self._is_wanted(entity):
                self._end(entity, effect, CheckUnwanted(operation=effect.operation))
            else:
                lane.running += 1
                self._kinds[effect.operation] = kind
                self._tasks[effect.operation] = asyncio.create_task(self._perform(entity, effect), name=entity)

    async def _perform(self, entity: str, effect: Effect) -> None:
        kind = type(effect)
        name = kind.__name__
        fact: AnyFact
        try:
            self._failpoints.hit("before-perform", name)
            fact = await self._do(entity, effect)
            self._failpoints.hit("after-perform", name)
        except asyncio.CancelledError:
            if self.stopping:
                return
            fact = self._given_up(effect)
        finally:
            del self._tasks[effect.operation], self._kinds[effect.operation]
            self._lanes[kind].running -= 1
        self._end(entity, effect, fact)
        self._free(entity, effect)
        self._fill(kind)

    async def _do(self, entity: str, effect: Effect) -> AnyFact:
        match effect:
            case Apply():
                return await self._apply(entity, effect)
            case RunCheck():
                return await self._check(entity, effect)
            case RunTask():
                return await self._task(entity, effect)

    def _given_up(self, effect: Effect) -> AnyFact:
        """Return an end although the engine cancelled nothing: the adapter did, and its end must be posted all the same."""
        if isinstance(effect, Apply):
            return Applied(operation=effect.operation, error="the runtime adapter gave up")
        if isinstance(effect, RunTask):
            unknown = TaskResult(TaskEnd.UNKNOWN, "the task gave up")
            return TaskFinished(operation=effect.operation, result=unknown)
        return CheckFinished(operation=effect.operation, result=CheckResult(Outcome.UNAVAILABLE, "the check gave up"))

    def _end(self, entity: str, effect: Effect, fact: AnyFact) -> None:
        fact = self._clock.stamped(fact)
        self.finished[effect.operation] = (entity, effect, fact)
        self._ended(entity, effect, fact)

    def _free(self, entity: str, effect: Effect) -> None:
        """Let the next one that was excluded have its turn."""
        excluded = _excludes(entity, type(effect))
        rest = self._alone.get(excluded)
        if rest:
            self._lanes[type(effect)].waiting.append(rest.popleft())
        else:
            self._alone.pop(excluded, None)

    async def _apply(self, entity: str, effect: Apply) -> Applied:
        error, terminal = "", False
        try:
            await self._performer.apply(entity, effect)
        except TerminalError as raised:
            error, terminal = _sentence(raised), True
        except AdapterError as raised:
            error = _sentence(raised)
        except Exception as raised:  # noqa: BLE001 - whatever an adapter raises is the end of its operation, and is posted
            error = f"the runtime adapter raised {type(raised).__name__}: {_sentence(raised)}"
        return Applied(operation=effect.operation, error=error, terminal=terminal)

    async def _check(self, entity: str, effect: RunCheck) -> CheckFinished:
        try:
            result = await self._performer.check(entity, effect)
        except Exception as raised:  # noqa: BLE001 - whatever an adapter raises is the end of its operation, and is posted
            result = CheckResult(Outcome.UNAVAILABLE, f"the check raised {type(raised).__name__}: {_sentence(raised)}")
        return CheckFinished(operation=effect.operation, result=result)

    async def _task(self, entity: str, effect: RunTask) -> TaskFinished:
        try:
            result = await self._performer.task(entity, effect)
        except Exception as raised:  # noqa: BLE001 - whatever an adapter raises is the end of its operation, and is posted
            result = TaskResult(TaskEnd.UNKNOWN, f"the task raised {type(raised).__name__}: {_sentence(raised)}")
        return TaskFinished(operation=effect.operation, result=result)


def _excludes(entity: str, kind: type[Effect]) -> str:
    """Return the key of what never runs twice: applies to one instance, tasks of one key in any release; empty: nothing."""
    if kind is Apply:
        return entity
    return any_release(entity) if kind is RunTask else ""


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.encode("utf-8", "replace").decode()
