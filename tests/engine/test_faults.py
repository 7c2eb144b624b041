"""The store, tasks and the custom runtime's memory while the disk refuses one write after the other: nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.engine.hosts import make
from tests.engine.toy import Outside, tell
from tests.support.eventually import eventually
from tests.support.faults import ERRORS, faults

from setpoint.core.instructions import RunTask
from setpoint.engine.embedded import EmbeddedEngine, host
from setpoint.engine.errors import EngineError
from setpoint.engine.tasks import TaskRunner
from setpoint.model.spec import Spec, Version, Workload
from setpoint.model.tasks import TaskDefinition, TaskEnd
from setpoint.runtimes.memory import Memory
from setpoint.store.port import StoreError, sha256_of

_connect = sqlite3.connect
SPEC = Spec("saas/web@production", "local", Version("1.0"), Workload("process", {"command": ["web"]})).sealed()


class Failing:
    """Statements that write are counted, and some of them find the disk full."""

    def __init__(self, first: int, count: int) -> None:
        self.calls = 0
        self._range = range(first, first + count)

    def __call__(self, statement: str) -> None:
        if statement.startswith(("SELECT", "PRAGMA", "ROLLBACK", "WITH", "\nWITH")):
            return
        self.calls += 1
        if self.calls in self._range:
            raise sqlite3.OperationalError("database or disk is full")


@contextmanager
def failing(first: int, count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    meet = Failing(first, count)

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            meet(statement)
            return super().execute(statement, *values)

        def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
            meet(statement)
            return super().executemany(statement, *values)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *given, **named: _connect(*given, **{"factory": Connection, **named}))
        yield meet


async def _started(home: Path) -> EmbeddedEngine:
    """As a person starts it again who reads that the disk is full."""
    for _ in range(20):
        engine = make(home, Outside())
        try:
            return await engine.__aenter__()
        except (EngineError, StoreError):
            await asyncio.sleep(0)
    raise AssertionError("it never started")


async def _until_done(call: Any) -> Any:
    for _ in range(200):
        try:
            return await call()
        except (EngineError, StoreError):
            await asyncio.sleep(0.005)
    raise AssertionError("it never was done")


async def _live(engine: EmbeddedEngine) -> None:
    for number in range(3):
        fact = tell(f"m{number}", ("send", "toy:b", tell(f"from a {number}")), ("record", f"line {number}"))
        await _until_done(lambda n=number, f=fact: engine.post("toy:a", f, dedup=f"key {n}"))
    content, documents, kept = engine.store.content, engine.store.documents, engine.store.records
    await _until_done(lambda: content.put([SPEC], [b"content"]))
    await _until_done(lambda: documents.save({"a.yaml": b"a: 1\n"}, at=1, person="ada"))
    await _until_done(lambda: kept.put("kind", "key", 1))
    await _until_done(lambda: kept.append("audit", 1, "line"))
    await eventually(lambda: engine.health().status == "serving" and not engine.health().queued, every=0.005)


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.nightly), 3])
async def test_no_statement_that_fails_loses_or_doubles_anything(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_RECOVER", 0.005)
    first, calls = 1, 2
    while first <= calls:
        home = tmp_path / str(first)
        with failing(first, count, monkeypatch) as disk:
            engine = await _started(home)
            try:
                await _live(engine)
            finally:
                await engine.__aexit__(None, None, None)
        calls, first = disk.calls, first + count
        async with make(home, Outside()) as again:
            assert (await again.read("toy:a")).story == ("m0", "m1", "m2")
            assert (await again.read("toy:b")).story == ("from a 0", "from a 1", "from a 2")
            assert [line.event.text for line in reversed(await again.store.history.lines())] == ["line 0", "line 1", "line 2"]
            assert await again.store.content.spec(SPEC.digest) == SPEC
            assert await again.store.content.file(sha256_of(b"content")) == b"content"
            assert await again.store.documents.load(1) == {"a.yaml": b"a: 1\n"}
            assert [line for _, _, line in await again.store.records.tail("audit", str)] == ["line"]
            assert again.problems() == {}


async def test_a_task_whose_record_cannot_be_written_is_tried_again_and_ends(tmp_path: Path) -> None:
    definition = TaskDefinition("t", "program", "organization", {"command": ["/bin/sh", "-c", f"echo x >> {tmp_path}/ran"]})
    first, calls = 1, 2
    while first <= calls:
        (tmp_path / "ran").write_text("")
        home = tmp_path / str(first)
        with faults(first, 1, ERRORS[first % len(ERRORS)]) as disk:
            result = None
            for _ in range(3):
                try:
                    result = await TaskRunner(home, {}).run("task:shop/migrate#k#1", RunTask("op/1", definition))
                    break
                except OSError:
                    continue
        calls, first = disk.calls, first + 1
        assert result is not None
        assert result.end is TaskEnd.SUCCEEDED
        assert TaskRunner(home, {}).last("task:shop/migrate#k#1") == result
        assert (tmp_path / "ran").read_text() in {"x\n", "x\nx\n"}, "an end that was not written down is unseen: it runs again"


def test_what_a_custom_runtime_applied_is_remembered_whole_or_not_at_all(tmp_path: Path) -> None:
    first, calls = 1, 2
    while first <= calls:
        memory = Memory(tmp_path / str(first))
        with faults(first, 1, ERRORS[first % len(ERRORS)]) as disk:
            for operation in ("op/1", "op/2"):
                try:
                    memory.remember(operation, SPEC)
                except OSError:
                    memory.remember(operation, SPEC)
        calls, first = disk.calls, first + 1
        applied = memory.read(SPEC.instance)
        assert applied is not None
        assert list(dict.fromkeys(applied.operations)) == ["op/1", "op/2"]
