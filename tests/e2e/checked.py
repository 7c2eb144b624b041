"""Clients each of whose requests has a value that its answer, and no other, must carry: all methods, framings, and pipelining."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
import random
import threading
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 20.0
KINDS = ("length", "chunked", "204", "304", "close", "rude-length", "rude-204", "rude-304", "rude-chunked")
"""How the replica frames its answer; a rude one is followed by bytes that look like another."""
METHODS = ("GET", "HEAD", "POST length", "POST chunked")


class WrongError(Exception):
    """This is not the answer to that request."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    kind: str
    value: str
    last: bool
    """Whether the client wants no answer after this one; what follows it is sent again, on another connection."""

    def text(self) -> bytes:
        """What is sent."""
        head, body = f"{self.method.split()[0]} /{self.kind}/{self.value} HTTP/1.1\r\nHost: web\r\n", self.body()
        head += "Connection: close\r\n" if self.last else ""
        if self.method == "POST length":
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        if self.method == "POST chunked":
            return f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        return f"{head}\r\n".encode()

    def body(self) -> bytes:
        """Of the request; of the answer, too."""
        return f"{self.value};".encode() * 50 if self.method.startswith("POST") else self.value.encode()

    @property
    def answered_without_body(self) -> bool:
        """Whether no body may follow the head of the answer."""
        return self.method == "HEAD" or self.kind.endswith(("204", "304"))


class CheckedClients:
    """``count`` clients, of which every second one sends several requests before it reads."""

    def __init__(self, address: str, count: int, seed: int) -> None:
        self.answers = 0
        self.again = 0
        """Requests that were sent again, as RFC 9112 (9.6) has it: an answer before theirs closed the connection."""
        self.seen: collections.Counter[tuple[str, str]] = collections.Counter()
        self.versions: set[str] = set()
        self.failures: list[str] = []
        self._host, self._port = urlsplit(address).hostname or "", urlsplit(address).port or 80
        self._count, self._seed = count, seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._count)))

    async def _client(self, number: int) -> None:
        rng, values = random.Random(f"{self._seed} {number}"), itertools.count()
        left: list[Asked] = []
        while not self._stop.is_set():
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                goes_on = True
                while goes_on and not self._stop.is_set():
                    batch = left or [
                        Asked(rng.choice(METHODS), rng.choice(KINDS), f"{self._seed}-{number}-{next(values)}", rng.random() < 0.1)
                        for _ in range(rng.randint(2, 5) if number % 2 else 1)
                    ]
                    left = await self._exchange(batch, reader, writer)
                    goes_on = not left and not batch[-1].last
            except (OSError, EOFError, ValueError, LookupError, WrongError) as error:
                self.failures.append(f"client {number}: {error!r}")
            finally:
                writer.close()

    async def _exchange(self, batch: list[Asked], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[Asked]:
        """Send all of them, and read their answers; those that are to be sent again."""
        writer.write(b"".join(asked.text() for asked in batch))
        async with asyncio.timeout(PATIENCE):
            for place, asked in enumerate(batch, 1):
                closed = await self._answer(asked, reader)
                self.answers += 1
                self.seen[asked.method, asked.kind] += 1
                if closed != asked.last:
                    raise WrongError(f"{asked}: the answer closes its connection, or does not, as it should not")
                if closed:
                    self.again += len(batch) - place
                    if await reader.read():
                        raise WrongError(f"bytes follow the last answer, to {asked}")
                    return batch[place:]
        return []

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader) -> bool:
        """Read and check one answer; whether it closes the connection. Raises WrongError."""
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        expected = asked.kind[-3:] if asked.kind.endswith(("204", "304")) else "200"
        body = b"" if asked.answered_without_body else await _body(fields, reader)
        if status.split()[1] != expected or fields.get("x-value") != asked.value:
            raise WrongError(f"{asked} got {status}, {fields}, {body[:200]!r}")
        if body != (b"" if asked.answered_without_body else asked.body()):
            raise WrongError(f"{asked} got the body {body[:200]!r}")
        self.versions.add(fields["x-version"])
        return fields.get("connection", "").lower() == "close"


async def _body(fields: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    if fields.get("transfer-encoding") != "chunked":
        return await reader.read()
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
