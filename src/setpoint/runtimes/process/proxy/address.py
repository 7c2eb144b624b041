"""The stable address: takes connections at one port of the loopback interface and decides how each is served.

An instance whose health is asked over HTTP is served as HTTP. Any other is served as HTTP when the first bytes of a connection
are an HTTP/1 request, and else – also when the client waits for the server to speak first – as a tunnel to one replica.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from setpoint.runtimes.process.ports import listen
from setpoint.runtimes.process.proxy.balancer import PATIENCE, Balancer, Connection, Target, UnconnectedError
from setpoint.runtimes.process.proxy.conversation import Conversation
from setpoint.runtimes.process.proxy.messages import RefusedError
from setpoint.runtimes.process.proxy.streams import LIMIT
from setpoint.runtimes.process.proxy.tunnel import tunnel

SILENCE = 0.2
"""Seconds after which a client that has sent nothing is taken to wait for the server's greeting."""
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE ")
_log = logging.getLogger(__name__)


class Address:
    """A listening port, its clients, and the replicas behind it."""

    def __init__(self, port: int, balancer: Balancer, taken: set[int]) -> None:
        """Raises OSError when somebody else listens at ``port`` (0: any free one that is not in ``taken``)."""
        self._listener = listen(port, taken)
        self.port: int = self._listener.getsockname()[1]
        self.http_only = False
        self._balancer = balancer
        self._clients: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    def stop_listening(self) -> None:
        """Take no more clients; those that are there are served on."""
        self._accepting.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    async def close(self) -> None:
        """Stop listening and break every connection."""
        tasks = [self._accepting, *self._clients]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                # Out of descriptors, or the client gave up already: neither ends the address.
                _log.warning("port %d: %s", self.port, error)
                await asyncio.sleep(0.05)
                continue
            task = asyncio.create_task(self._serve(connection))
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            speaks_http = self.http_only or await _begins_as_http(connection)
            reader, writer = await asyncio.open_connection(sock=connection, limit=LIMIT)
        except OSError:
            connection.close()
            return
        if speaks_http:
            await Conversation(reader, writer, self._balancer).serve()
        else:
            await self._tunnel(reader, writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        try:
            target, connection = await self._connect(deadline)
        except RefusedError:
            writer.transport.abort()
            return
        try:
            await tunnel((reader, writer), (connection.reader, connection.writer))
        finally:
            target.release()
            connection.close()
            writer.close()

    async def _connect(self, deadline: float) -> tuple[Target, Connection]:
        avoid: set[Target] = set()
        while True:
            target = await self._balancer.take(avoid, deadline)
            try:
                return target, await target.connect(fresh=True)
            except UnconnectedError:
                target.release()
                avoid.add(target)


async def _begins_as_http(connection: socket.socket) -> bool:
    """Look at the first bytes without taking them."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await readable.wait()
        first = connection.recv(4096, socket.MSG_PEEK) if readable.is_set() else b""
    finally:
        loop.remove_reader(connection)
    return _is_http(first)


def _is_http(first: bytes) -> bool:
    line, end, _ = first.partition(b"\n")
    if end and not line.rstrip(b"\r").endswith((b" HTTP/1.1", b" HTTP/1.0")):
        return False
    return bool(first) and any(line.startswith(method) or method.startswith(line) for method in _METHODS)
