"""What one request costs: the thread that serves everyone spends at most 100 ms of CPU on it, and the process keeps its size.

Counted in CPU time of that thread, which other load on the machine does not change. The requests are read from the registry and
the models: a new command, query, stream or field is among them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compilation.test_compilers import chain
from tests.control.fields import OPERATIONS, PLACES, with_text
from tests.control.house import documents, files
from tests.server.test_api import Api, api
from tests.server.test_bounds import path_of

from setpoint.control.bounds import DEEPEST, VALUES
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS

MOST = 0.1
"""Seconds of CPU time of the loop's thread."""
GROWTH = 1.5
"""Largest size of the process after all requests, in multiples of that after a tenth of them."""
TEXTS = {"1 MB": "x" * 1_000_000, "NUL and surrogate": "a\0b\ud800", "path": "../../../../etc/passwd"}
DEEP, MANY = 500_000, 300_000
BODIES = {
    "deep": b'{"target":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "just too deep": b'{"target":' + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1) + b"}",
    "lists": b'{"target":[' + b"[]," * MANY + b"0]}",
    "as many lists as are taken": b'{"target":[' + b"[]," * (VALUES // 2 - 2) + b"0]}",
    "fields": b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    "as many fields as are taken": b"{" + b",".join(b'"%d":0' % number for number in range(VALUES - 2)) + b"}",
    "number": b'{"target":' + b"9" * 1_000_000 + b"}",
}


def hostile() -> Iterator[tuple[str, str, bytes]]:
    """Every place of every operation with each text, and each body to every operation: name, what, body."""
    for kind, text in TEXTS.items():
        for name, place in PLACES:
            payload = with_text(OPERATIONS[name].request, place, text)
            yield name, f"{'.'.join(place)}: {kind}"[:80], json.dumps(payload).encode("utf-8", "surrogatepass")
    for kind, body in BODIES.items():
        yield from ((name, kind, body) for name in OPERATIONS if name not in STREAMS)


async def cost(found: Api, name: str, body: bytes) -> tuple[int, float]:
    """Status, and seconds of CPU time of this thread, which runs the loop."""
    headers = {**found.headers("admin"), "Content-Type": "application/json"}
    payload = json.loads(body) if name in STREAMS else {}
    started = time.thread_time()
    if name in STREAMS:
        status = await _stream(found, name, payload)
    else:
        status = (await found.http.post(f"/api/v1/{path_of(name)}", content=body, headers=headers)).status_code
    return status, time.thread_time() - started


async def _stream(found: Api, name: str, payload: dict[str, Any]) -> int:
    """Through the door: an address is too short for most of what is sent here."""
    try:
        bits = await found.control.stream(name, payload, found.admin)
    except Exception as error:
        return getattr(error, "status", 500)
    await bits.aclose()  # type: ignore[attr-defined]  # it is a generator
    return 200


def peak() -> int:
    """Largest size of this process since ``forget_peak``, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


REQUESTS = list(hostile())


def test_every_command_and_query_and_each_stream_with_a_text_is_among_them() -> None:
    assert {name for name, _, _ in REQUESTS} == COMMANDS.keys() | QUERIES.keys() | {name for name, _ in PLACES}


async def test_no_request_breaks_the_server_holds_its_loop_or_makes_it_grow(tmp_path: Path) -> None:
    failed, slow, sizes = {}, {}, []
    async with api(tmp_path) as found:
        await found.post("queries/validate", files("kind: Application\nname: saas\n"))
        forget_peak()
        for number, (name, what, body) in enumerate(REQUESTS, 1):
            status, spent = await cost(found, name, body)
            if status >= 500:
                failed[name, what] = status
            if spent > MOST:  # another look: the garbage of earlier requests may have been collected in this one
                spent = min(spent, (await cost(found, name, body))[1])
            if spent > MOST:
                slow[name, what] = round(spent, 3)
            if number in {len(REQUESTS) // 10, len(REQUESTS)}:
                sizes.append(peak())
    assert not failed
    assert not slow
    assert sizes[-1] <= GROWTH * sizes[0], sizes


def billion_laughs() -> str:
    """Constants that refer to constants, ten times each."""
    constants = "".join(f"  c{n}: '{f'${{constants.c{n - 1}}}' * 10 if n else 'lol'}'\n" for n in range(10))
    return f"kind: Application\nname: saas\nchannels: [{{name: a}}]\nconstants:\n{constants}"


def aliases() -> str:
    """Nodes of YAML that refer to nodes."""
    nodes = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 10)}]\n" for n in range(10))
    return f"kind: Application\nname: saas\nchannels: [{{name: a}}]\nconstants:\n{nodes}"


def wide(number: int) -> str:
    """Every service in every channel."""
    services = [f"{{kind: Service, application: saas, name: s{n}, process: {{command: [x]}}}}" for n in range(20)]
    channels = "".join(f"  - name: c{n}\n" for n in range(number))
    return documents(f"kind: Application\nname: saas\nchannels:\n{channels}", *services)


HEAVY = {
    "a chain of channels": chain(700).decode(),
    "every service in every channel": wide(50),
    "constants in constants": billion_laughs(),
    "aliases of aliases": aliases(),
    "brackets": "kind: Application\nname: saas\nconstants: " + "[" * 20_000,
    "one long line": "kind: Application\nname: " + "x" * 900_000,
    "many documents": "---\n" * 10_000,
    "many anchors": "kind: Application\nname: saas\nconstants:\n" + "".join(f"  k{n}: &n{n} v\n" for n in range(5_000)),
}


@pytest.mark.parametrize("kind", HEAVY)
async def test_a_heavy_configuration_leaves_the_loop_to_others(tmp_path: Path, kind: str) -> None:
    async with api(tmp_path) as found:
        body = json.dumps(files(HEAVY[kind])).encode()
        running = asyncio.create_task(cost(found, "validate", body))
        answered = []
        while not running.done():
            answered.append((await found.get("queries/status")).status_code)
            await asyncio.sleep(0.02)
        status, _ = await running
        _, alone = await cost(found, "validate", body)
    assert status in {200, 422}
    assert answered
    assert set(answered) == {200}
    assert alone < MOST


async def test_a_large_upload_is_decoded_beside_the_loop(tmp_path: Path) -> None:
    content = base64.b64encode(bytes(20 << 20)).decode()
    async with api(tmp_path) as found:
        status, spent = await cost(found, "validate", json.dumps({"files": {"x.bin": content}, "root": "/x"}).encode())
    assert status == 200
    assert spent < MOST
