"""The guardian: starts the supervisor, starts the next one when it ends, and keeps what must not end with it.

Guardian and supervisor are joined by one channel, whose end is how each notices that the other was killed: no polling, and no
process number that could be another's. Over it the supervisor hands its listening sockets to the guardian as it opens them. They
stay open while a killed supervisor is followed by the next, and clients that connect meanwhile wait for it.

Both hold the lock of the home through one inherited descriptor: the lock outlives each of the two, and nothing else can start
another pair. Which of two supervisors serves, should there ever be two, is decided by a second lock.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from setpoint.durable import files
from setpoint.programs.kernel import become_subreaper
from setpoint.runtimes.process.reaper import more_files

HELD = 3
"""Exit status: another supervisor holds this home."""
FAILED = 1
STEADY = 1.0
"""Seconds after which a supervisor that was killed is followed by the next without a delay."""
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
"""Seconds before one that ended sooner is started again, doubled with each such end in a row."""

READY, KEEP, DROP, NEXT, END = b"ready", b"keep", b"drop", b"next", b"end"
"""From the supervisor: it serves · keep a descriptor · let it go · start the next, I hand over · end, I do."""
STARTED, LEAVE = b"started", b"leave"
"""From the guardian: the next one was started · end, and what runs goes on."""
_MESSAGE = 4096
_ONE = 16


class Inheritance(NamedTuple):
    """What a supervisor gets from its guardian."""

    channel: socket.socket
    lock: int
    """Held as long as it is open."""
    kept: dict[str, int]
    """Descriptors that its predecessors gave to keep, by name."""


Work = Callable[[Inheritance], int]


class Guardian:
    """One for each home; ``ready`` is a pipe to report on that the first supervisor serves (-1: none waits for it)."""

    def __init__(self, work: Work, lock: int, ready: int = -1) -> None:
        self._work = work
        self._lock = lock
        self._ready = ready
        self._serves = ready < 0
        self._kept: dict[str, int] = {}
        self._leaving = False
        self._files = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._signals, signals_end = socket.socketpair()
        for end in (self._signals, signals_end):
            end.setblocking(False)
        self._signals_end = signals_end

    def run(self, channel: socket.socket | None = None) -> int:
        """Return the exit status once a supervisor has ended for good; ``channel``: to one that serves already."""
        become_subreaper()
        self._files = more_files()
        with contextlib.suppress(OSError):  # for people; a full disk must not end this
            files.rewrite(self._lock, b"%d\n" % os.getpid())
        self._catch_signals()
        failures = 0
        channel = channel or self._start(None)
        while True:
            began = time.monotonic()
            how, code = self._follow(channel)
            if how == END or self._leaving or not self._serves:
                return code
            if how != NEXT:
                failures = 0 if time.monotonic() - began >= STEADY else failures + 1
                self._pause(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1)) if failures else 0.0)
            former, channel = channel, self._start(channel)
            with contextlib.suppress(OSError):  # killed meanwhile
                former.send(STARTED)
            former.close()

    def _start(self, former: socket.socket | None) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._files)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for end in (ours, former, self._signals, self._signals_end):
                if end is not None:
                    end.close()
            if self._ready >= 0:
                os.close(self._ready)
            os._exit(guarded(lambda: self._work(Inheritance(theirs, self._lock, self._kept))))
        theirs.close()
        return ours

    def _follow(self, channel: socket.socket) -> tuple[bytes, int]:
        """Serve a supervisor until it ends, is killed or hands over. Return which of them, and the exit status of an end."""
        poller = select.poll()
        for end in (channel, self._signals):
            poller.register(end, select.POLLIN)
        if self._leaving:
            channel.send(LEAVE)
        while True:
            for descriptor, _ in poller.poll():
                if descriptor == self._signals.fileno():
                    self._take_signals(channel)
                elif (message := _receive(channel)) is None:
                    return b"", FAILED
                elif message[0] in {NEXT, END}:
                    return message[0], int(message[1][0]) if message[1] else 0
                else:
                    self._keep(*message)

    def _keep(self, what: bytes, names: list[str], descriptors: list[int]) -> None:
        if what == READY:
            self._serves = True
            if self._ready >= 0:
                os.write(self._ready, READY)
                os.close(self._ready)
                self._ready = -1
        for number, name in enumerate(names):
            if name in self._kept:
                os.close(self._kept.pop(name))
            if what == KEEP:
                self._kept[name] = descriptors[number]

    def _catch_signals(self) -> None:
        signal.set_wakeup_fd(self._signals_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def _take_signals(self, channel: socket.socket | None) -> None:
        """SIGTERM ends both of us, and what runs goes on; orphans that came to us are reaped."""
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in self._signals.recv(_MESSAGE):
                self._leaving = True
                if channel is not None:
                    with contextlib.suppress(OSError):  # its end is noticed next
                        channel.send(LEAVE)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._leaving and (left := deadline - time.monotonic()) > 0:
            if select.select([self._signals], [], [], left)[0]:
                self._take_signals(None)


def _receive(channel: socket.socket) -> tuple[bytes, list[str], list[int]] | None:
    """The next message: what, names, descriptors; None when the other end is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE, _ONE, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return None
    if not data:
        return None
    what, *names = data.split(b" ")
    return what, [name.decode() for name in names], descriptors


def guarded(work: Callable[[], int]) -> int:
    """Return the exit status of a process that does ``work``; whatever breaks it is written to its log."""
    try:
        return work()
    except BaseException:  # noqa: BLE001 - the last frame of the process: whatever happened is written to its log
        sys.excepthook(*sys.exc_info())
        return FAILED
    finally:
        sys.stderr.flush()
