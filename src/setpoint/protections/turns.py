"""A thousand checks that begin at one moment take turns, or what each does without waiting would stop the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class Turns:
    """Few holders at a time per event loop (``width``), and everybody else's work between two of them."""

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold the turn for the body, which should be short."""
        async with self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._width)):
            yield
            await asyncio.sleep(0)
