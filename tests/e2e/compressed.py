"""The embedded engine on the fake runtime, in compressed time: a minute of the engine's goes by in a fraction of a second."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.control.house import House
from tests.support.compilers import COMPILERS

from setpoint.cli.render import timeline as screen
from setpoint.control.queries.timeline import Timeline
from setpoint.engine.port import Clock
from setpoint.model.time import Instant
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.assembly import running


class Compressed:
    """A clock that goes ``factor`` times as fast as the real one, from a given moment on."""

    def __init__(self, factor: float, start: Instant = 1_767_225_600_000) -> None:
        self._factor, self._start, self._zero = factor, start, time.monotonic()

    def __call__(self) -> Instant:
        return self._start + int((time.monotonic() - self._zero) * self._factor * 1000)


@asynccontextmanager
async def compressed(home: Path, factor: float, start: Instant = 1_767_225_600_000) -> AsyncIterator[tuple[House, Clock]]:
    """A serving house whose engine and runtime go by the same fast clock."""
    clock = Compressed(factor, start)

    def fake(options: dict[str, Any], place: Path) -> FakeRuntime:
        return FakeRuntime(options, place, clock=clock)

    async with running(home, clock=clock, clock_step=10, speed=factor, runtimes={"fake": fake}, compilers=COMPILERS) as control:
        yield House(control), clock


def drawn(timeline: Timeline, columns: int = 160) -> str:
    """The timeline as the terminal shows it, without colours."""
    console = Console(width=columns, record=True, file=io.StringIO(), color_system=None)
    for line in screen.lines(timeline.model_dump(), columns):
        console.print(line, soft_wrap=True)
    return console.export_text()
