"""The embedded engine and its data directory: who may use it, and what happens when it is damaged or full."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.crashes import Child
from tests.engine.hosts import database_of, make
from tests.engine.recordings import comes_to_its_state
from tests.engine.toy import Outside, tell
from tests.support.eventually import eventually, wait_until
from tests.support.processes import assert_none_left, new_mark

from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.embedded.clock import OFFSET_VARIABLE, host_clock
from setpoint.engine.embedded.failpoints import VARIABLE, Failpoints
from setpoint.engine.errors import AlreadyRunning, EngineDegraded, EngineStopped
from setpoint.store.port import StoreDamaged
from setpoint.store.sqlite.schema import MIGRATIONS


async def story(engine: EmbeddedEngine, entity: str) -> tuple[str, ...]:
    state = await engine.read(entity)
    return state.story if state is not None else ()


async def test_a_second_engine_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    mark = new_mark()
    child = Child("tests.engine.hosts:make", tmp_path / "home", mark)
    assert child.until("serving")
    with pytest.raises(AlreadyRunning, match=f"process {child.process.pid} since 20"):
        async with make(tmp_path / "home", Outside()):
            pass
    assert child.end() == 0
    assert_none_left(mark)
    async with make(tmp_path / "home", Outside()) as engine:
        assert engine.health().status == "serving"


async def test_somebody_who_asks_whether_an_engine_runs_keeps_none_from_starting(tmp_path: Path) -> None:
    glance = os.open(tmp_path / "engine.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(glance, fcntl.LOCK_SH)
    asking = threading.Timer(0.05, os.close, (glance,))
    asking.start()
    async with make(tmp_path, Outside()) as engine:
        assert engine.health().status == "serving"
    asking.join()


async def test_the_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    async with make(tmp_path / "new" / "home", Outside()):
        assert stat.S_IMODE((tmp_path / "new" / "home").stat().st_mode) == 0o700


async def test_an_engine_that_has_stopped_accepts_nothing(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        pass
    with pytest.raises(EngineStopped):
        await engine.post("toy:a", tell("late"))
    assert engine.health().status == "stopped"


async def test_serve_runs_until_it_is_cancelled_and_lets_go_of_the_directory(tmp_path: Path) -> None:
    engine = make(tmp_path, Outside())
    serving = asyncio.create_task(engine.serve())
    await eventually(lambda: engine.health().status == "serving")
    await engine.post("toy:a", tell("here"))
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    async with make(tmp_path, Outside()) as again:
        await eventually(lambda: again.health().queued == 0)
        assert await story(again, "toy:a") == ("here",)


@pytest.mark.parametrize("entity", ["", "toy", "toy:", ":a"])
async def test_what_is_no_entity_id_is_refused(tmp_path: Path, entity: str) -> None:
    async with make(tmp_path, Outside()) as engine:
        with pytest.raises(ValueError, match="is not an entity"):
            await engine.post(entity, tell("hello"))
        await engine.post("toy:a", tell("fine"))


async def test_text_that_is_no_unicode_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        with pytest.raises(UnicodeEncodeError):
            await engine.post("toy:a", tell("\ud800"))
        await engine.post("toy:a", tell("fine"))
        await eventually(lambda: engine.health().queued == 0)
        assert await story(engine, "toy:a") == ("fine",)


# --- damage


async def test_a_damaged_journal_is_refused_saying_what_to_do_and_left_as_it_was(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        await engine.post("toy:a", tell("here"))
    path = tmp_path / "setpoint.db"
    damaged = b"not a database at all" * 100
    path.write_bytes(damaged)
    with pytest.raises(StoreDamaged, match=r"setpoint\.db cannot be used: file is not a database.*backup"):
        async with make(tmp_path, Outside()):
            pass
    assert path.read_bytes() == damaged


async def test_damage_in_the_middle_of_the_journal_is_found_at_the_start(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        await engine.post_all((f"toy:{number}", tell("x" * 200, ("record", "y" * 200))) for number in range(300))
    path = tmp_path / "setpoint.db"
    with path.open("r+b") as file:
        for page in range(3, path.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    with pytest.raises(StoreDamaged, match="cannot be used"):
        async with make(tmp_path, Outside()):
            pass


async def test_a_journal_of_a_newer_setpoint_is_refused(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()):
        pass
    connection = sqlite3.connect(tmp_path / "setpoint.db")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreDamaged, match="start the newer one"):
        async with make(tmp_path, Outside()):
            pass


async def test_a_state_that_cannot_be_read_costs_its_own_entity_only_and_is_kept(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        for key in "ab":
            await engine.post(f"toy:{key}", tell("here"))
        await eventually(lambda: engine.health().queued == 0)
    connection = sqlite3.connect(tmp_path / "setpoint.db")
    good = connection.execute("SELECT state FROM actor WHERE entity = 'toy:a'").fetchone()[0]
    connection.execute("UPDATE actor SET state = x'ff' WHERE entity = 'toy:a'")
    connection.commit()
    async with make(tmp_path, Outside()) as engine:
        await engine.post("toy:a", tell("meanwhile"))
        await engine.post("toy:b", tell("more"))
        await eventually(lambda: engine.health().queued == 0)
        assert "cannot be read" in engine.problem("toy:a")
        assert await story(engine, "toy:b") == ("here", "more")
    assert connection.execute("SELECT state FROM actor WHERE entity = 'toy:a'").fetchone()[0] == b"\xff"
    connection.execute("UPDATE actor SET state = ? WHERE entity = 'toy:a'", (good,))
    connection.commit()
    connection.close()
    async with make(tmp_path, Outside()) as engine:
        await eventually(lambda: engine.health().queued == 0)
        assert await story(engine, "toy:a") == ("here", "meanwhile")
        assert not engine.problem("toy:a")


# --- a full disk


def room_left(path: Path) -> bool:
    found = os.statvfs(path)
    return found.f_bavail > 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


async def post_on_and_on(engine: EmbeddedEngine, entity: str, accepted: list[str]) -> None:
    """Until the engine accepts no more."""
    for number in range(2000):
        await engine.post(entity, tell(f"m{number}", ("record", "x" * 20_000)))
        accepted.append(f"m{number}")


async def full_and_emptied(engine: EmbeddedEngine, fill: object, empty: object, outside: Outside) -> None:
    await engine.post("toy:a", tell("before"))
    fill()  # type: ignore[operator]
    accepted = ["before"]
    with pytest.raises(EngineDegraded, match="cannot be written"):
        await post_on_and_on(engine, "toy:a", accepted)
    assert engine.health().status == "degraded"
    assert "make room" in engine.health().reason
    with pytest.raises(EngineDegraded):
        await engine.post("toy:b", tell("no", ("apply", "never")))
    empty()  # type: ignore[operator]
    await eventually(lambda: engine.health().status == "serving")
    await engine.post("toy:a", tell("after", ("apply", "op")))

    async def applied() -> bool:
        return "applied:op:" in await story(engine, "toy:a")

    await eventually(applied)
    taken = await story(engine, "toy:a")
    assert [entry for entry in taken if not entry.startswith(("applied", "observed"))] == [*accepted, "after"]
    assert outside.applied == {"op": 1}
    assert await engine.read("toy:b") is None
    assert await comes_to_its_state(engine, "toy:a")
    assert await engine.recorded("toy:b") is None


async def test_a_full_disk_stops_new_work_loses_nothing_and_is_left_behind_by_itself(small_disk: Path) -> None:
    outside, ballast = Outside(), small_disk / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file:
            while room_left(small_disk):
                file.write(b"x" * 4096)

    async with make(small_disk / "home", outside) as engine:
        await full_and_emptied(engine, fill, ballast.unlink, outside)


async def test_an_engine_is_not_started_on_a_full_disk_and_says_so(small_disk: Path) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        while room_left(small_disk):
            file.write(b"x" * 4096)
    with pytest.raises(EngineDegraded, match=r"cannot be written: .* KB are free there.* make room"):
        async with make(small_disk / "home", Outside()):
            pass
    (small_disk / "ballast").unlink()
    async with make(small_disk / "home", Outside()) as engine:
        await engine.post("toy:a", tell("fine"))


async def test_a_journal_that_may_not_grow_is_told_like_a_full_disk(tmp_path: Path) -> None:
    outside = Outside()
    async with make(tmp_path, outside) as engine:
        connection = database_of(engine).connection

        def limit() -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 20}")

        def lift() -> None:
            connection.execute("PRAGMA max_page_count = 1000000")

        await full_and_emptied(engine, limit, lift, outside)


async def test_an_operation_that_ended_while_the_disk_was_full_is_told_afterwards_and_not_done_again(tmp_path: Path) -> None:
    outside, go = Outside(), asyncio.Event()

    async def wait(*_: object) -> None:
        await go.wait()

    outside.on_apply = wait
    async with make(tmp_path, outside) as engine:
        await engine.post("toy:a", tell("go", ("apply", "op")))
        await eventually(lambda: outside.applied["op"])
        connection = database_of(engine).connection
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(EngineDegraded):
            await post_on_and_on(engine, "toy:b", [])
        go.set()
        await eventually(lambda: not engine._operations)
        connection.execute("PRAGMA max_page_count = 1000000")
        await eventually(lambda: engine.health().status == "serving")

        async def applied() -> bool:
            return "applied:op:" in await story(engine, "toy:a")

        await eventually(applied)
        assert (await story(engine, "toy:a")).count("applied:op:") == 1
    assert outside.applied == {"op": 1}


# --- the host's clock and failpoints


@pytest.fixture
def offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "offset"
    monkeypatch.setenv(OFFSET_VARIABLE, str(path))
    return path


async def test_a_test_can_move_the_hosts_clock_by_a_file(tmp_path: Path, offset: Path) -> None:
    async with make(tmp_path / "home", Outside()) as engine:
        day = 24 * 3_600_000
        await engine.post("toy:a", tell("sleep", ("wake", engine.clock() + day)))
        await asyncio.to_thread(offset.write_text, str(day + 1))

        async def due() -> bool:
            return "due" in await story(engine, "toy:a")

        await eventually(due)


def test_an_offset_that_is_no_number_counts_as_the_last_one(offset: Path) -> None:
    read, _ = host_clock()
    monotonic = read()[1]
    offset.write_text("1000000000")
    wait_until(lambda: read()[1] >= monotonic + 1_000_000_000)
    before = read()
    offset.write_text("soon")
    assert [new - old < 60_000 for new, old in zip(read(), before, strict=True)] == [True, True]


def test_a_second_number_in_the_file_moves_the_wall_clock_alone(offset: Path) -> None:
    read, _ = host_clock()
    wall, monotonic = read()
    offset.write_text("0 -86400000")
    wait_until(lambda: read()[0] < wall - 80_000_000)
    assert monotonic <= read()[1] < monotonic + 60_000


def test_a_failpoint_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match='point "before-lunch" does not exist'):
        Failpoints.of({VARIABLE: "before-lunch:1"})
