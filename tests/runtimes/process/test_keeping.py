"""An engine in the background is started again when it was killed – not when it was stopped, or ended with an error."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.runtimes.helpers import eventually

from setpoint.programs.procfs import read_stat
from setpoint.runtimes.process.reaper import Reaper
from setpoint.runtimes.process.records import EngineStart
from setpoint.runtimes.process.supervision import keeping
from setpoint.runtimes.process.supervision.keeping import AGAIN, EngineKeeper, RestartMark, start_of_this_engine

ENGINE = "import os, sys; print(os.environ['SETPOINT_KEPT'], flush=True); os._exit(int(sys.argv[1]))"
KILLED = "import os, signal; print('again', flush=True); os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[EngineKeeper]:
    made = EngineKeeper(tmp_path, Reaper(), lambda _name, _descriptor: None)
    yield made
    made.close()


def engine(how: str = "0", code: str = ENGINE) -> tuple[subprocess.Popen[bytes], EngineStart]:
    """A process that stands for an engine, and how it reports that it was started."""
    process = subprocess.Popen(["sleep", "600"])
    stat = read_stat(process.pid)
    assert stat is not None
    again = (sys.executable, "-c", code, how)
    return process, EngineStart(process.pid, stat.identity.start, again, dict(os.environ), "/")


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def starts(home: Path) -> int:
    """How often it was started again."""
    log = home / "engine.log"
    return log.read_text().count("again") if log.exists() else 0


async def watching_ended(keeper: EngineKeeper) -> None:
    async def ended() -> bool:
        return keeper.pid == 0

    await eventually("it is watched no longer", ended)


@pytest.mark.parametrize(("marked", "expected"), [(True, 1), (False, 0)], ids=["killed", "stopped"])
async def test_only_an_engine_in_the_background_that_was_killed_is_started_again(
    keeper: EngineKeeper, tmp_path: Path, marked: bool, expected: int
) -> None:
    process, start = engine()
    if marked:
        RestartMark(tmp_path).leave(7350)
    keeper.reported(start)
    await asyncio.sleep(0)
    end(process)
    await watching_ended(keeper)
    assert starts(tmp_path) == expected


async def test_one_that_was_dead_before_it_was_watched_is_started_again(keeper: EngineKeeper, tmp_path: Path) -> None:
    process, start = engine()
    RestartMark(tmp_path).leave(7350)
    end(process)
    keeper.reported(start)
    await asyncio.sleep(0)
    await watching_ended(keeper)
    assert starts(tmp_path) == 1


async def test_one_that_ends_with_an_error_is_not_started_again(keeper: EngineKeeper, tmp_path: Path) -> None:
    process, start = engine("1")
    RestartMark(tmp_path).leave(7350)
    keeper.reported(start)
    await asyncio.sleep(0)
    end(process)
    await watching_ended(keeper)
    assert starts(tmp_path) == 1


async def test_one_that_is_killed_at_every_start_is_started_with_growing_delays(
    keeper: EngineKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "FIRST_DELAY", 0.01)
    process, start = engine(code=KILLED)
    RestartMark(tmp_path).leave(7350)
    keeper.reported(start)
    end(process)

    async def thrice() -> bool:
        return starts(tmp_path) >= 3

    await eventually("it is started again and again", thrice)
    RestartMark(tmp_path).remove()
    await watching_ended(keeper)


async def test_a_successor_goes_on_watching(tmp_path: Path) -> None:
    kept: dict[str, int] = {}
    reaper = Reaper()
    process, start = engine()
    RestartMark(tmp_path).leave(7350)
    first = EngineKeeper(tmp_path, reaper, lambda name, descriptor: kept.update({name: os.dup(descriptor)}))
    first.reported(start)
    await asyncio.sleep(0)
    first.close()
    second = EngineKeeper(tmp_path, reaper, lambda _name, _descriptor: None)
    second.inherit(kept)
    await asyncio.sleep(0)
    assert second.pid == process.pid
    end(process)
    await watching_ended(second)
    assert starts(tmp_path) == 1


def test_only_an_engine_in_the_background_reports_how_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(AGAIN, raising=False)
    assert start_of_this_engine(tmp_path) is None
    monkeypatch.setenv(AGAIN, "new")
    start = start_of_this_engine(tmp_path)
    assert start is not None
    assert (start.pid, start.env[AGAIN]) == (os.getpid(), "new")
