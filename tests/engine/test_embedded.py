"""The embedded engine does what every engine must."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.engine.conformance import EngineConformance
from tests.engine.crashes import CrashConformance
from tests.engine.hosts import database_of, make, on_store
from tests.engine.recordings import comes_to_its_state
from tests.engine.toy import Outside, tell
from tests.store.memory import Disk, MemoryStore
from tests.support.eventually import eventually

from setpoint.engine.embedded import EmbeddedEngine


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns that raised are tried again after milliseconds."""
    monkeypatch.setattr("setpoint.engine.embedded.turns._RETRY_FIRST", 20)


@pytest.mark.usefixtures("soon")
class TestEmbedded(EngineConformance):
    def host(self, home: Path, outside: Outside, **options: Any) -> EmbeddedEngine:
        return make(home, outside, **options)


@pytest.mark.usefixtures("soon")
class TestEmbeddedOnAnotherStore(EngineConformance):
    """The same host on a store that is not SQLite."""

    @pytest.fixture(autouse=True)
    def _disks(self) -> None:
        self.disks: defaultdict[Path, Disk] = defaultdict(Disk)

    def host(self, home: Path, outside: Outside, **options: Any) -> EmbeddedEngine:
        return on_store(home, MemoryStore(self.disks[home]), outside, **options)


class TestEmbeddedCrashes(CrashConformance):
    maker = "tests.engine.hosts:make"


async def test_of_a_long_story_the_newest_two_chapters_stay_and_the_state_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setpoint.engine.embedded.turns.CHAPTER", 5)
    kept = []
    for start in range(0, 40, 8):
        async with make(tmp_path, Outside()) as engine:
            for number in range(start, start + 8):
                await engine.post("toy:a", tell(f"m{number}"))
                await engine.post("toy:b", tell("now and then")) if number == start else None
            await eventually(lambda: not engine.health().queued)
            recording, other = await engine.recorded("toy:a"), await engine.recorded("toy:b")
            assert recording is not None
            assert other is not None
            assert await comes_to_its_state(engine, "toy:a")
            assert await comes_to_its_state(engine, "toy:b")
            kept.append((recording.first, len(recording.turns)))
            rows = await database_of(engine).read(_turns)
            assert rows == len(recording.turns) + len(other.turns)
    assert all(first % 5 == 1 and 5 < count <= 10 for first, count in kept)
    assert kept[-1] == (31, 10)


def _turns(connection: sqlite3.Connection) -> int:
    """Rows of the table."""
    found: int = connection.execute("SELECT count(*) FROM turn").fetchone()[0]
    return found
