"""Server-sent events: bits as they come, a sign of life in between, and a problem as the last event when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

from setpoint.control.errors import ControlError
from setpoint.control.registry import Answer
from setpoint.server import problems

ALIVE = 15.0
"""Seconds without a bit before a comment is sent, so that no proxy on the way gives up."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


RECHECK = 5.0
"""Seconds after which a stream checks again whether its listener still has the right, also while nothing comes."""
_REVOKED = problems.body("unauthenticated", "The token of this stream is no longer valid.", "Use another token.")


async def encode(bits: AsyncIterator[Answer], stopping: asyncio.Event, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Until the bits end, the listener leaves or may not listen any longer, or the server stops."""
    stop = asyncio.ensure_future(stopping.wait())
    following = asyncio.ensure_future(anext(bits, None))
    clock = asyncio.get_running_loop().time
    try:
        yield b": listening\n\n"
        quiet = clock()
        while True:
            patience = max(min(RECHECK, quiet + ALIVE - clock()), 0)
            done, _ = await asyncio.wait({following, stop}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if stop in done and following not in done:
                return
            if not allowed():
                yield _event("problem", json.dumps(_REVOKED))
                return
            if following in done:
                bit = following.result()
                if bit is None:
                    yield _event("end", "{}")
                    return
                yield _event("bit", bit.model_dump_json(), getattr(bit, "number", None))
                following = asyncio.ensure_future(anext(bits, None))
            elif clock() - quiet >= ALIVE:
                yield b": alive\n\n"
            else:
                continue
            quiet = clock()
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
