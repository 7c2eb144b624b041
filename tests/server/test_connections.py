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
async def serving(**limits: float) -> AsyncIterator[int]:
    kind = type("Hasty", (BoundedProtocol,), limits)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=kind, lifespan="off", log_config=None, access_log=False))
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


async def test_one_connection_too_many_is_closed_and_the_others_are_served():
    async with serving(most=3) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0)
        for reader, writer in kept[:1]:
            writer.write(WHOLE)
            async with asyncio.timeout(20):
                assert await reader.readuntil(b"ok")
        reader, extra = await asyncio.open_connection("127.0.0.1", port)
        assert await ends(reader) == b""
        extra.close()
        kept[1][1].write(POST + b"abcde")
        async with asyncio.timeout(20):
            assert await kept[1][0].readuntil(b"ok")
        for _, writer in kept:
            writer.close()


def test_there_is_room_for_files_beside_all_connections(monkeypatch: pytest.MonkeyPatch):
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 700))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    monkeypatch.setattr(BoundedProtocol, "most", BoundedProtocol.most)
    raise_descriptor_limit()
    assert (given, BoundedProtocol.most) == ([(700, 700)], 500)
