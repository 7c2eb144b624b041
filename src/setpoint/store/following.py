"""Readers that follow what becomes durable, from the number that they saw last: none misses a commit, none sees one twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from setpoint.store.port import Change, Line, Store, UnknownNumber

_CHUNK = 500


async def follow_lines(store: Store, *, after: int | None = None) -> AsyncIterator[Line]:
    """Yield each line of history after number ``after`` (None: from now on) until the store closes.

    History is not pruned, so a reader may resume from any number that was given out. Raises UnknownNumber for another one.
    """
    newest = await store.changes.newest()
    position = newest if after is None else after
    if position > newest:
        raise UnknownNumber(position, 0, newest)
    while (reached := await store.changes.wait(after=position)) is not None:
        lines = await store.history.lines(after=position, limit=_CHUNK)
        for line in lines:
            yield line
        last = lines[-1].seq if lines else 0
        position = last if len(lines) == _CHUNK else max(reached, last)


async def follow_changes(store: Store, *, after: int | None = None) -> AsyncIterator[Change]:
    """Yield each change after number ``after`` (None: from now on) until the store closes. Raises UnknownNumber."""
    position = await store.changes.newest() if after is None else after
    changes = await store.changes.read(after=position, limit=_CHUNK)
    while True:
        for change in changes:
            yield change
            position = change.number
        if await store.changes.wait(after=position) is None:
            return
        changes = await store.changes.read(after=position, limit=_CHUNK)


class Bell:
    """The newest durable number, and who waits for the next one: for stores with their writers and readers in one process."""

    def __init__(self) -> None:
        self._newest = 0
        self._news = asyncio.Event()
        self._closed = False

    def ring(self, number: int) -> None:
        """``number`` is durable."""
        self._newest = max(self._newest, number)
        self._wake()

    def close(self) -> None:
        """End every wait, also later ones."""
        self._closed = True
        self._wake()

    async def wait(self, *, after: int) -> int | None:
        """Return the newest number as soon as it is beyond ``after``; None: closed."""
        while not self._closed and self._newest <= after:
            await self._news.wait()
        return None if self._closed else self._newest

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
