"""Server-sent events: bits in order, a problem as the last event, and an end when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from setpoint.control.errors import Unavailable
from setpoint.control.queries.logs import LogLineView
from setpoint.control.registry import Answer
from setpoint.server import streams


async def three() -> AsyncIterator[Answer]:
    for number in range(3):
        yield LogLineView(replica="web-1", text=f"line {number}", at=number)


async def until_cancelled() -> AsyncIterator[Answer]:
    yield LogLineView(replica="web-1", text="first", at=0)
    await asyncio.Event().wait()


async def broken() -> AsyncIterator[Answer]:
    yield LogLineView(replica="web-1", text="first", at=0)
    raise Unavailable("The runtime is gone.", "See to it.")


async def read(bits: AsyncIterator[Answer], stopping: asyncio.Event | None = None) -> list[str]:
    return [event.decode() async for event in streams.encode(bits, stopping or asyncio.Event())]


async def test_bits_come_in_order_and_the_end_is_told() -> None:
    events = await read(three())
    assert [event.partition("\n")[0] for event in events] == [
        ": listening",
        "event: bit",
        "event: bit",
        "event: bit",
        "event: end",
    ]
    assert '"text":"line 2"' in events[3]


async def test_a_problem_is_the_last_event() -> None:
    events = await read(broken())
    assert events[-1].startswith("event: problem\ndata: {")
    assert "The runtime is gone." in events[-1]


async def test_a_stream_ends_when_the_server_stops() -> None:
    stopping = asyncio.Event()
    stream = streams.encode(until_cancelled(), stopping)
    assert await anext(stream) == b": listening\n\n"
    assert b"first" in await anext(stream)
    stopping.set()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)


async def test_silence_is_broken_by_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALIVE", 0.01)
    stream = streams.encode(until_cancelled(), asyncio.Event())
    events = [await anext(stream) for _ in range(3)]
    assert events[2] == b": alive\n\n"
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_listener_that_leaves_ends_the_asking() -> None:
    ended = asyncio.Event()

    async def bits() -> AsyncIterator[Answer]:
        try:
            yield LogLineView(replica="web-1", text="first", at=0)
            await asyncio.Event().wait()
        finally:
            ended.set()

    stream = streams.encode(bits(), asyncio.Event())
    await anext(stream)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    await asyncio.wait_for(ended.wait(), 5)
