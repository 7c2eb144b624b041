"""Thousands of clients that send nothing, or next to nothing: others are served, and engine, checks and supervisor go on."""

from __future__ import annotations

import contextlib
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e.machine import Machine
from tests.e2e.shop import configure, gate

from setpoint.server import location

pytestmark = [pytest.mark.alone, pytest.mark.slow]

WEB = "shop/web@staging"
SIZES = [pytest.param((1_000, 60), id="1,060"), pytest.param((10_000, 600), id="10,600", marks=pytest.mark.nightly)]
"""Idle and slow clients."""
RESERVED = 400
"""Descriptors that the program with these clients needs beside them."""
SAMPLES = 60
ROUNDS = 3
"""Other work on the machine can only make a round slower: one of them within the limit shows that the crowd does not."""
TIMES = 2.0
LOG_A_MINUTE = 1_000_000


def possible(size: tuple[int, int]) -> tuple[int, int]:
    """Return fewer clients where the hard limit of open files leaves no room for them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = hard - RESERVED if hard != resource.RLIM_INFINITY else sum(size)
    share = min(1.0, room / sum(size))
    return int(size[0] * share), int(size[1] * share)


@contextlib.contextmanager
def crowd(port: int, size: tuple[int, int]) -> Iterator[None]:
    """From when all of them are connected."""
    words = [sys.executable, str(Path(__file__).with_name("crowd.py")), str(port), *map(str, size)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"open\n"
        yield
        assert process.poll() is None
    finally:
        process.communicate()


def request(port: int, path: str) -> float:
    """Seconds that one request takes, with a connection of its own."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    return time.monotonic() - began


def usual(port: int, path: str) -> float:
    times = []
    for _ in range(SAMPLES):
        times.append(request(port, path))
        time.sleep(0.02)
    return statistics.median(times)


def ratio(port: int, path: str, size: tuple[int, int]) -> float:
    """How much longer a request takes beside the crowd, the quiet before and after it taken together."""
    before = usual(port, path)
    with crowd(port, size):
        beside = usual(port, path)
    return beside / statistics.mean((before, usual(port, path)))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("where", ["API", "stable address"])
def test_others_are_served_in_their_usual_time(machine: Machine, where: str, size: tuple[int, int]) -> None:
    size = possible(size)
    machine.up()
    application = "kind: Application\nname: shop\nchannels: [{name: staging, protections: [fine]}]\n"
    flags = configure(machine, application, gate("fine"))
    (flags / "fine").touch()
    machine.release("web=1.0.0")
    machine.settles(WEB, "1.0.0")
    found = location.find(machine.home)
    assert found is not None
    url = found.url if where == "API" else machine.address(WEB)
    port = urlsplit(url).port or 0
    began, sizes = time.monotonic(), log_sizes(machine)
    ratios: list[float] = []
    while len(ratios) < ROUNDS and min(ratios, default=TIMES + 1) > TIMES:
        ratios.append(ratio(port, "/healthz", size))
    with crowd(port, size):
        machine.release("web=2.0.0")
        machine.settles(WEB, "2.0.0")
        machine.runs(WEB, "2.0.0", 2)
    minutes = max(1.0, (time.monotonic() - began) / 60)
    grown = [after - before for before, after in zip(sizes, log_sizes(machine), strict=True)]
    print(f"{where}, {size} idle and slow clients: {ratios} times as long; logs grew by {grown} bytes in {minutes:.1f} min")
    assert min(ratios) <= TIMES
    assert max(grown) < LOG_A_MINUTE * minutes


def log_sizes(machine: Machine) -> list[int]:
    """Bytes of the logs of engine and supervisor."""
    logs: list[Path] = [machine.root / "engine.log", machine.home / "runtimes" / "local" / "supervisor.log"]
    return [path.stat().st_size for path in logs]
