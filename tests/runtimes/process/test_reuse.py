"""A connection to a replica is reused only while it is clean: what a replica sends too much reaches no other client."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest
from tests.runtimes.process.world import GET, LAST, World, ok

FOREIGN = ok(b"foreign")
"""What follows an answer: valid as the answer to whichever request comes next."""


class Excess(NamedTuple):
    """An answer with bytes after its end."""

    method: bytes
    answer: bytes
    body: bytes = b""


SHAPES = {
    "HEAD with a body": Excess(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FOREIGN)),
    "HEAD with an undeclared body": Excess(b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
    "HEAD with a chunked body": Excess(b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "204 with a body": Excess(b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "204 with a declared body": Excess(b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % len(FOREIGN)),
    "304 with a body": Excess(b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "304 with a declared body": Excess(b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(FOREIGN)),
    "longer than Content-Length": Excess(b"GET", ok(b"mine"), b"mine"),
    "longer than nothing": Excess(b"GET", ok(b"")),
    "after the last chunk": Excess(
        b"GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n", b"mine"
    ),
    "after a trailer": Excess(
        b"GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\nA: b\r\n\r\n", b"mine"
    ),
}


class Dirty:
    """A replica that sends too much after its answer to ``/dirty``, in the same write or a later one; else it is in order."""

    def __init__(self, excess: Excess, *, later: bool) -> None:
        self._excess = excess
        self._later = later
        self.sent = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b" /dirty " not in head:
                writer.write(ok(b"own"))
                continue
            writer.write(self._excess.answer + (b"" if self._later else FOREIGN))
            await writer.drain()
            if self._later:
                await asyncio.sleep(0.02)
                writer.write(FOREIGN)
                await writer.drain()
            self.sent.set()


async def answer_of(reader: asyncio.StreamReader, method: bytes) -> bytes:
    """Read one answer whose body ends with what its head declares."""
    head = await reader.readuntil(b"\r\n\r\n")
    if method == b"HEAD" or head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304")):
        return b""
    if b"chunked" in head:
        return (await reader.readuntil(b"0\r\n\r\n")).split(b"\r\n")[1]
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


@pytest.mark.parametrize("later", [False, True], ids=["together", "later"])
@pytest.mark.parametrize("excess", SHAPES.values(), ids=SHAPES)
async def test_what_follows_an_answer_reaches_no_client(world: World, excess: Excess, later: bool) -> None:
    dirty = Dirty(excess, later=later)
    await world.serving(dirty.serve)
    reader, writer = await world.open()
    async with asyncio.timeout(10):
        writer.write(excess.method + b" /dirty HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await answer_of(reader, excess.method) == excess.body
        await dirty.sent.wait()
        for _ in range(3):
            assert (await world.say(LAST)).endswith(b"\r\n\r\nown"), "another client"
            writer.write(GET)
            assert await answer_of(reader, b"GET") == b"own", "the same client"
    writer.close()


class Counted:
    """A replica in order that counts its connections."""

    def __init__(self) -> None:
        self.opened: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ok(b"own"))


@pytest.mark.parametrize("closes", [False, True])
async def test_an_answer_to_no_request_is_given_to_no_client(world: World, closes: bool) -> None:
    """Such as the 408 with which a server ends an idle connection."""
    counted = Counted()
    await world.serving(counted.serve)
    reader, writer = await world.open()
    for connections in (1, 2):
        writer.write(GET)
        assert await answer_of(reader, b"GET") == b"own"
        assert len(counted.opened) == connections
        counted.opened[-1].write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await counted.opened[-1].drain()
        if closes:
            counted.opened[-1].close()
    writer.close()


async def test_a_clean_connection_is_reused(world: World) -> None:
    counted = Counted()
    await world.serving(counted.serve)
    reader, writer = await world.open()
    for _ in range(5):
        writer.write(GET)
        assert await answer_of(reader, b"GET") == b"own"
    assert len(counted.opened) == 1
    writer.close()
