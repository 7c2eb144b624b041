"""A supervisor's side of its guardian: gives it what to keep, hands over by it, and starts another one when it is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable

from setpoint.durable import files
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.reaper import Reaper
from setpoint.runtimes.process.supervision.guardian import (
    DROP,
    END,
    FIRST_DELAY,
    KEEP,
    LEAVE,
    LONGEST_DELAY,
    NEXT,
    READY,
    STARTED,
    STEADY,
    Inheritance,
)

PATIENCE = 10.0
"""Seconds that handing over may take: a guardian that hangs does it when it goes on."""
GUARD = "--guard"
_MESSAGE = 64
_log = logging.getLogger(__name__)


class Guarded:
    """One for each supervisor; made inside its running loop. ``leave`` is called when the guardian wants both to end."""

    def __init__(self, home: Home, inheritance: Inheritance, reaper: Reaper, leave: Callable[[], None]) -> None:
        self.pid = 0
        """Of a guardian that was started here: a child of this process that is not a replica."""
        self._home = home
        self._lock = inheritance.lock
        self._reaper = reaper
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._kept: dict[str, int] = {}
        self._outgoing: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._started: asyncio.Future[bool] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._failures = 0
        self._over = False
        self._attach(inheritance.channel)

    def ready(self) -> None:
        """Report that requests are served."""
        self._send(READY)

    def keep(self, name: str, descriptor: int) -> None:
        """Have a descriptor outlive this process; it must stay open here until ``drop``."""
        self._kept[name] = descriptor
        self._send(KEEP + b" " + name.encode(), descriptor)

    def drop(self, name: str) -> None:
        """Keep it no longer."""
        if self._kept.pop(name, None) is not None:
            self._send(DROP + b" " + name.encode())

    async def hand_over(self) -> None:
        """Have the next supervisor started, by whichever guardian is there. This process must not serve any more."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._ask_for_the_next():
                    if self._starting is not None:
                        await self._starting
        except TimeoutError:
            _log.warning("the guardian did not start another supervisor within %d s", PATIENCE)
        self._close()
        os.close(self._lock)

    async def _ask_for_the_next(self) -> bool:
        self._started = self._loop.create_future()
        self._send(NEXT)
        return await self._started

    async def end(self, code: int = 0) -> None:
        """Have the guardian end, too."""
        self._over = True
        self._send(END + b" %d" % code)
        deadline = time.monotonic() + 1
        while self._outgoing and time.monotonic() < deadline:  # noqa: ASYNC110 - the last thing this process does
            await asyncio.sleep(0.01)
        self._close()

    def _close(self) -> None:
        self._over = True
        self._detach()
        if self._starting is not None:
            self._starting.cancel()

    def _attach(self, channel: socket.socket) -> None:
        self._channel: socket.socket | None = channel
        self._since = time.monotonic()
        channel.setblocking(False)
        self._loop.add_reader(channel, self._heard, channel)

    def _detach(self) -> None:
        if self._channel is not None:
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)
            self._channel.close()
            self._channel = None
        self._outgoing.clear()

    def _send(self, text: bytes, *descriptors: int) -> None:
        if self._channel is not None:
            self._outgoing.append((text, descriptors))
            self._flush()

    def _flush(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            while self._outgoing:
                text, descriptors = self._outgoing[0]
                socket.send_fds(channel, [text], descriptors)
                self._outgoing.popleft()
        except BlockingIOError:
            self._loop.add_writer(channel, self._flush)
            return
        except OSError:
            self._outgoing.clear()  # its end is noticed by the reader
        self._loop.remove_writer(channel)

    def _heard(self, channel: socket.socket) -> None:
        try:
            message = channel.recv(_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message == LEAVE:
            self._leave()
        elif message == STARTED:
            self._resolve(started=True)
        elif not message:
            self._lost()

    def _resolve(self, *, started: bool) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(started)

    def _lost(self) -> None:
        """The guardian was killed: start another, which gets everything that is to be kept."""
        self._failures = 0 if time.monotonic() - self._since >= STEADY else self._failures + 1
        self._detach()
        self.pid = 0
        if not self._over:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._failures - 1)) if self._failures else 0.0
            self._starting = asyncio.create_task(self._start_another(delay))
        self._resolve(started=False)

    async def _start_another(self, delay: float) -> None:
        while True:
            await asyncio.sleep(delay)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                self.pid = self._spawn(theirs.fileno())
                break
            except OSError as error:
                ours.close()
                delay = min(LONGEST_DELAY, max(FIRST_DELAY, 2 * delay))
                _log.warning("the guardian of this supervisor could not be started: %s; trying again in %g s", error, delay)
            finally:
                theirs.close()
        self._attach(ours)
        self._send(READY)
        for name, descriptor in self._kept.items():
            self._send(KEEP + b" " + name.encode(), descriptor)

    def _spawn(self, channel: int) -> int:
        module = "setpoint.runtimes.process.supervisor"
        command = [sys.executable, "-P", "-m", module, str(self._home.base), GUARD, str(channel), str(self._lock)]
        output = files.open_append(self._home.journal)
        try:
            return self._reaper.spawn(command, "/", dict(os.environ), output, passed=(channel, self._lock))[0]
        finally:
            os.close(output)
