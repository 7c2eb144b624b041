"""Bytes both ways between a client and one replica, for upgraded connections and for protocols other than HTTP/1.

Silence is part of many of these protocols, so a silent tunnel keeps its place until another client needs it. One that is silent
from its first moment ends soon.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamWriter
from collections.abc import Callable

from setpoint.runtimes.process.proxy.bodies import PIECE, BodySource
from setpoint.runtimes.process.proxy.clients import ClientPlace

FIRST = 75.0
"""Seconds within which either side of a tunnel must send something."""
SILENCE = 3600.0
"""Seconds in which neither sends anything after that."""


async def tunnel(client: tuple[BodySource, StreamWriter], replica: tuple[BodySource, StreamWriter], place: ClientPlace) -> None:
    """Copy until both sides have closed; one side that breaks, and silence, end both."""
    loop = asyncio.get_running_loop()

    def disconnect() -> None:
        client[1].transport.abort()
        replica[1].transport.abort()

    try:
        async with asyncio.timeout(FIRST) as silence, asyncio.TaskGroup() as group:

            def passed() -> None:
                place.idle(disconnect)
                silence.reschedule(loop.time() + SILENCE)

            place.idle(disconnect)
            group.create_task(_copy(client[0], replica[1], passed))
            group.create_task(_copy(replica[0], client[1], passed))
    except* OSError:  # TimeoutError is one
        disconnect()


async def _copy(source: BodySource, sink: StreamWriter, passed: Callable[[], None]) -> None:
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
        passed()
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()
