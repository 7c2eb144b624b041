"""Bytes both ways between a client and one replica, for upgraded connections and for protocols other than HTTP/1."""

from __future__ import annotations

import asyncio
from asyncio import StreamWriter

from setpoint.runtimes.process.proxy.bodies import PIECE, BodySource


async def tunnel(client: tuple[BodySource, StreamWriter], replica: tuple[BodySource, StreamWriter]) -> None:
    """Copy until both sides have said their last; one side that breaks ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(client[0], replica[1]))
            group.create_task(_copy(replica[0], client[1]))
    except* OSError:
        client[1].transport.abort()
        replica[1].transport.abort()


async def _copy(source: BodySource, sink: StreamWriter) -> None:
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()
