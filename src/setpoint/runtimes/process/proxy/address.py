"""The stable address: takes connections at one port of the loopback interface and decides how each is served.

An instance whose health is asked over HTTP is served as HTTP. Any other is served as HTTP when the first bytes of a connection
are an HTTP/1 request, and else – also when the client waits for the server to speak first – as a tunnel to one replica.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from ipaddress import IPv4Network, IPv6Network, ip_address

from setpoint.runtimes.process.proxy.balancer import PATIENCE, Balancer, Connection, Target, UnconnectedError
from setpoint.runtimes.process.proxy.clients import ClientPlace, Clients
from setpoint.runtimes.process.proxy.conversation import Conversation
from setpoint.runtimes.process.proxy.messages import RefusedError
from setpoint.runtimes.process.proxy.streams import LIMIT
from setpoint.runtimes.process.proxy.tunnel import tunnel

Network = IPv4Network | IPv6Network
SILENCE = 0.2
"""Seconds after which a client that has sent nothing is taken to wait for the server's greeting."""
IDLE_CLIENTS, LAST_REQUESTS = 1.0, 10.0
"""Seconds that a supervisor which hands over waits for the next request of a client that stays connected, and for answers."""
_AT_ONCE = 100
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds in which no client is accepted, doubled each time in a row: for want of descriptors, or of room for one more."""
_GIVEN_UP = frozenset({errno.ECONNABORTED, errno.EPROTO})
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE ")


class Address:
    """A listening port, its clients, and the replicas behind it."""

    def __init__(self, listener: socket.socket, balancer: Balancer, clients: Clients) -> None:
        self._listener = listener
        self.port: int = self._listener.getsockname()[1]
        self.http_only = False
        self.trusted_proxies: tuple[Network, ...] = ()
        self._balancer = balancer
        self._all_clients = clients
        self._clients: set[asyncio.Task[None]] = set()
        self._pause = _FIRST_PAUSE
        self._conversations: set[Conversation] = set()
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._loop.add_reader(self._listener, self._accept)

    def stop_accepting(self) -> None:
        """Take no more clients, and leave the port open: another process accepts those that wait there."""
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener)

    def stop_listening(self) -> None:
        """Take no more clients; those that are there are served on."""
        self.stop_accepting()
        self._listener.close()

    async def finish(self) -> None:
        """Serve the clients that are there to the end of the request under way, or of the next one, if it comes soon."""
        for conversation in self._conversations:
            conversation.last()
        if self._clients:
            await asyncio.wait(self._clients, timeout=IDLE_CLIENTS)
        for conversation in list(self._conversations):
            conversation.close_if_idle()
        if self._clients:
            await asyncio.wait(self._clients, timeout=LAST_REQUESTS)
        await self.close()

    async def close(self) -> None:
        """Stop listening and break every connection."""
        self.stop_listening()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _accept(self) -> None:
        """Called while clients wait: a callback, not a task, so that none is lost between being accepted and being served."""
        for _ in range(_AT_ONCE):
            if self._all_clients.full(self.port):
                self._accept_later("no room for more clients: each of those that are there has a request under way")
                return
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GIVEN_UP:
                    continue
                self._all_clients.make_room()
                self._accept_later(str(error))
                return
            self._pause = _FIRST_PAUSE
            place = self._all_clients.place(self.port)
            task = asyncio.create_task(self._serve(connection, place))
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
            task.add_done_callback(lambda _, place=place: place.leave())  # type: ignore[misc]

    def _accept_later(self, why: str) -> None:
        """The kernel keeps those that wait meanwhile."""
        self._all_clients.warn(f"port {self.port}: {why}")
        self._loop.remove_reader(self._listener)
        self._loop.call_later(self._pause, self._accept_again)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)

    def _accept_again(self) -> None:
        if self._accepting:
            self._loop.add_reader(self._listener, self._accept)

    async def _serve(self, connection: socket.socket, place: ClientPlace) -> None:
        try:
            connection.setblocking(False)
            speaks_http = self.http_only or await _begins_as_http(connection)
            reader, writer = await asyncio.open_connection(sock=connection, limit=LIMIT)
        except OSError:
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        if speaks_http:
            conversation = Conversation(reader, writer, self._balancer, place, self._trusts)
            self._conversations.add(conversation)
            try:
                await conversation.serve()
            finally:
                self._conversations.discard(conversation)
        else:
            await self._tunnel(reader, writer, place)

    def _trusts(self, peer: str) -> bool:
        return bool(self.trusted_proxies) and any(ip_address(peer) in network for network in self.trusted_proxies)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: ClientPlace) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        try:
            target, connection = await self._connect(deadline)
        except RefusedError:
            writer.transport.abort()
            return
        try:
            await tunnel((reader, writer), (connection.reader, connection.writer), place)
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
