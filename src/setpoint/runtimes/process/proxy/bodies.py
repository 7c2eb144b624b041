"""Bodies, copied piece by piece as they come: a slow reader slows its writer down, and no body is held in memory."""

from __future__ import annotations

import re
from typing import Protocol

from setpoint.runtimes.process.proxy.messages import Framing, RefusedError

PIECE = 65_536
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_TRAILER_LINES = 100


class BodySource(Protocol):
    """Where a body comes from."""

    async def read(self, n: int, /) -> bytes:
        """Return up to ``n`` bytes; none at the end."""
        ...

    async def readline(self) -> bytes:
        """Return a line with its end, less at the end of the stream. Raises ValueError when it is too long."""
        ...


class Sink(Protocol):
    """Where a body goes."""

    def write(self, data: bytes, /) -> None:
        """Take ``data``, to be sent soon."""
        ...

    async def drain(self) -> None:
        """Wait until more may be written. Raises when the receiver went away."""
        ...


class TruncatedError(ConnectionError):
    """A body ended before its end."""


async def copy_body(framing: Framing, source: BodySource, sink: Sink, *, chunk: bool) -> None:
    """Copy one body; ``chunk``: the receiver gets one without a length in chunks, else as plain bytes.

    Raises:
        TruncatedError: the sender went away. ConnectionError: the receiver did. RefusedError: a chunk is malformed.
    """
    if framing.kind == "length":
        await _copy_length(framing.length, source, sink)
    elif framing.kind == "chunked":
        await _copy_chunks(source, sink, chunk=chunk)
    elif framing.kind == "until-close":
        await _copy_rest(source, sink, chunk=chunk)
    await sink.drain()


async def _copy_length(left: int, source: BodySource, sink: Sink) -> None:
    while left:
        piece = await source.read(min(left, PIECE))
        if not piece:
            raise TruncatedError(f"{left} bytes of the body never came")
        left -= len(piece)
        sink.write(piece)
        if left:
            await sink.drain()


async def _copy_chunks(source: BodySource, sink: Sink, *, chunk: bool) -> None:
    while size := await _chunk_size(source):
        if chunk:
            sink.write(b"%x\r\n" % size)
        await _copy_length(size, source, sink)
        if await _line(source) != b"\r\n":
            raise RefusedError(400, "a chunk is longer than it says")
        if chunk:
            sink.write(b"\r\n")
        await sink.drain()
    await _skip_trailers(source)
    if chunk:
        sink.write(b"0\r\n\r\n")


async def _copy_rest(source: BodySource, sink: Sink, *, chunk: bool) -> None:
    while piece := await source.read(PIECE):
        sink.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunk else piece)
        await sink.drain()
    if chunk:
        sink.write(b"0\r\n\r\n")


async def _chunk_size(source: BodySource) -> int:
    match = _SIZE.fullmatch(await _line(source))
    if match is None:
        raise RefusedError(400, "a chunk's size is malformed")
    return int(match[1], 16)


async def _skip_trailers(source: BodySource) -> None:
    """Trailers are dropped, which RFC 9110 (6.5.1) allows: merged into a head they would change what it says."""
    for _ in range(_TRAILER_LINES):
        if await _line(source) == b"\r\n":
            return
    raise RefusedError(400, "too many trailers")


async def _line(source: BodySource) -> bytes:
    """One line with its end, which must be CR LF; TruncatedError at the end of the stream."""
    try:
        line = await source.readline()
    except ValueError as error:
        raise RefusedError(400, "a line is too long") from error
    if not line.endswith(b"\n"):
        raise TruncatedError("the body ended in the middle of a chunk")
    if not line.endswith(b"\r\n"):
        raise RefusedError(400, "a line ends without a carriage return")
    return line
