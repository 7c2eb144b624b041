"""Logs of replicas: their end, what is added while somebody follows, and the cap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.runtimes.helpers import INSTANCE, settled, spec

from setpoint.plugins.runtime import LogLine
from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.logs import last_lines, log_file, prune, read, rotate, written


def write(directory: Path, replica: str, text: str) -> None:
    with log_file(directory, replica).open("a") as file:
        file.write(text)


async def collect(directory: Path, *names: str, lines: int = 100) -> list[str]:
    return [f"{line.replica}: {line.text}" async for line in read(directory, lambda: list(names), lines=lines, follow=False)]


async def test_the_last_lines_of_each_replica(tmp_path: Path) -> None:
    write(tmp_path, "web-1", "a\nb\nc\n")
    write(tmp_path, "web-2", "d\nunfinished")
    assert await collect(tmp_path, "web-1", "web-2", lines=2) == ["web-1: b", "web-1: c", "web-2: d", "web-2: unfinished"]
    assert await collect(tmp_path, "web-3") == []
    assert await collect(tmp_path, "web-1", lines=0) == []


async def test_many_long_lines_and_broken_characters(tmp_path: Path) -> None:
    log_file(tmp_path, "web-1").write_bytes(b"x" * 200_000 + b"\n" + b"\xff\xfe\r\n" + b"y" * 70_000 + b"\n")
    lines = last_lines(tmp_path, "web-1", 2)
    assert lines[0] == "\ufffd\ufffd"
    assert len(lines[1]) == 16 * 1024


async def test_following_shows_what_is_added_and_what_comes_new(tmp_path: Path) -> None:
    write(tmp_path, "web-1", "old\n")
    seen: asyncio.Queue[LogLine] = asyncio.Queue()

    async def follow() -> None:
        async for line in read(tmp_path, lambda: written(tmp_path), lines=10, follow=True):
            seen.put_nowait(line)

    async def next_text() -> str:
        return (await asyncio.wait_for(seen.get(), 5)).text

    following = asyncio.create_task(follow())
    assert await next_text() == "old"
    write(tmp_path, "web-1", "half ")
    write(tmp_path, "web-1", "line\n")
    assert await next_text() == "half line"
    write(tmp_path, "web-2", "another replica\n")
    assert await next_text() == "another replica"
    rotate(tmp_path, cap=3)
    write(tmp_path, "web-1", "z\n")
    assert await next_text() == "z"
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


def test_a_log_is_capped_and_its_former_end_still_read(tmp_path: Path) -> None:
    write(tmp_path, "web-1", "".join(f"line {number:03}\n" for number in range(100)))
    rotate(tmp_path, cap=90)
    assert log_file(tmp_path, "web-1").stat().st_size == 0
    write(tmp_path, "web-1", "after\n")
    assert last_lines(tmp_path, "web-1", 3) == ["line 098", "line 099", "after"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100


def test_logs_of_replicas_long_gone_are_forgotten(tmp_path: Path) -> None:
    for number in range(15):
        write(tmp_path, f"web-{number}", "x\n")
    prune(tmp_path, living={"web-0"}, keep=3)
    assert len(written(tmp_path)) == 4
    assert "web-0" in written(tmp_path)


async def test_what_a_replica_that_is_gone_wrote_is_read_by_its_name(processes: ProcessRuntime) -> None:
    for version in ("1", "2"):
        await processes.apply(f"op/{version}", spec(version))
        await settled(processes, spec(version))
    assert [line.text async for line in processes.logs(INSTANCE)] == ["2 starts"]
    assert [line.text async for line in processes.logs(INSTANCE, replica="web-1")] == ["1 starts"]
