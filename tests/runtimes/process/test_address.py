"""The stable address on real sockets: every kind of body both ways, clients that move and replicas that go."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from tests.runtimes.helpers import APP, eventually, settled, spec
from tests.runtimes.process.world import GET, LAST, World, answering, ok, own

from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.proxy import balancer as balancing
from setpoint.runtimes.process.proxy import conversation
from setpoint.runtimes.process.proxy.balancer import Target


@pytest.fixture
async def app(world: World) -> AsyncIterator[World]:
    """The world with the tests' app behind it, in a process of its own."""
    port = await start_and_stop_port()
    environment = {**os.environ, "PORT": str(port), "SETPOINT_VERSION": "1"}
    process = await asyncio.create_subprocess_exec(sys.executable, APP, env=environment, stdout=asyncio.subprocess.DEVNULL)

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return False
        writer.close()
        return True

    await eventually("the app listens", listens)
    world.targets.append(Target("app", port, own))
    world.balancer.set_targets(world.targets)
    yield world
    process.kill()
    await process.wait()


async def start_and_stop_port() -> int:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    return port


def client(world: World) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{world.address.port}", timeout=10)


async def test_bodies_go_both_ways(app: World) -> None:
    body = bytes(range(256)) * 4_000

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 70_000):
            yield body[start : start + 70_000]

    async with client(app) as http:
        assert (await http.post("/echo", content=body)).content == body
        assert (await http.post("/echo", content=pieces())).content == body
        assert (await http.get("/stream")).text == "".join(f"chunk{number}" for number in range(5))
        assert (await http.get("/close")).text == "until the end"
        head = await http.head("/")
        assert (head.headers["content-length"], head.content) == ("1", b"")
        assert (await http.get("/")).text == "1"


async def test_a_stream_comes_as_it_is_written(app: World) -> None:
    async with client(app) as http, http.stream("GET", "/stream") as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert len(pieces) > 1


async def test_a_client_may_wait_for_leave_to_send(app: World) -> None:
    reader, writer = await app.open()
    writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"body")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(4) == b"body"
    writer.close()


async def test_pipelined_requests_are_answered_in_order(app: World) -> None:
    first = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst"
    answer = await app.say(first + b"\r\n" + LAST)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"first") < answer.rindex(b"HTTP/1.1 200")


async def test_an_upgraded_connection_is_a_tunnel(app: World) -> None:
    reader, writer = await app.open()
    writer.write(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Upgrade: echo" in head
    for word in (b"one\n", b"two\n"):
        writer.write(word)
        assert await reader.readline() == word.upper()
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_an_answer_before_the_body_is_read_reaches_the_client(app: World) -> None:
    answer = await app.say(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 100_000)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("size", [1, 70_000, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("body", [b"", b"too large" * 5_000], ids=["bare", "with a body"])
async def test_a_replica_that_refuses_a_body_and_hangs_up_is_understood(
    world: World, size: int, chunked: bool, body: bytes
) -> None:
    """It reads the head only, responds, and closes with the body unread, which resets the connection."""
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()

    await world.serving(refuse)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 50_000):
            yield b"x" * min(50_000, size - start)

    for _ in range(5):
        async with client(world) as http:
            answer = await http.post("/", content=pieces() if chunked else b"x" * size)
        assert (answer.status_code, answer.content) == (413, body)


@pytest.mark.parametrize("body", [b"", b"too large" * 1_000], ids=["bare", "with a body"])
async def test_a_refusal_is_understood_though_the_connection_was_reset_before_the_request_was_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """The replica is a thread, and the address stands still until it has responded and reset the connection."""
    open_, reset = threading.Event(), threading.Event()

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        open_.wait(10)
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        reset.set()

    async def connect(target: Target, *, fresh: bool) -> balancing.Connection:
        connection = await connected(target, fresh=fresh)
        open_.set()
        assert reset.wait(10)
        return connection

    connected = Target.connect
    monkeypatch.setattr(Target, "connect", connect)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        world.targets.append(Target("refuses", listener.getsockname()[1], own))
        world.balancer.set_targets(world.targets)
        async with client(world) as http:
            answer = await http.post("/", content=b"x" * 1_000)
    assert (answer.status_code, answer.content) == (413, body)


async def test_a_reset_before_the_end_of_an_endless_answer_does_not_look_complete(world: World) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        below = writer.get_extra_info("socket")
        below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    await world.serving(reset)
    async with client(world) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get("/")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"\x16\x03\x01\x02",
        b"hello \0",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded",
    ],
)
async def test_a_malformed_head_is_answered_immediately(world: World, head: bytes) -> None:
    await world.serving(answering(ok(b"served")))
    reader, writer = await world.open()
    writer.write(head)
    async with asyncio.timeout(2):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
    writer.close()


async def test_a_head_that_comes_byte_by_byte_is_served(world: World) -> None:
    await world.serving(answering(ok(b"served")))
    reader, writer = await world.open()
    for byte in b"\r\n" + GET + LAST:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(reader.read(), 5)).count(b"served") == 2
    writer.close()


async def test_a_client_that_stops_in_the_middle_of_a_head_is_answered(world: World) -> None:
    await world.serving(answering(ok(b"served")))
    assert (await world.say(b"GET / HTTP/1.1\r\nHost:", close=True)).startswith(b"HTTP/1.1 400 ")
    assert await world.say(b"", close=True) == b""


async def test_a_body_found_malformed_after_its_answer_brings_no_second_answer(world: World) -> None:
    await world.serving(answering(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"))
    reader, writer = await world.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in head
    writer.write(b"no chunk\r\n")
    assert await reader.read() == b""
    writer.close()


async def test_the_oldest_clients_are_answered_in_their_way(app: World) -> None:
    answer = await app.say(b"GET /close HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nuntil the end")
    assert b"chunked" not in answer


async def test_requests_smuggled_in_are_refused_and_nothing_goes_on(world: World) -> None:
    await world.serving(answering(ok(b"served")))
    answer = await world.say(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"served" not in answer


async def test_a_malformed_chunk_is_refused(world: World) -> None:
    await world.serving(answering(b""))
    for chunk in (b"zz\r\n", b"5\nhello\r\n", b"3\r\nhello\r\n", b"-1\r\n"):
        answer = await world.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        assert answer.startswith(b"HTTP/1.1 400 "), chunk


async def test_a_head_that_never_ends_is_refused(world: World) -> None:
    answer = await world.say(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 20_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_without_a_healthy_replica_a_request_waits_then_is_refused(world: World, monkeypatch) -> None:
    monkeypatch.setattr(conversation, "PATIENCE", 0.3)
    began = time.monotonic()
    answer = await world.say(GET)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After" in answer
    assert time.monotonic() - began >= 0.25


async def test_a_request_that_waits_is_served_by_the_first_healthy_replica(world: World) -> None:
    asking = asyncio.create_task(world.say(LAST))
    await asyncio.sleep(0.05)
    assert not asking.done()
    await world.serving(answering(ok(b"here")))
    assert (await asking).endswith(b"here")


async def test_a_replica_that_takes_no_connections_costs_no_request(world: World) -> None:
    dead = Target("dead", await start_and_stop_port(), own)
    alive = await world.replica(answering(ok(b"alive")))
    world.balancer.set_targets([dead, alive])
    for _ in range(6):
        assert (await world.say(LAST)).endswith(b"alive")


async def test_a_replica_that_hangs_up_costs_no_repeatable_request(world: World) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    await world.serving(hang_up, answering(ok(b"alive")))
    for _ in range(6):
        assert (await world.say(LAST)).endswith(b"alive")
    answers = [await world.say(LAST.replace(b"GET", b"POST")) for _ in range(4)]
    assert {answer.split(b" ")[1] for answer in answers} == {b"200", b"502"}, "what may have been done is not done again"


async def test_a_request_that_fells_replicas_is_not_given_to_all_of_them(world: World) -> None:
    felled = []

    async def fall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        felled.append(1)
        writer.close()

    await world.serving(fall, fall, fall, fall)
    assert (await world.say(GET)).startswith(b"HTTP/1.1 502 ")
    assert len(felled) == 2


async def test_a_kept_connection_that_the_replica_closed_costs_no_request(world: World) -> None:
    await world.serving(answering(ok(b"once"), close=True))
    async with client(world) as http:
        for _ in range(20):
            assert (await http.get("/")).text == "once"


async def test_an_answer_cut_short_does_not_look_complete(world: World) -> None:
    await world.serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", close=True))
    async with client(world) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get("/")


async def test_a_replica_that_does_not_speak_http_is_a_bad_gateway(world: World) -> None:
    await world.serving(answering(b"hello\r\n\r\n"))
    assert (await world.say(GET)).startswith(b"HTTP/1.1 502 ")


async def test_kept_clients_move_between_requests_and_old_replicas_drain(world: World) -> None:
    release = asyncio.Event()

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /fast"):
            writer.write(ok(b"old"))
        await release.wait()
        writer.write(ok(b"old, slowly"))

    before, after = await world.replica(old), await world.replica(answering(ok(b"new")))
    world.balancer.set_targets([before])
    async with client(world) as kept:
        assert (await kept.get("/fast")).text == "old"
        slow = asyncio.create_task(kept.get("/slow"))

        async def under_way() -> bool:
            return before.in_flight == 1

        await eventually("the slow request is under way", under_way)
        world.balancer.set_targets([after])
        before.retire()
        draining = asyncio.create_task(before.drained())
        assert {(await kept.get("/")).text for _ in range(5)} == {"new"}
        assert not draining.done()
        release.set()
        assert (await slow).text == "old, slowly"
        await draining


async def test_requests_go_to_the_replica_with_the_fewest_under_way(world: World) -> None:
    release = asyncio.Event()

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(ok(b"late"))

    first, second = await world.replica(stuck), await world.replica(answering(ok(b"quick")))
    world.balancer.set_targets([first])
    slow = asyncio.create_task(world.say(LAST))

    async def under_way() -> bool:
        return first.in_flight == 1

    await eventually("one is under way", under_way)
    world.balancer.set_targets([first, second])
    assert {(await world.say(LAST)).rpartition(b"\r\n")[2] for _ in range(6)} == {b"quick"}
    release.set()
    assert (await slow).endswith(b"late")


async def test_idle_connections_to_replicas_are_not_kept_for_long(world: World, monkeypatch) -> None:
    monkeypatch.setattr(balancing, "IDLE", 0.05)
    await world.serving(answering(ok(b"x")))
    async with client(world) as http:
        await http.get("/")
        [target] = world.balancer._targets

        async def none_left() -> bool:
            return not target.idle

        await eventually("it was closed", none_left)
        assert (await http.get("/")).text == "x"


async def test_other_protocols_go_through_untouched(world: World) -> None:
    world.address.http_only = False

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome\n")
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    await world.serving(shout)
    assert await world.say(b"*1 ping\n", close=True) == b"welcome\n*1 PING\n"
    reader, writer = await world.open()
    assert await reader.readline() == b"welcome\n", "a client that waits for the server's word gets it"
    writer.close()


async def test_without_an_http_health_check_http_is_recognised(world: World) -> None:
    world.address.http_only = False
    await world.serving(answering(ok(b"http")))
    assert (await world.say(LAST)).endswith(b"http")


async def load(address: str, until: Callable[[], bool], *, keep: bool, slow_every: int) -> list[float]:
    """One client asking until told to stop; each answer must be a 200 with a version in it. Milliseconds of each."""
    host, port = address.removeprefix("http://").split(":")
    took: list[float] = []
    connection = None
    while not until():
        connection = connection or await asyncio.open_connection(host, int(port))
        reader, writer = connection
        path = "/slow?0.5" if slow_every and len(took) % slow_every == slow_every - 1 else "/"
        began = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert await reader.readexactly(1) in b"123"
        took.append(1000 * (time.perf_counter() - began))
        if not keep:
            writer.close()
            connection = None
    if connection:
        connection[1].close()
    return took


async def test_no_request_fails_while_versions_change_under_load(home: Path, processes: ProcessRuntime, record_property) -> None:
    """32 clients, half of them kept alive, some answers slow; three versions, each applied by another engine."""
    first = spec("1", replicas=2)
    await processes.apply("op/1", first)
    address = (await settled(processes, first)).links["address"]
    stop = asyncio.Event()
    began = time.monotonic()
    clients = [
        asyncio.create_task(load(address, stop.is_set, keep=number % 2 == 0, slow_every=40 if number % 4 == 0 else 0))
        for number in range(32)
    ]
    for version in ("2", "3"):
        await asyncio.sleep(0.5)
        await ProcessRuntime({}, home).apply(f"op/{version}", spec(version, replicas=2))
        await settled(ProcessRuntime({}, home), spec(version, replicas=2))
    await asyncio.sleep(max(0.0, 4 - (time.monotonic() - began)))
    stop.set()
    took = [one for client in await asyncio.gather(*clients) for one in client]
    record_property("requests", len(took))
    record_property("requests_per_second", round(len(took) / (time.monotonic() - began)))
    assert len(took) >= 500, "a load that is none proves nothing; how much it is depends on the machine, and is recorded"
