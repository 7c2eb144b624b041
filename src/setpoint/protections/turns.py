"""A thousand checks that begin at one moment take turns, or what each does without waiting would stop the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class Turns:
    """One holder at a time per event loop, and everybody else's work between two of them."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold the turn for the body, which should be short."""
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            yield
            await asyncio.sleep(0)
