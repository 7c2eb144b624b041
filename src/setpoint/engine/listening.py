"""Listens to the runtimes that publish changes: one task for each, which requests a look at what was named.

A hint is only ever that: one that comes twice, wrongly or not at all costs a look, or time until the next poll, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable

from setpoint.model.names import instance_entity
from setpoint.plugins.runtime import ChangeSource

log = logging.getLogger("setpoint.engine")

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds before a runtime that broke is listened to again: doubled with each time in a row."""
_GRACE = 5.0

Hint = Callable[[str], None]
"""Look at this entity immediately; it need not exist."""


class Listening:
    """The tasks, by the name of the runtime."""

    def __init__(self, hint: Hint) -> None:
        self._hint = hint
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def begin(self, name: str, runtime: object) -> None:
        """Listen to a runtime that is new, if it publishes changes."""
        if isinstance(runtime, ChangeSource) and not self._closed:
            self._tasks[name] = asyncio.create_task(self._listen(name, runtime), name=f"listening to the runtime {name}")

    async def end(self, *names: str) -> set[str]:
        """Listen to these no longer; returns those that were listened to."""
        tasks = {name: self._tasks.pop(name) for name in names if name in self._tasks}
        for task in tasks.values():
            task.cancel()
        if tasks and (resisting := (await asyncio.wait(tasks.values(), timeout=_GRACE))[1]):
            log.error("%s: still listening, left behind", ", ".join(task.get_name() for task in resisting))
        return set(tasks)

    async def close(self) -> None:
        """Stop listening, also to a runtime that a last look brings up."""
        self._closed = True
        await self.end(*self._tasks)

    async def _listen(self, name: str, runtime: ChangeSource) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            broke = await self._listen_to(runtime)
            if broke is None:
                log.info('the runtime "%s" publishes no more changes: it is polled', name)
                return
            if time.monotonic() - began > LONGEST_DELAY:
                delay = FIRST_DELAY
            log.error('the runtime "%s" failed to publish changes, it is polled meanwhile: %r', name, broke, exc_info=broke)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _listen_to(self, runtime: ChangeSource) -> BaseException | None:
        """Listen until the runtime publishes no more. Return what it raised, if it did."""
        try:
            changes = runtime.changes()
            try:
                async for instance in changes:
                    self._hint(instance_entity(instance))
                    await asyncio.sleep(0)  # a runtime with endless changes must not keep others from their turn
            finally:
                if isinstance(changes, AsyncGenerator):
                    await changes.aclose()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error
        except Exception as error:  # noqa: BLE001 - an adapter that breaks is logged, and listened to again
            return error
        return None
