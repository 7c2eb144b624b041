"""Bounds how many things start at one moment: what each start does without waiting would stop the event loop for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class Throttle:
    """At most ``width`` holders at a time per event loop, with other work of the loop between two of them."""

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot for the body, which should be short."""
        async with self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._width)):
            yield
            await asyncio.sleep(0)
