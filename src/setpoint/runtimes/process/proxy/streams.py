"""Two ends of connections that lose nothing: heads of clients read as they come, responses read after the sending failed.

asyncio's own streams drop what was received but not yet read when a write to the same socket fails. The response of a replica
that refuses a large body – it responds, closes, and so resets the connection – would be lost in them.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from typing import Any

from setpoint.runtimes.process.proxy.bodies import PIECE, BodySource
from setpoint.runtimes.process.proxy.clients import ClientPlace
from setpoint.runtimes.process.proxy.messages import RefusedError, refuse_early

LIMIT = 65_536
"""Bytes of the longest head or line."""


class SinkBrokenError(Exception):
    """The replica takes no more of a request; its response may have come all the same."""


class Replies(StreamReader):
    """What a replica sends. What came before a reset is read first; only then is it an error, unlike a close."""

    def __init__(self) -> None:
        super().__init__(limit=LIMIT, loop=asyncio.get_running_loop())
        self._reset: ConnectionError | None = None

    @property
    def holds_anything(self) -> bool:
        """Whether bytes, or the end of the stream, came that were not read."""
        return bool(self._buffer) or self._eof  # type: ignore[attr-defined]

    def set_exception(self, exc: Exception) -> None:
        """Called by the transport when the connection is lost."""
        if isinstance(exc, ConnectionError):
            self._reset = exc
            self.feed_eof()
        else:
            super().set_exception(exc)

    async def read(self, n: int = -1) -> bytes:
        """Return up to ``n`` bytes; none at the end. Raises ConnectionError when that end was a reset."""
        piece = await super().read(n)
        if not piece and self._reset is not None:
            raise self._reset
        return piece


class Outlet:
    """Sends a request with a body beside the transport that reads the response, so that a failure here ends only the sending."""

    def __init__(self, writer: StreamWriter) -> None:
        self._socket: socket.socket = writer.get_extra_info("socket").dup()
        self._socket.setblocking(False)
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take ``data``; it is sent by ``drain``."""
        self._pending.append(data)

    async def drain(self) -> None:
        """Send what was written. Raises SinkBrokenError."""
        data, self._pending = b"".join(self._pending), []
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except OSError as error:
            raise SinkBrokenError from error

    def close(self) -> None:
        """Let go of this end; the connection stays open."""
        self._socket.close()


class PatientSource:
    """The body of a request, from a client that must not pause for longer than ``stall`` seconds.

    The client makes room for others while it is waited for, until ``PROGRESS`` bytes have come: one that sends a byte now and
    then does not keep its place by that.
    """

    PROGRESS = 4_096

    def __init__(self, source: BodySource, stall: float, place: ClientPlace, disconnect: Callable[[], None]) -> None:
        self._source = source
        self._stall = stall
        self._place = place
        self._disconnect = disconnect
        self._received = self.PROGRESS

    async def read(self, n: int) -> bytes:
        """Return up to ``n`` bytes; none at the end. Raises RefusedError."""
        return await self._within(self._source.read(n))

    async def readline(self) -> bytes:
        """Return a line with its end. Raises RefusedError; ValueError when it is too long."""
        return await self._within(self._source.readline())

    async def _within(self, piece: Coroutine[Any, Any, bytes]) -> bytes:
        if self._received >= self.PROGRESS:
            self._received = 0
            self._place.idle(self._disconnect)
        try:
            async with asyncio.timeout(self._stall):
                data = await piece
        except TimeoutError:
            raise RefusedError(408, f"no more of the body came within {self._stall:g} s") from None
        self._received += len(data)
        if self._received >= self.PROGRESS:
            self._place.busy()
        return data


class PatientSink:
    """A client that must not stop to take its response for longer than ``stall`` seconds, and makes room for others meanwhile."""

    def __init__(self, writer: StreamWriter, stall: float, place: ClientPlace) -> None:
        self._writer = writer
        self._stall = stall
        self._place = place

    def write(self, data: bytes) -> None:
        """Take ``data``, to be sent soon."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until more may be written. Raises OSError when the client went away, or stopped."""
        self._place.idle(self._writer.transport.abort)
        try:
            async with asyncio.timeout(self._stall):
                await self._writer.drain()
        finally:
            self._place.busy()


class Inlet:
    """What a client sends: heads, judged as they come, and bodies."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._held = bytearray()

    async def read(self, n: int) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
        if not self._held:
            return await self._reader.read(n)
        piece = bytes(self._held[:n])
        del self._held[:n]
        return piece

    async def readline(self) -> bytes:
        """Return a line with its end, less at the end of the stream. Raises ValueError when it is too long."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > LIMIT:
                raise ValueError("a line is too long")
            if not await self._more():
                end = len(self._held) - 1
                break
        return await self.read(end + 1) if end >= 0 else b""

    async def head(self) -> bytes:
        """Return everything up to the empty line, once it ``begins``.

        Raises:
            RefusedError: the head is too long, ends too early, or cannot become valid, whatever follows.
        """
        checked = 0
        while (end := self._held.find(b"\r\n\r\n", 0, LIMIT)) < 0:
            refuse_early(bytes(self._held[:LIMIT]), checked)
            if len(self._held) >= LIMIT:
                raise RefusedError(431, "the head of the request is too long")
            checked = len(self._held)
            if not await self._more():
                raise RefusedError(400, "the head of the request ends in its middle")
        return await self.read(end + 4)

    async def begins(self) -> bool:
        """Wait for the head of a request; False when the client is done. RFC 9112 (2.2): ignore an empty line before it."""
        while (start := bytes(self._held[:2])) in {b"", b"\r", b"\r\n"}:
            if start == b"\r\n":
                del self._held[:2]
            elif not await self._more():
                return False
        return True

    async def _more(self) -> bool:
        piece = await self._reader.read(PIECE)
        self._held += piece
        return bool(piece)
