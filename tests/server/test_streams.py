"""Server-sent events: bits in order, a problem as the last event, and an end when the server stops."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.control.fields import payload_of
from tests.support.compilers import COMPILERS

from setpoint.control.errors import Unavailable
from setpoint.control.queries.logs import LogLineView
from setpoint.control.registry import STREAMS, Answer
from setpoint.model.people import Person
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server import streams
from setpoint.server.app import create_app
from setpoint.server.assembly import running


def yes() -> bool:
    return True


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
    return [event.decode() async for event in streams.encode(bits, stopping or asyncio.Event(), yes)]


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
    stream = streams.encode(until_cancelled(), stopping, yes)
    assert await anext(stream) == b": listening\n\n"
    assert b"first" in await anext(stream)
    stopping.set()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)


async def test_silence_is_broken_by_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALIVE", 0.01)
    stream = streams.encode(until_cancelled(), asyncio.Event(), yes)
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

    stream = streams.encode(bits(), asyncio.Event(), yes)
    await anext(stream)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_silent_stream_ends_soon_after_its_token_was_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert streams.RECHECK <= 5
    monkeypatch.setattr(streams, "RECHECK", 0.01)
    valid = [True]
    stream = streams.encode(until_cancelled(), asyncio.Event(), lambda: valid[0])
    assert await anext(stream) == b": listening\n\n"
    assert b"first" in await anext(stream)
    valid[0] = False
    ended = await asyncio.wait_for(anext(stream), 5)
    assert ended.startswith(b"event: problem")
    assert b"unauthenticated" in ended
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_no_bit_comes_after_the_token_was_revoked() -> None:
    valid = [True]
    stream = streams.encode(three(), asyncio.Event(), lambda: valid[0])
    assert await anext(stream) == b": listening\n\n"
    assert b"line 0" in await anext(stream)
    valid[0] = False
    assert b"unauthenticated" in await anext(stream)


@pytest.mark.parametrize("name", sorted(STREAMS))
async def test_every_stream_ends_when_its_token_is_revoked(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RECHECK", 0.01)
    async with running(tmp_path, runtimes={"fake": FakeRuntime}, compilers=COMPILERS) as control:
        people, now = control.services.people, control.services.clock()
        token, secret = await people.create(Person("eve"), by="admin", now=now)

        async def silent(*_: object) -> AsyncIterator[Answer]:
            await asyncio.Event().wait()
            yield LogLineView(replica="", text="", at=0)

        monkeypatch.setitem(STREAMS, name, dataclasses.replace(STREAMS[name], handler=silent))
        app = create_app(control, asyncio.Event())
        received: asyncio.Queue[bytes] = asyncio.Queue()

        async def send(message: Any) -> None:
            received.put_nowait(message.get("body", b""))

        async def receive() -> Any:
            if not asked:
                asked.append(1)
                return {"type": "http.request", "body": b"", "more_body": False}
            return await asyncio.Event().wait()

        asked: list[int] = []
        query = "&".join(f"{key}={value}" for key, value in payload_of(STREAMS[name].request).items())
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/v1/{name}",
            "raw_path": f"/api/v1/{name}".encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"127.0.0.1:7350"), (b"authorization", f"Bearer {secret}".encode())],
        }
        listening = asyncio.create_task(app(scope, receive, send))
        while b"listening" not in await asyncio.wait_for(received.get(), 5):
            pass
        await people.revoke(token.id)
        await asyncio.wait_for(listening, 5)
        assert b"unauthenticated" in b"".join(received.get_nowait() for _ in range(received.qsize()))
