"""Server-sent events: bits as they come, a sign of life in between, and a problem as the last event when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from setpoint.control.errors import ControlError
from setpoint.control.registry import Answer
from setpoint.server import problems

ALIVE = 15.0
"""Seconds without a bit before a comment is sent, so that nobody on the way gives up."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def encode(bits: AsyncIterator[Answer], stopping: asyncio.Event) -> AsyncIterator[bytes]:
    """Until the bits end, the listener leaves, or the server stops."""
    stop = asyncio.ensure_future(stopping.wait())
    following = asyncio.ensure_future(anext(bits, None))
    try:
        yield b": listening\n\n"
        while True:
            done, _ = await asyncio.wait({following, stop}, timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED)
            if following in done:
                bit = following.result()
                if bit is None:
                    yield _event("end", "{}")
                    return
                yield _event("bit", bit.model_dump_json(), getattr(bit, "number", None))
                following = asyncio.ensure_future(anext(bits, None))
            elif stop in done:
                return
            else:
                yield b": alive\n\n"
    except ControlError as error:
        yield _event("problem", json.dumps(problems.of_error(error)))
    finally:
        stop.cancel()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, ControlError):
            await following
        if hasattr(bits, "aclose"):
            await bits.aclose()


def _event(kind: str, data: str, number: int | None = None) -> bytes:
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {kind}\ndata: {data}\n\n".encode()
