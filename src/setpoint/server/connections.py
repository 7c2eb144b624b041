"""Connections to the API cost little and end: so many at once, and each with a request that comes in time.

A client that opens connections and sends nothing, or a request byte by byte, would otherwise hold descriptors until no file can
be opened any more. What streams an answer is a request that has come, and stays as long as it likes.
"""

from __future__ import annotations

import asyncio
import resource
from typing import ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 1_000
"""Connections at the same time."""
DESCRIPTORS = 16_384
"""Descriptors that the process asks for: programs inherit the limit, and old ones try each."""
RESERVED = 200
"""Descriptors that the engine needs beside them, for the database, programs and files."""


class BoundedProtocol(H11Protocol):
    """One connection of a client."""

    most = MOST
    burst = 2_048
    """Connections that are accepted before the first of them counts."""
    waiting: ClassVar[dict[BoundedProtocol, None]] = {}
    """Connections of which a head or a body is expected, the one that has been expected for longest first."""
    head_within = 10.0
    """Seconds for the head of a request, since its first byte; of the first one, since the connection was made."""
    body_within = 60.0
    """Seconds for its body."""
    deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, and close one if there are too many: this one if each of the others has a request under way."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._expect(self.head_within)
        if len(self.connections) > self.most:
            next(iter(self.waiting))._disconnect()

    def data_received(self, data: bytes) -> None:
        """Read on, and expect the rest in time."""
        before = self.conn.their_state
        super().data_received(data)
        after = self.conn.their_state
        if after is h11.IDLE and (before is not h11.IDLE or self.deadline is None):
            self._expect(self.head_within)
        elif after is h11.SEND_BODY and before is not h11.SEND_BODY:
            self._expect(self.body_within)
        elif after not in {h11.IDLE, h11.SEND_BODY}:
            self._relax()

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._expect(self.head_within)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._relax()
        super().connection_lost(exc)

    def _expect(self, within: float) -> None:
        self._relax()
        self.waiting[self] = None
        self.deadline = self.loop.call_later(within, self._disconnect)

    def _relax(self) -> None:
        self.waiting.pop(self, None)
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _disconnect(self) -> None:
        self._relax()
        self.connections.discard(self)
        self.transport.abort()


def raise_descriptor_limit() -> None:
    """Let this process open more files, if the system allows that, and accept no more connections than there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    BoundedProtocol.most = max(10, min(MOST, wanted - RESERVED))
    BoundedProtocol.burst = max(10, min(BoundedProtocol.burst, wanted - BoundedProtocol.most - RESERVED // 2))
