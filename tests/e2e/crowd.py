"""Clients that mean harm: ``crowd.py PORT IDLE SLOW`` holds so many connections open, and opens again what is closed.

An idle one sends nothing; a slow one sends the head of a request, a byte a second. The program prints ``open`` when it has opened
as many as it is to hold, and runs until its input ends.
"""

from __future__ import annotations

import collections
import contextlib
import resource
import select
import socket
import sys
import time

AGAIN = 300
"""Connections that are opened again in a second."""
AT_ONCE = 50
"""Connections that are opened, or slow ones that send, between two looks at what was closed."""
TICK = 0.02
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "


class Crowd:
    """All connections; the first ``slow`` of them are slow."""

    def __init__(self, port: int, idle: int, slow: int) -> None:
        self.port, self.slow, self.count = port, slow, idle + slow
        self.poll = select.epoll()
        self.open: dict[int, tuple[int, socket.socket]] = {}
        self.sending: collections.deque[tuple[float, socket.socket]] = collections.deque()
        self.missing = collections.deque(range(self.count))
        self.begun: set[socket.socket] = set()
        self.opened = 0
        self.may_open = 0.0

    def step(self, passed: float) -> None:
        """Open some, send some, and note what was closed."""
        self.may_open = min(AT_ONCE, AT_ONCE if self.opened < self.count else self.may_open + AGAIN * passed)
        while self.missing and self.may_open >= 1:
            self.may_open -= 1
            self.connect(self.missing.popleft())
            self.opened += 1
            if self.opened == self.count:
                print("open", flush=True)
        self.send()
        for descriptor, _ in self.poll.poll(TICK):
            self.look(descriptor)

    def connect(self, number: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind((f"127.0.0.{2 + number % 8}", 0))
        connection.connect_ex(("127.0.0.1", self.port))
        self.open[connection.fileno()] = (number, connection)
        self.poll.register(connection, select.EPOLLIN)
        if number < self.slow:
            self.sending.append((time.monotonic() + number / self.slow, connection))

    def send(self) -> None:
        now = time.monotonic()
        for _ in range(AT_ONCE):
            if not self.sending or self.sending[0][0] > now:
                return
            _, connection = self.sending.popleft()
            with contextlib.suppress(OSError):  # closed meanwhile, which the poll reports
                if connection.fileno() >= 0:
                    connection.send(b"a" if connection in self.begun else HEAD)
                    self.begun.add(connection)
                    self.sending.append((now + 1, connection))

    def look(self, descriptor: int) -> None:
        number, connection = self.open[descriptor]
        try:
            ended = not connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            del self.open[descriptor]
            self.begun.discard(connection)
            connection.close()
            self.missing.append(number)


def main() -> None:
    port, idle, slow = (int(word) for word in sys.argv[1:4])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd, before = Crowd(port, idle, slow), time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        now = time.monotonic()
        crowd.step(now - before)
        before = now


if __name__ == "__main__":
    main()
