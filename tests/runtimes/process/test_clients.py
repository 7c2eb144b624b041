"""More clients than there is room for, and clients that are slow on purpose: others are served, and the log stays short."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.runtimes.helpers import eventually
from tests.runtimes.process.world import GET, LAST, World, answering, ok, own

from setpoint.runtimes.process.ports import listen
from setpoint.runtimes.process.proxy import clients as clients_module
from setpoint.runtimes.process.proxy import conversation
from setpoint.runtimes.process.proxy import tunnel as tunnel_module
from setpoint.runtimes.process.proxy.address import Address
from setpoint.runtimes.process.proxy.balancer import Balancer, Target
from setpoint.runtimes.process.proxy.clients import Clients, most_clients

STARTED = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
LIMIT = 8
PORT, OTHER = 21_000, 21_001


def limit(world: World) -> None:
    world.clients._limit = LIMIT * 4 // 3 + 1  # of which one address has three quarters
    assert world.clients._share == LIMIT


@pytest.mark.parametrize("sent", [b"", STARTED, GET], ids=["silent", "in the middle of a head", "between two requests"])
async def test_idle_clients_make_room_for_others(world: World, sent: bytes) -> None:
    limit(world)
    await world.serving(answering(ok(b"served")))
    idle = [await world.open() for _ in range(3 * LIMIT)]
    for _, writer in idle:
        writer.write(sent)
    for _ in range(5):
        assert (await world.say(LAST)).endswith(b"served")
    assert len(world.clients._taken) <= LIMIT
    reader, _ = idle[0]
    await asyncio.wait_for(reader.read(), 10)  # the one that has been idle for longest is disconnected
    for _, writer in idle:
        writer.close()


async def test_clients_with_a_request_under_way_are_not_disconnected(world: World, caplog: pytest.LogCaptureFixture) -> None:
    limit(world)
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(ok(b"served"))

    await world.serving(slow)
    asking = [asyncio.create_task(world.say(LAST)) for _ in range(LIMIT)]

    async def full() -> bool:
        return world.clients.full(world.address.port)

    await eventually("all places are taken", full)
    late = [asyncio.create_task(world.say(LAST)) for _ in range(LIMIT)]
    await asyncio.sleep(1.2)
    assert not any(task.done() for task in (*asking, *late)), "they wait until there is room"
    assert len(caplog.records) <= 3
    release.set()
    assert all(answer.endswith(b"served") for answer in await asyncio.gather(*asking, *late))


class Exhausted(socket.socket):
    """A listener of a process that has no descriptors left for a while."""

    failures = 0
    until = asyncio.Event()

    def accept(self) -> tuple[socket.socket, Any]:
        if not self.until.is_set():
            Exhausted.failures += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


async def test_without_descriptors_accepting_backs_off(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.serving(answering(ok(b"served")))
    Exhausted.failures, Exhausted.until = 0, asyncio.Event()
    addresses = [Address(_exhausted(), world.balancer, world.clients) for _ in range(3)]
    waiting = []
    for address in addresses:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(LAST)
        waiting.append((reader, writer))
    await asyncio.sleep(2)
    assert 3 <= Exhausted.failures <= 30, "neither given up nor tried all the time"
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) <= 3, "one a second at most, for all addresses together"
    Exhausted.until.set()
    for reader, writer in waiting:
        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"served")
        writer.close()
    for address in addresses:
        await address.close()


def _exhausted() -> Exhausted:
    return Exhausted(fileno=listen(0, set()).detach())


async def test_a_client_that_gave_up_before_it_was_accepted_holds_up_no_other(world: World) -> None:
    class GivenUp(socket.socket):
        first = True

        def accept(self) -> tuple[socket.socket, Any]:
            if GivenUp.first:
                GivenUp.first = False
                raise OSError(errno.ECONNABORTED, os.strerror(errno.ECONNABORTED))
            return super().accept()

    await world.serving(answering(ok(b"served")))
    address = Address(GivenUp(fileno=listen(0, set()).detach()), world.balancer, world.clients)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(LAST)
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"served")
    writer.close()
    await address.close()


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_a_head_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    """Also where a byte comes now and then."""
    monkeypatch.setattr(conversation, "HEAD", 0.3)
    await world.serving(answering(ok(b"served")))
    reader, writer = await world.open()
    writer.write(STARTED)

    async def trickle() -> None:
        while pause:
            await asyncio.sleep(pause)
            writer.write(b"x")

    trickling = asyncio.create_task(trickle())
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 408 ")
    trickling.cancel()
    await asyncio.gather(trickling, return_exceptions=True)
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n", GET], ids=["silent", "empty lines", "between two requests"])
async def test_an_idle_client_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(conversation, "KEEP_ALIVE", 0.3)
    await world.serving(answering(ok(b"served")))
    reader, writer = await world.open()
    writer.write(sent)
    assert (await asyncio.wait_for(reader.read(), 10)).count(b"served") == (sent == GET)
    writer.close()


POSTS = {
    "a body that does not come": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    "a chunk that does not come": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;",
    "a refused request that goes on": b"NONSENSE\r\n",
}


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["silent", "byte by byte"])
@pytest.mark.parametrize("sent", POSTS.values(), ids=POSTS)
async def test_clients_that_are_slow_to_send_make_room_for_others(world: World, sent: bytes, pause: float) -> None:
    """Nor does a byte now and then keep their places."""
    limit(world)

    async def read_it_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
            await reader.read()
        writer.write(ok(b"served"))

    await world.serving(read_it_all)
    slow = [await world.open() for _ in range(LIMIT)]
    for _, writer in slow:
        writer.write(sent)

    async def trickle() -> None:
        while pause:
            await asyncio.sleep(pause)
            for _, writer in slow:
                writer.write(b"x")

    trickling = asyncio.create_task(trickle())
    answers = [await asyncio.wait_for(world.say(LAST), 3) for _ in range(3)]
    trickling.cancel()
    assert all(answer.endswith(b"served") for answer in answers)
    for _, writer in slow:
        writer.close()


async def test_clients_that_take_no_response_make_room_for_others(world: World) -> None:
    limit(world)
    await world.serving(answering(ok(b"x" * 30_000_000)))
    deaf = [await world.open() for _ in range(LIMIT)]
    for _, writer in deaf:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(GET)

    async def stuck() -> bool:
        return len(world.clients._idle) == LIMIT

    await eventually("all of them are waited for", stuck)
    assert len(await world.say(LAST)) > 30_000_000
    for _, writer in deaf:
        writer.close()


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
async def test_a_replica_that_sends_interim_responses_without_end_is_cut_off(world: World, status: bytes) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 " + status + b"\r\nX: " + b"x" * 30_000 + b"\r\n\r\n")
            await writer.drain()

    await world.serving(flood)
    *interim, last = (await asyncio.wait_for(world.say(LAST), 10)).split(b"HTTP/1.1 ")[1:]
    assert len(interim) == conversation.INTERIM
    assert last.startswith(b"502 ")


UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
TUNNELS = pytest.mark.parametrize(("first", "reply"), [(b"", b""), (b"PING\n", b"PONG"), (UPGRADE, SWITCHED)])


async def tunnelling(world: World) -> None:
    """An address whose replica speaks a protocol of its own, or HTTP, or changes from one to the other."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"PING\n":
                writer.write(b"PONG")
            elif line.startswith(b"GET "):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(SWITCHED if b"\r\nUpgrade:" in head else ok(b"served"))

    await world.serving(talk)
    world.address.http_only = False


async def tunnel_to(world: World, first: bytes, reply: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await world.open()
    writer.write(first)
    assert await asyncio.wait_for(reader.readexactly(len(reply)), 10) == reply
    return reader, writer


@TUNNELS
async def test_silent_tunnels_make_room_for_others(world: World, first: bytes, reply: bytes) -> None:
    limit(world)
    await tunnelling(world)
    silent = [await tunnel_to(world, first, reply) for _ in range(2 * LIMIT)]
    assert (await world.say(LAST)).endswith(b"served")
    assert await asyncio.wait_for(silent[0][0].read(), 10) == b""
    for _, writer in silent:
        writer.close()


@TUNNELS
async def test_a_silent_tunnel_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch, first: bytes, reply: bytes) -> None:
    monkeypatch.setattr(tunnel_module, "FIRST", 0.3 if not first else 10.0)
    monkeypatch.setattr(tunnel_module, "SILENCE", 0.3)
    await tunnelling(world)
    reader, writer = await tunnel_to(world, first, reply)
    if first == UPGRADE:
        writer.write(b"PING\n")
        assert await asyncio.wait_for(reader.readexactly(4), 10) == b"PONG"
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_tunnel_in_use_has_no_deadline_and_keeps_its_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(world)
    monkeypatch.setattr(tunnel_module, "FIRST", 2.0)
    monkeypatch.setattr(tunnel_module, "SILENCE", 2.0)
    await tunnelling(world)
    reader, writer = await world.open()
    silent = []
    for _ in range(30):
        writer.write(b"PING\n")
        assert await asyncio.wait_for(reader.readexactly(4), 10) == b"PONG"
        silent.append(await world.open())
        await asyncio.sleep(0.1)
    for _, each in (*silent, (reader, writer)):
        each.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_come_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch, framing: bytes) -> None:
    monkeypatch.setattr(conversation, "STALL", 0.3)

    async def read_it_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await world.serving(read_it_all)
    answer = await world.say(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n3\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_takes_no_response_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "STALL", 0.3)
    await world.serving(answering(ok(b"x" * 30_000_000)))
    _, writer = await world.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(GET)

    async def served() -> bool:
        return bool(world.clients._taken)

    async def disconnected() -> bool:
        return not world.clients._taken

    await eventually("it is served", served)
    await eventually("it is disconnected", disconnected)
    writer.close()


def test_the_limit_leaves_descriptors_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((1_024, 256), (65_536, 16_384), (1 << 20, 16_384), (-1, 16_384)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert most_clients() == most


def test_a_client_that_was_just_accepted_keeps_its_place() -> None:
    """Else each new client would take the place of the one before, and none would be served."""
    clients, left = Clients(1), []
    only = clients.place(PORT)
    only.idle(lambda: left.append(only))
    clients.make_room()
    assert clients.full(PORT)
    assert left == []


def test_a_place_that_was_left_counts_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "GRACE", 0.0)
    clients, left = Clients(2), []
    first, second = clients.place(PORT), clients.place(OTHER)
    first.idle(lambda: left.append(first))
    third = clients.place(PORT)
    assert left == [first]
    first.idle(lambda: left.append(first))  # its task has not noticed yet
    first.busy()
    first.leave()
    assert clients.full(PORT)
    for place in (second, third):
        place.leave()
        place.leave()
    assert clients._taken == set()


def test_an_address_whose_requests_never_end_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "GRACE", 0.0)
    clients, left = Clients(8), []
    for _ in range(6):
        assert not clients.full(PORT)
        clients.place(PORT)  # with a request under way
    assert clients.full(PORT)
    assert not clients.full(OTHER)
    idle = clients.place(OTHER)
    idle.idle(lambda: left.append(idle))
    assert clients.full(PORT), "an idle client of another address does not make room beyond the share"
    clients.place(OTHER)
    assert not clients.full(OTHER)
    clients.place(OTHER)
    assert left == [idle]
    assert clients.full(OTHER)


SERVE = """
import asyncio, logging, sys
sys.path[:0] = sys.argv[1:]
from tests.runtimes.process.test_clients import serve_with_few_descriptors
logging.basicConfig(level=logging.WARNING)
asyncio.run(serve_with_few_descriptors())
"""


async def serve_with_few_descriptors() -> None:
    """An address before a replica in the same process, until the input ends. Prints its port."""
    server = await asyncio.start_server(answering(ok(b"served")), "127.0.0.1", 0)
    balancer = Balancer()
    balancer.set_targets([Target("r-1", server.sockets[0].getsockname()[1], own)])
    address = Address(listen(0, set()), balancer, Clients(most_clients()))
    address.http_only = True
    print(address.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    await address.close()


def start_with_few_descriptors(log: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", SERVE, str(root), str(root / "src")]
    with log.open("wb") as output:
        return subprocess.Popen(
            ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )


async def test_more_clients_than_descriptors_keep_no_other_from_being_served(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_with_few_descriptors(log)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(150)]
    for _, writer in idle[::2]:
        writer.write(STARTED)
    for _ in range(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LAST)
        assert (await asyncio.wait_for(reader.read(), 20)).endswith(b"served")
        writer.close()
    for _, writer in idle:
        writer.close()
    process.communicate()
    assert process.returncode == 0
    assert log.stat().st_size < 10_000
