"""Connections that send nothing, or too little, cost others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from setpoint.server.connections import BoundedProtocol, raise_descriptor_limit

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


async def app(scope, receive, send) -> None:
    body = b""
    while (message := await receive()).get("more_body") or "body" in message:
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(served=app, **limits: float) -> AsyncIterator[int]:
    kind = type("Hasty", (BoundedProtocol,), {"waiting": {}, **limits})
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(served, http=kind, lifespan="off", log_config=None, access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def ends(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends."""
    async with asyncio.timeout(20):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("sent", [b"", b"GET / HT", WHOLE[:-2]], ids=["nothing", "half a line", "half a head"])
async def test_a_head_that_does_not_come_ends_its_connection(sent: bytes):
    async with serving(head_within=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert await ends(reader) == b""
        writer.close()


async def test_bytes_that_trickle_in_gain_no_time():
    async with serving(head_within=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        trickle = asyncio.create_task(_trickle(writer))
        assert await ends(reader) == b""
        trickle.cancel()
        writer.close()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    while True:
        writer.write(b"a")
        await asyncio.sleep(0.05)


async def test_a_body_that_does_not_come_ends_its_connection():
    async with serving(body_within=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"abc")
        assert await ends(reader) == b""
        writer.close()


async def test_the_next_request_of_a_connection_has_its_time_too():
    async with serving(head_within=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        assert await ends(reader) == b""
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", WHOLE, POST], ids=["silent", "half a head", "between two", "no body"])
async def test_connections_that_keep_the_server_waiting_make_room(sent: bytes):
    async with serving(most=3) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in kept:
            writer.write(sent)
            if sent == WHOLE:
                await asyncio.wait_for(reader.readuntil(b"ok"), 20)
        for _ in range(4):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(LAST)
            assert (await ends(reader)).endswith(b"ok")
            writer.close()
        assert await ends(kept[0][0]) == b""
        for _, writer in kept:
            writer.close()


async def test_a_connection_with_a_request_under_way_stays():
    release, started = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(scope, receive, send) -> None:
        started.release()
        await release.wait()
        await app(scope, receive, send)

    async with serving(slow, most=3) as port:
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in busy:
            writer.write(LAST)
            await asyncio.wait_for(started.acquire(), 20)
        reader, extra = await asyncio.open_connection("127.0.0.1", port)
        assert await ends(reader) == b""
        extra.close()
        release.set()
        for reader, writer in busy:
            assert (await ends(reader)).endswith(b"ok")
            writer.close()


def test_there_is_room_for_files_beside_all_connections(monkeypatch: pytest.MonkeyPatch):
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 700))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    for name in ("most", "burst"):
        monkeypatch.setattr(BoundedProtocol, name, getattr(BoundedProtocol, name))
    raise_descriptor_limit()
    assert (given, BoundedProtocol.most, BoundedProtocol.burst) == ([(700, 700)], 500, 100)
