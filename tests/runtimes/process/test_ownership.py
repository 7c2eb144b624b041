"""A port counts as a replica's only while the socket that listens there belongs to its run."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.runtimes.helpers import INSTANCE, eventually, leaders_of, spec

from setpoint.programs.procfs import RUN, read_stat
from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.ports import free_port
from setpoint.runtimes.process.replicas.ownership import PortState, ReplicaPort

LISTEN = """
import ctypes, os, socket, subprocess, sys
how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.socket(family)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if how == "shared":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((address, port))
listener.listen()
if how == "hidden":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
if how == "worker":
    child = subprocess.Popen(["sleep", "600"], pass_fds=[listener.fileno()], start_new_session=True)
    listener.close()
print("listens", flush=True)
sys.stdin.read()
if how == "worker":
    child.kill()
"""


class Run:
    """A run of one process that listens."""

    def __init__(self) -> None:
        self.name = f"test.{secrets.token_hex(8)}"
        self.number = free_port(set())
        self._process: subprocess.Popen[str] | None = None

    def start(self, how: str = "plain", address: str = "127.0.0.1") -> ReplicaPort:
        command = [sys.executable, "-c", LISTEN, how, address, str(self.number)]
        environment = {**os.environ, RUN: self.name}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listens\n"
        stat = read_stat(self._process.pid)
        assert stat is not None
        return ReplicaPort(self.number, self.name, stat.identity)

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    yield made
    made.end()


def intruder(number: int, address: str = "127.0.0.1", *, shared: bool = False) -> socket.socket:
    """A socket of this process, which belongs to no run."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, number))
    listener.listen()
    return listener


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::"])
@pytest.mark.parametrize("how", ["plain", "hidden", "worker"])
async def test_a_socket_of_the_run_is_its_own(run: Run, how: str, address: str) -> None:
    port = run.start(how, address)
    assert [await port.state() for _ in range(3)] == ["own"] * 3


async def test_a_port_without_a_listener_is_free(run: Run) -> None:
    port = run.start()
    other = ReplicaPort(free_port({run.number}), run.name, port._leader)
    assert await other.state() == "free"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_a_socket_of_another_process_is_not(run: Run, address: str) -> None:
    port = run.start()
    other = ReplicaPort(free_port({run.number}), run.name, port._leader)
    with intruder(other.number, address):
        assert await other.state() == "taken"
    assert await other.state() == "free"


async def test_a_port_that_is_lost_to_another_process_is_noticed(run: Run) -> None:
    """What was found once is checked each time."""
    port = run.start()
    assert await port.state() == "own"
    run.end()
    with intruder(run.number):
        assert await port.state() == "taken"


async def test_a_port_shared_with_another_process_is_taken(run: Run) -> None:
    port = run.start("shared")
    with intruder(run.number, shared=True):
        assert await port.state() == "taken"
    assert await port.state() == "own"


async def test_a_socket_that_gets_no_connection_does_not_matter(run: Run) -> None:
    port = run.start()
    with intruder(run.number, "::"):
        assert await port.state() == "own"


async def test_many_that_look_together_look_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    port, looks, look = run.start(), [], ReplicaPort._look

    def counted(self: ReplicaPort) -> PortState:
        looks.append(1)
        return look(self)

    monkeypatch.setattr(ReplicaPort, "_look", counted)
    assert set(await asyncio.gather(*(port.state() for _ in range(50)))) == {"own"}
    assert len(looks) == 1


@pytest.mark.parametrize(
    "health",
    [{"http": "/healthz", "interval": 100}, {"tcp": True, "interval": 100}, {"command": ["true"], "interval": 100}, None],
    ids=["http", "tcp", "command", "none"],
)
async def test_another_process_at_the_port_of_a_starting_replica_gets_nothing(
    home: Path, processes: ProcessRuntime, health: dict[str, Any] | None
) -> None:
    """It passes every health check, and would get the traffic."""
    wanted = spec("1", "--slow-start", "600", health=health)
    await processes.apply("op/1", wanted)

    async def starting() -> Any:
        return leaders_of(home)

    [replica] = await eventually("the replica starts", starting)
    port, connections = int(replica.environ()["PORT"]), []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen")
        writer.close()

    async with await asyncio.start_server(pretend, "127.0.0.1", port):

        async def reported() -> bool:
            seen = await processes.observe(INSTANCE, wanted)
            return any(o.message == f"port {port} is used by another process" for o in seen.objects)

        if health is None or "command" in health:  # may count as healthy without a port; still it gets no traffic
            await asyncio.sleep(1.5)
        else:
            await eventually("the reason is reported", reported)
        address = (await processes.observe(INSTANCE, wanted)).links["address"]
        async with httpx2.AsyncClient(timeout=30 if health and "http" in health else 1) as client:
            if client.timeout.read == 30:
                assert (await client.get(address)).status_code == 503
            else:  # the request waits for a replica, and longer than these tests do
                with pytest.raises(httpx2.ReadTimeout):
                    await client.get(address)
        assert connections == []
