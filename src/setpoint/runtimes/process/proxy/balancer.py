"""Which replica gets the next request, and connections to it."""

from __future__ import annotations

import asyncio
import select
from asyncio import StreamReaderProtocol, StreamWriter
from collections.abc import Awaitable, Callable, Iterable

from setpoint.runtimes.process.ports import LOOPBACK
from setpoint.runtimes.process.proxy.messages import RefusedError
from setpoint.runtimes.process.proxy.streams import Replies

PATIENCE = 5.0
"""Seconds that a request waits for a healthy replica before it is answered 503."""
IDLE = 1.0
"""Seconds that a connection to a replica is kept for the next request: a server with one thread must not be held up by it."""
_CONNECT = 3.0


class UnconnectedError(Exception):
    """A replica did not take the connection: nothing was sent."""


class Connection:
    """One connection to a replica."""

    __slots__ = ("_expiry", "reader", "reused", "target", "writer")

    def __init__(self, target: Target, reader: Replies, writer: StreamWriter) -> None:
        self.target = target
        self.reader = reader
        self.writer = writer
        self.reused = False
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing came from the replica that was not read: its end, or bytes that would be the next client's answer."""
        return not (self.writer.is_closing() or self.reader.holds_anything or self._is_readable())

    def _is_readable(self) -> bool:
        """Whether the kernel holds anything that the loop has not read yet."""
        poll = select.poll()
        poll.register(self.writer.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    def keep(self) -> None:
        """Keep it for the next request, for a moment."""
        self._expiry = asyncio.get_running_loop().call_later(IDLE, self.expire)

    def reuse(self) -> None:
        """Take it from among the idle ones."""
        self.reused = True
        if self._expiry is not None:
            self._expiry.cancel()

    def expire(self) -> None:
        """Close it if it is still idle."""
        if self in self.target.idle:
            self.target.idle.remove(self)
        self.close()

    def close(self) -> None:
        """Let it go; what was written is still sent."""
        if self._expiry is not None:
            self._expiry.cancel()
        self.writer.close()

    def abort(self) -> None:
        """Let it go at once."""
        self.writer.transport.abort()


class Target:
    """One start of a replica as the address sees it. ``is_own``: whether it is the replica that listens at its port."""

    def __init__(self, name: str, port: int, is_own: Callable[[], Awaitable[bool]]) -> None:
        self.name = name
        self.port = port
        self._is_own = is_own
        self.in_flight = 0
        self.idle: list[Connection] = []
        self._drained = asyncio.Event()
        self._drained.set()
        self._retired = False

    def take(self) -> None:
        """One more request is on its way to it."""
        self.in_flight += 1
        self._drained.clear()

    def release(self) -> None:
        """One request ended, well or not."""
        self.in_flight -= 1
        if self.in_flight == 0:
            self._drained.set()

    def retire(self) -> None:
        """No new requests will come; idle connections are closed."""
        self._retired = True
        for connection in list(self.idle):
            connection.expire()

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        await self._drained.wait()

    async def connect(self, *, fresh: bool) -> Connection:
        """A connection to the replica, a kept one unless ``fresh``.

        Raises:
            UnconnectedError: it takes none, or another process would.
        """
        while self.idle and not fresh:
            connection = self.idle.pop()
            connection.reuse()
            if connection.clean:
                return connection
            connection.close()
        try:
            async with asyncio.timeout(_CONNECT):
                if not await self._is_own():
                    raise UnconnectedError(self.name)
                return Connection(self, *await _open(self.port))
        except (OSError, TimeoutError) as error:
            raise UnconnectedError(self.name) from error

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end, unless more than that came."""
        if self._retired or not connection.clean:
            connection.close()
        else:
            self.idle.append(connection)
            connection.keep()


async def _open(port: int) -> tuple[Replies, StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = Replies()
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, LOOPBACK, port)
    return reader, StreamWriter(transport, protocol, reader, loop)


class Balancer:
    """Hands requests to the healthy replica with the fewest in flight."""

    def __init__(self) -> None:
        self._targets: tuple[Target, ...] = ()
        self._changed = asyncio.Event()
        self._turn = 0

    def set_targets(self, targets: Iterable[Target]) -> None:
        """From now on only these get requests."""
        self._targets = tuple(targets)
        self._changed.set()
        self._changed = asyncio.Event()

    async def take(self, avoid: set[Target], deadline: float) -> Target:
        """The target for the next request, counted as in flight; waits until ``deadline`` (of the loop's clock) for one.

        Raises:
            RefusedError: 503, no replica is healthy.
        """
        while True:
            choice = self._choose(avoid)
            if choice is not None:
                choice.take()
                return choice
            await self._wait(deadline, retry=bool(avoid))
            avoid.clear()

    def _choose(self, avoid: set[Target]) -> Target | None:
        candidates = [target for target in self._targets if target not in avoid] if avoid else self._targets
        if not candidates:
            return None
        self._turn += 1
        offset = self._turn % len(candidates)
        in_turn: tuple[Target, ...] = (*candidates[offset:], *candidates[:offset])
        return min(in_turn, key=lambda target: target.in_flight)

    async def _wait(self, deadline: float, *, retry: bool) -> None:
        """Until the targets change, or, where one only refused a connection, for a moment."""
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise RefusedError(503, "no replica of this instance is healthy")
        try:
            async with asyncio.timeout(min(left, 0.05) if retry else left):
                await self._changed.wait()
        except TimeoutError:
            return
