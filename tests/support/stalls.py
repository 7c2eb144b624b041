"""How long the event loop was kept from its work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Stalls:
    """``worst``: seconds by which the loop came back late at most."""

    worst: float = 0.0


@asynccontextmanager
async def measured_stalls(every: float = 0.005) -> AsyncIterator[Stalls]:
    """Measures while its body runs."""
    stalls = Stalls()
    task = asyncio.create_task(_measure(stalls, every))
    try:
        yield stalls
    finally:
        task.cancel()


async def _measure(stalls: Stalls, every: float) -> None:
    while True:
        start = time.perf_counter()
        await asyncio.sleep(every)
        stalls.worst = max(stalls.worst, time.perf_counter() - start - every)
