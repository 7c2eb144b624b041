"""Logs of replicas: their end, what is added while somebody follows, and the cap."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtimes.helpers import INSTANCE, eventually, settled, spec

from setpoint.durable.bounded_logs import CAP, predecessor
from setpoint.plugins.runtime import LogLine
from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.logs import last_lines, log_file, prune, read, rotate_all


def write(directory: Path, replica: str, text: str) -> None:
    with log_file(directory, replica).open("a") as file:
        file.write(text)


def names_in(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob("*.log"))


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
        async for line in read(tmp_path, lambda: names_in(tmp_path), lines=10, follow=True):
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
    rotate_all(tmp_path, cap=3)
    write(tmp_path, "web-1", "z\n")
    assert await next_text() == "z"
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


def test_a_log_is_capped_and_its_former_end_still_read(tmp_path: Path) -> None:
    write(tmp_path, "web-1", "".join(f"line {number:03}\n" for number in range(100)))
    rotate_all(tmp_path, cap=90)
    assert log_file(tmp_path, "web-1").stat().st_size == 0
    write(tmp_path, "web-1", "after\n")
    assert last_lines(tmp_path, "web-1", 3) == ["line 098", "line 099", "after"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100


def test_logs_of_replicas_long_gone_are_forgotten(tmp_path: Path) -> None:
    gone = [f"web-{number}" for number in range(1, 15)]
    for name in ("web-0", *gone, "stray"):
        write(tmp_path, name, "x\n")
    assert prune(tmp_path, {"web-0"}, gone, keep=3) == {"web-12", "web-13", "web-14"}
    assert names_in(tmp_path) == ["web-0", "web-12", "web-13", "web-14"]


@given(sizes=st.lists(st.integers(0, 40), max_size=12), keep=st.integers(1, 6), most=st.integers(0, 100))
def test_logs_of_the_gone_are_bounded_in_number_and_bytes_and_the_last_is_always_kept(sizes, keep: int, most: int) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        gone = [f"web-{number}" for number in range(len(sizes))]
        for replica, size in zip(gone, sizes, strict=True):
            write(directory, replica, "x" * size)
        kept = prune(directory, set(), gone, keep=keep, most=most)
        assert set(names_in(directory)) == kept == set(gone[len(gone) - len(kept) :])
        assert len(kept) <= keep
        assert len(kept) == 1 or sum(sizes[len(sizes) - len(kept) :]) <= most or not gone
        assert bool(kept) == bool(gone)


async def test_the_replicas_of_a_version_that_is_gone_are_listed_and_read_by_name(processes: ProcessRuntime) -> None:
    assert await processes.logged(INSTANCE) == ()
    for version in ("1", "2"):
        await processes.apply(f"op/{version}", spec(version))
        await settled(processes, spec(version))

    async def gone() -> bool:
        return any(not one.running for one in await processes.logged(INSTANCE))

    await eventually("the former replica is gone", gone)
    former, present = await processes.logged(INSTANCE)
    assert (former.name, former.version, former.running) == ("web-1", "1", False)
    assert (present.name, present.version, present.running) == ("web-2", "2", True)
    assert former.at
    assert [line.text async for line in processes.logs(INSTANCE)] == ["2 starts"]
    assert [line.text async for line in processes.logs(INSTANCE, replica="web-1")] == ["1 starts"]


async def test_how_a_replica_that_failed_ended_is_kept(processes: ProcessRuntime) -> None:
    bad = spec("1", "--crash-after", "0.05")
    await processes.apply("op/1", bad)

    async def crashed() -> bool:
        return any("exited with 3" in one.message for one in (await processes.observe(INSTANCE, bad)).objects)

    await eventually("it crashed", crashed)
    await processes.apply("op/2", spec("2"))
    await settled(processes, spec("2"))

    async def listed() -> bool:
        return any((one.version, one.ended) == ("1", "exited with 3") for one in await processes.logged(INSTANCE))

    await eventually("its end is listed", listed)


@pytest.mark.parametrize("replica", ["../secret", "/etc/passwd", "web-9", "web-1/../web-1", "..", "web-1.log"])
async def test_a_replica_that_is_not_recorded_is_no_path(home: Path, processes: ProcessRuntime, replica: str) -> None:
    await processes.apply("op/1", spec("1"))
    await settled(processes, spec("1"))
    (home / "runtimes" / "local" / "logs" / "secret.log").write_text("secret\n")
    assert [line async for line in processes.logs(INSTANCE, replica=replica)] == []


async def test_the_log_of_a_supervisor_is_cut_while_it_runs(home: Path, processes: ProcessRuntime) -> None:
    await processes.apply("op/1", spec("1"))
    await settled(processes, spec("1"))
    log = Home(home).journal
    with log.open("ab") as file:
        file.write(b"x" * CAP + b"last line\n")

    async def cut() -> bool:
        return log.stat().st_size < CAP

    await eventually("the log is cut", cut)
    assert predecessor(log).stat().st_size == CAP
    assert predecessor(log).read_bytes().endswith(b"last line\n")
