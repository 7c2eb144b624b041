"""Many HTTP clients in one thread that ask one address all the time: whatever is no whole 200 is a failure."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds that one answer may take."""


@dataclass(frozen=True)
class Answered:
    """One request: when it began (``time.monotonic``), how long it took (s), which version answered."""

    began: float
    took: float
    version: str
    slow: bool


@dataclass
class Told:
    """What the clients were told."""

    answers: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def versions(self, since: float = 0) -> dict[str, int]:
        """Version -> how many answers to requests begun since then."""
        found: dict[str, int] = {}
        for answer in self.answers:
            if answer.began >= since:
                found[answer.version] = found.get(answer.version, 0) + 1
        return found

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the requests that are not slow on purpose was answered."""
        times = sorted(answer.took for answer in self.answers if not answer.slow)
        return times[min(int(len(times) * share), len(times) - 1)]


class Clients:
    """``count`` clients, half of which keep their connections; every ``slow_every``-th request of each takes 2 s to answer.

    They post: nobody on the way may ask a second time for an answer that was lost.
    """

    def __init__(self, address: str, count: int, slow_every: int) -> None:
        self.told = Told()
        self._host, self._port = urlsplit(address).hostname or "", urlsplit(address).port or 80
        self._count, self._slow_every = count, slow_every
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
        keeps = number % 2 == 0
        asked = number * self._slow_every // self._count  # so that some are slow at any time
        connection: _Connection | None = None
        while not self._stop.is_set():
            asked += 1
            slow = asked % self._slow_every == 0
            began = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    connection = connection or await _Connection.open(self._host, self._port)
                    version, goes_on = await connection.post("/slow" if slow else "/", keeps=keeps)
            except (OSError, EOFError, ValueError, LookupError) as error:
                kind = "kept" if keeps else "new"
                self.told.failures.append(f"{kind} connection, {'slow' if slow else 'quick'} request: {error!r}")
                goes_on = False
            else:
                self.told.answers.append(Answered(began, time.monotonic() - began, version, slow))
            if connection and not goes_on:
                connection.close()
                connection = None
        if connection:
            connection.close()


class _Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int) -> _Connection:
        return cls(*await asyncio.open_connection(host, port))

    async def post(self, path: str, *, keeps: bool) -> tuple[str, bool]:
        """The version that answered, and whether the connection goes on. Raises ValueError for anything but a whole 200."""
        close = "" if keeps else "Connection: close\r\n"
        self._writer.write(f"POST {path} HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n{close}\r\n".encode())
        await self._writer.drain()
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers["content-length"]))
        if status.split()[1] != "200":
            raise ValueError(f"{status}: {body[:200]!r}")
        return str(json.loads(body)["version"]), keeps and headers.get("connection", "").lower() != "close"

    def close(self) -> None:
        self._writer.close()
