"""An engine in the background is started again when it is killed: by the supervisor, which outlives it.

It leaves a mark in its data directory, which goes when it is stopped or ends with an error: an engine that is marked and dead was
killed. How it was started – command, environment, directory – it reports when it connects; that is kept in memory only, by
supervisor and guardian, because environments hold secrets. An engine in the foreground is left to what started it: a terminal, a
service manager.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from setpoint.durable import files
from setpoint.programs.procfs import Identity, read_stat
from setpoint.runtimes.process.reaper import Reaper, describe_exit
from setpoint.runtimes.process.records import EngineStart

AGAIN = "SETPOINT_KEPT"
"""In the environment of an engine in the background: ``new``, or ``again`` when it replaces one that was killed."""
ENGINE_LOG = "engine.log"
_MARK = "engine.kept"
_NAME = "engine"
STEADY = 10.0
FIRST_DELAY, LONGEST_DELAY = 0.2, 30.0
"""Seconds before an engine that was killed soon after its start is started again, doubled with each time in a row."""
_log = logging.getLogger(__name__)


class RestartMark:
    """Orders the engine of a data directory to be started again when it is killed; holds the port of its API."""

    def __init__(self, home: Path) -> None:
        self._path = home / _MARK

    @property
    def set(self) -> bool:
        """Whether it is there."""
        return self._path.exists()

    @property
    def port(self) -> int:
        """The port of the engine that left it; 0: none, or not known."""
        try:
            return int(self._path.read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def leave(self, port: int) -> None:
        """Leave it. Raises OSError."""
        files.replace(self._path, str(port).encode(), sync=False)

    def remove(self) -> None:
        """Start nothing again."""
        with contextlib.suppress(OSError):  # a directory that cannot be written to any more: then the next start removes it
            files.remove(self._path)


def start_of_this_engine(home: Path) -> EngineStart | None:
    """How this process is started again, if it is an engine in the background; without options that count once (recovery)."""
    if AGAIN not in os.environ:
        return None
    stat = read_stat(os.getpid())
    assert stat is not None  # noqa: S101 - this very process
    command = (sys.executable, "-m", "setpoint.cli", "up", "--home", str(home))
    return EngineStart(stat.identity.pid, stat.identity.start, command, dict(os.environ), str(Path.cwd()))


class EngineKeeper:
    """Watches the engine that reported last; ``keep``: gives a descriptor to the guardian."""

    def __init__(self, home: Path, reaper: Reaper, keep: Callable[[str, int], None]) -> None:
        self.pid = 0
        """Of the engine; 0: none is known."""
        self._home = home
        self._mark = RestartMark(home)
        self._reaper = reaper
        self._keep = keep
        self._descriptor = -1
        self._watching: asyncio.Task[None] | None = None

    def inherit(self, kept: dict[str, int]) -> None:
        """Go on watching the engine that a predecessor knew of."""
        if _NAME in kept:
            size = os.fstat(kept[_NAME]).st_size
            self.reported(msgspec.json.decode(os.pread(kept[_NAME], size, 0), type=EngineStart))
            os.close(kept[_NAME])

    def reported(self, start: EngineStart) -> None:
        """An engine connected: this one is watched from now on."""
        self.close()
        former, self._descriptor = self._descriptor, os.memfd_create(_NAME, os.MFD_CLOEXEC)
        os.write(self._descriptor, msgspec.json.encode(start))
        self._keep(_NAME, self._descriptor)
        if former >= 0:
            os.close(former)
        self._watching = asyncio.create_task(self._watch(start))

    def close(self) -> None:
        """Watch none."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self, start: EngineStart) -> None:
        loop, delay = asyncio.get_running_loop(), 0.0
        self.pid = start.pid
        ended = self._reaper.adopt(Identity(start.pid, start.start))
        began = loop.time()
        code = await ended if ended is not None else None
        while self._mark.set and (code is None or code < 0):
            lived = loop.time() - began
            delay = 0.0 if lived >= STEADY or code is None else min(LONGEST_DELAY, max(FIRST_DELAY, 2 * delay))
            await asyncio.sleep(delay)
            _log.warning("the engine %s; it is started again", describe_exit(code))
            began = loop.time()
            try:
                self.pid, ended = self._spawn(start)
            except OSError as error:
                _log.error("the engine could not be started again: %s", error)
                code = -1
            else:
                code = await ended
        self.pid = 0

    def _spawn(self, start: EngineStart) -> tuple[int, asyncio.Future[int | None]]:
        directory = start.directory if Path(start.directory).is_dir() else "/"
        output = files.open_append(self._home / ENGINE_LOG)
        try:
            return self._reaper.spawn(list(start.command), directory, {**start.env, AGAIN: "again"}, output)
        finally:
            os.close(output)
