"""A small HTTP/1.1 server that the tests run as a replica, on the standard library.

Arguments: ``--slow-start S`` · ``--unhealthy`` (every /healthz answers 500) · ``--ignore-term`` · ``--crash-after S`` ·
``--children`` (in the group, in a session of its own, orphaned). Paths: ``/`` the version · ``/slow?S`` after S seconds ·
``/stream`` chunks · ``/echo`` the body · ``/head`` the head back · ``/upgrade`` a protocol that echoes lines in capitals ·
``/early`` an answer before the body is read · ``/close`` one that ends with the connection · ``/die`` · ``/pid`` · ``/env``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

VERSION = os.environ.get("SETPOINT_VERSION", "")


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await one(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    path, _, query = target.partition("?")
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if path == "/upgrade":
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while line := await reader.readline():
            writer.write(line.upper())
        return False
    if path == "/early":
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        return False
    body = await read_body(reader, headers)
    if path == "/slow":
        await asyncio.sleep(float(query))
    if path == "/die":
        os._exit(9)
    if path == "/stream":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            writer.write(b"6\r\nchunk%d\r\n" % number)
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        return True
    if path == "/close":
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        return False
    status, answer = answer_to(path, head, body)
    answered = f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\nX-Version: {VERSION}\r\n\r\n".encode()
    writer.write(answered + (b"" if method == "HEAD" else answer))
    await writer.drain()
    return headers.get("connection", "").lower() != "close"


def answer_to(path: str, head: str, body: bytes) -> tuple[int, bytes]:
    if path == "/healthz":
        return (500 if "--unhealthy" in sys.argv else 200), b"ok"
    if path == "/pid":
        return 200, str(os.getpid()).encode()
    if path == "/env":
        return 200, json.dumps({"env": dict(os.environ), "cwd": str(Path.cwd())}).encode()
    if path == "/head":
        return 200, head.encode("latin-1")
    if path == "/echo":
        return 200, body
    return 200, VERSION.encode()


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return body


def make_children() -> None:
    sleeping = [sys.executable, "-c", "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]
    subprocess.Popen(sleeping)
    subprocess.Popen(sleeping, start_new_session=True)
    # and one whose parent is gone
    orphan = f"import subprocess; subprocess.Popen({sleeping!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", orphan], check=True)


def option(name: str) -> float:
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else 0.0


async def main() -> None:
    print(f"{VERSION} starts", flush=True)
    if "--ignore-term" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--children" in sys.argv:
        make_children()
    await asyncio.sleep(option("--slow-start"))
    server = await asyncio.start_server(handle, "127.0.0.1", int(os.environ["PORT"]), backlog=256)
    if "--crash-after" in sys.argv:
        await asyncio.sleep(option("--crash-after"))
        print("out of luck", flush=True)
        sys.exit(3)
    await server.serve_forever()


asyncio.run(main())
