"""An address in this process, in front of replicas that are functions of a test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from setpoint.runtimes.process.ports import listen
from setpoint.runtimes.process.proxy.address import Address
from setpoint.runtimes.process.proxy.balancer import Balancer, Target
from setpoint.runtimes.process.proxy.clients import Clients

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def own() -> bool:
    """Whether a target listens at its port, as all of a test do."""
    return True


class World:
    """An address with replicas that are functions of the test's own."""

    def __init__(self) -> None:
        self.balancer = Balancer()
        self.clients = Clients(1_000)
        self.address = Address(listen(0, set()), self.balancer, self.clients)
        self.address.http_only = True
        self.servers: list[asyncio.Server] = []
        self.targets: list[Target] = []
        self.serving_now: set[asyncio.Task[None]] = set()

    async def replica(self, serve: Serve) -> Target:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self.serving_now.add(task)
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.servers.append(server)
        self.targets.append(Target(f"r-{len(self.servers)}", server.sockets[0].getsockname()[1], own))
        return self.targets[-1]

    async def serving(self, *serve: Serve) -> None:
        self.balancer.set_targets([await self.replica(one) for one in serve])

    async def say(self, text: bytes, *, close: bool = False) -> bytes:
        """Everything that comes back until the address closes."""
        reader, writer = await self.open()
        writer.write(text)
        if close:
            writer.write_eof()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.address.port)


def answering(text: bytes, *, close: bool = False) -> Serve:
    """A replica that answers each head with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(text)
                if close:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    return serve


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
