"""Replicas outlive the engine and their supervisor, are recognised again, and end with everything they started."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.runtimes.helpers import (
    INSTANCE,
    eventually,
    is_settled,
    leaders_of,
    processes_of,
    run_processes_of,
    settled,
    spec,
    supervision_of,
)

from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.runtimes.process import ProcessRuntime, shutdown
from setpoint.runtimes.process import client as client_module
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.ports import free_port, listen


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


async def kill_supervision(home: Path) -> None:
    """Both together: neither is left to start the other again."""
    await kill_together(*supervision_of(home))


async def kill_together(*victims: psutil.Process) -> None:
    for process in victims:
        process.suspend()
    for process in victims:
        kill(process)
    await gone(*victims)


def has_ended(process: psutil.Process) -> bool:
    """Whether all of its threads did: until then they hold its sockets, though the process is a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


async def gone(*processes: psutil.Process) -> None:
    async def ended() -> bool:
        return not any(process.is_running() and not has_ended(process) for process in processes)

    await eventually(f"{processes} ended", ended)


async def test_another_engine_recognises_what_runs(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    before = await settled(processes, wanted)
    pids = {process.pid for process in leaders_of(home)}
    successor = ProcessRuntime({}, home)
    assert await successor.observe(INSTANCE, wanted) == before
    await successor.apply("op/1", wanted)
    await successor.apply("op/2", wanted)
    assert {process.pid for process in leaders_of(home)} == pids


async def test_a_killed_replica_is_started_again_and_missed_until_then(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec("1", "--slow-start", "0.3", replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    victim, other = leaders_of(home)
    kill(victim)

    async def missed() -> bool:
        seen = await processes.observe(INSTANCE, wanted)
        assert not seen.difference
        return not is_settled(seen, wanted)

    await eventually("it is missed", missed)
    seen = await settled(processes, wanted)
    assert len(seen.objects) == 2
    after = {process.pid for process in leaders_of(home)}
    assert other.pid in after
    assert victim.pid not in after
    assert len(after) == 2


async def test_a_new_supervisor_takes_over_without_a_duplicate(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec(replicas=3)
    await processes.apply("op/1", wanted)
    address = (await settled(processes, wanted)).links["address"]
    pids = {process.pid for process in leaders_of(home)}
    await kill_supervision(home)

    seen = await processes.observe(INSTANCE, wanted)
    assert not seen.complete
    assert seen.difference
    assert {o.digest for o in seen.objects} == {wanted.digest}
    assert {process.pid for process in leaders_of(home)} == pids, "observing starts nothing"

    await processes.apply("op/2", wanted)
    seen = await settled(processes, wanted)
    assert seen.links["address"] == address
    assert {process.pid for process in leaders_of(home)} == pids
    async with httpx2.AsyncClient() as client:
        assert {int((await client.get(f"{address}/pid")).text) for _ in range(12)} == pids
    kill(leaders_of(home)[0])  # the adopted are looked after like its own

    async def replaced() -> bool:
        running = {process.pid for process in leaders_of(home)}
        return len(running) == 3 and running != pids

    await eventually("it is started again", replaced)


async def test_a_killed_supervisor_comes_back_by_itself(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    address = (await settled(processes, wanted)).links["address"]
    pids = {process.pid for process in leaders_of(home)}
    for _ in range(2):
        guardian, supervisor = supervision_of(home)
        kill(supervisor)
        await gone(supervisor)
        assert (await settled(processes, wanted)).links["address"] == address
        assert supervision_of(home)[0] == guardian
        assert {process.pid for process in leaders_of(home)} == pids
    async with httpx2.AsyncClient() as client:
        assert int((await client.get(f"{address}/pid")).text) in pids


async def test_a_supervisor_that_hangs_is_unreachable_not_empty(home: Path, processes: ProcessRuntime, monkeypatch) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    monkeypatch.setattr(client_module, "_ANSWER", 0.2)
    _, supervisor = supervision_of(home)
    supervisor.suspend()
    with pytest.raises(Unreachable):
        await processes.observe(INSTANCE, spec())
    with pytest.raises(TransientError):
        await processes.apply("op/2", spec("2"))
    supervisor.resume()
    monkeypatch.undo()
    await processes.apply("op/2", spec("2"))
    await settled(processes, spec("2"))


async def test_killed_at_any_moment_of_a_replacement_it_ends_without_duplicates(home: Path, processes: ProcessRuntime) -> None:
    """Supervisors are killed again and again while versions change; in the end just the last one runs, once."""
    chance = random.Random(7)
    await processes.apply("op/0", spec("0", replicas=2))
    for number in range(1, 7):
        wanted = spec(str(number), replicas=2)
        await processes.apply(f"op/{number}", wanted)
        await asyncio.sleep(chance.uniform(0, 0.3))
        everyone = supervision_of(home)
        for process in everyone if number % 2 else everyone[1:]:
            kill(process)
        await processes.apply(f"op/{number}/again", wanted)
    await settled(processes, wanted)

    async def two() -> bool:
        return len(run_processes_of(home)) == 2

    await eventually("just the two replicas run", two)


async def test_replicas_that_died_with_their_supervisor_are_started_anew(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    await kill_together(*supervision_of(home), *leaders_of(home))
    seen = await processes.observe(INSTANCE, wanted)
    assert seen.objects == ()
    assert not seen.complete
    assert seen.message == "nothing runs"
    await processes.apply("op/2", wanted)
    assert len((await settled(processes, wanted)).objects) == 2
    assert len(leaders_of(home)) == 2


async def test_a_supervisor_killed_in_the_middle_of_a_replacement_is_continued(home: Path, processes: ProcessRuntime) -> None:
    old, new = spec("1", replicas=2), spec("2", "--slow-start", "0.3", replicas=2)
    await processes.apply("op/1", old)
    await settled(processes, old)
    await processes.apply("op/2", new)

    async def both() -> bool:
        return len(leaders_of(home)) == 3

    await eventually("one of the new version was started", both)
    await kill_supervision(home)
    await processes.apply("op/2", new)
    await settled(processes, new)

    async def two() -> bool:
        return len(leaders_of(home)) == 2

    await eventually("no duplicate is left", two)


async def test_a_number_that_another_process_got_is_not_taken_for_a_replica(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec()
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    await kill_together(*supervision_of(home), *leaders_of(home))
    place = Home(home)
    record = place.read(INSTANCE)
    assert record is not None
    record.replicas[0].pid = os.getpid()  # alive, and not ours
    place.write(record)
    assert (await processes.observe(INSTANCE, wanted)).objects == ()
    await processes.apply("op/2", wanted)
    await settled(processes, wanted)
    [replica] = leaders_of(home)
    assert replica.pid != os.getpid()


async def test_stopping_is_graceful(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec("1", command=["sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done"], health=None)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    await shutdown(home)
    lines = [line.text async for line in processes.logs(INSTANCE)]
    assert lines[-1] == "bye"


async def test_what_ignores_the_signal_and_what_left_the_group_is_killed_after_the_stop_timeout(
    home: Path, processes: ProcessRuntime
) -> None:
    wanted = spec("1", "--ignore-term", "--children", stopTimeout="400ms")
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    everything = run_processes_of(home)
    assert len(everything) == 4
    assert len({os.getsid(process.pid) for process in everything}) == 3
    await processes.remove("op/2", INSTANCE)
    await gone(*everything)


async def test_what_a_crashed_replica_leaves_behind_ends_before_it_is_started_again(
    home: Path, processes: ProcessRuntime
) -> None:
    wanted = spec("1", "--children", stopTimeout="300ms")
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    before = run_processes_of(home)
    kill(leaders_of(home)[0])
    await gone(*before)

    async def again() -> bool:
        return len(run_processes_of(home)) == 4

    await eventually("it runs again, once", again)


async def test_a_daemon_without_our_mark_ends_with_the_shutdown(home: Path, processes: ProcessRuntime, tmp_path: Path) -> None:
    note = tmp_path / "daemon.pid"
    daemon = f"echo $$ > {note}; exec sleep 600"
    hidden = ["sh", "-c", f"env -i setsid sh -c '{daemon}' & exec sleep 600"]
    wanted = spec("1", command=hidden, health=None)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    found = psutil.Process(int(note.read_text()))
    kill(run_processes_of(home)[0])  # now it is an orphan
    await shutdown(home)
    await gone(found)


async def test_a_crash_loop_is_visible(processes: ProcessRuntime) -> None:
    wanted = spec("1", "--crash-after", "0.1", health=None)
    await processes.apply("op/1", wanted)

    async def told() -> bool:
        seen = await processes.observe(INSTANCE, wanted)
        assert not is_settled(seen, wanted)
        return any("exited with 3 (3 times so far); its last line: out of luck" in o.message for o in seen.objects)

    await eventually("exit code, restarts and last line", told)


async def test_a_replica_that_cannot_be_started_says_why(processes: ProcessRuntime) -> None:
    wanted = spec("1", command=["/no/such/program"])
    await processes.apply("op/1", wanted)

    async def told() -> bool:
        seen = await processes.observe(INSTANCE, wanted)
        return any("No such file or directory: /no/such/program" in o.message and o.healthy is False for o in seen.objects)

    await eventually("why", told)


async def test_the_supervisor_has_nothing_of_the_engines(home: Path, processes: ProcessRuntime, monkeypatch) -> None:
    monkeypatch.setenv("SETPOINT_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with (home / "engine.db").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        wanted = spec(env={"COLOUR": "blue"})
        await processes.apply("op/1", wanted)
        address = (await settled(processes, wanted)).links["address"]
    guardian, supervisor = supervision_of(home)
    assert os.getsid(supervisor.pid) != os.getsid(0)
    assert guardian.ppid() != os.getpid()
    assert not [file for file in supervisor.open_files() if file.path == str(home / "engine.db")]
    assert supervisor.terminal() is None
    async with httpx2.AsyncClient() as client:
        environment = (await client.get(f"{address}/env")).json()["env"]
    assert environment["COLOUR"] == "blue"
    assert environment["SETPOINT_INSTANCE"] == INSTANCE
    assert environment["SETPOINT_REPLICA"] == "web-1"
    assert "secret" not in json.dumps(environment)
    supervisor.send_signal(signal.SIGINT)  # as from a terminal
    assert (await settled(processes, wanted)).links["address"] == address
    assert supervision_of(home) == (guardian, supervisor)


async def test_a_shutdown_is_carried_through_by_whoever_is_there(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec("1", "--ignore-term", stopTimeout="500ms", replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    ending = asyncio.create_task(shutdown(home))

    async def under_way() -> bool:
        return all(not o.active for o in (await processes.observe(INSTANCE, wanted)).objects)

    await eventually("it drains", under_way)
    supervision_of(home)[1].send_signal(signal.SIGTERM)
    await ending
    assert processes_of(home) == []


async def followed(home: Path, former: psutil.Process) -> tuple[psutil.Process, psutil.Process]:
    """Guardian and supervisor once another one serves."""

    async def another() -> tuple[psutil.Process, psutil.Process] | None:
        try:
            guardian, supervisor = supervision_of(home)
        except (KeyError, ValueError):  # one of them is just being started
            return None
        return (guardian, supervisor) if supervisor != former else None

    found: tuple[psutil.Process, psutil.Process] = await eventually("another supervisor serves", another)
    return found


class Callers:
    """Clients at the stable address, some that stay connected and some that connect for each request."""

    def __init__(self, address: str, count: int = 4) -> None:
        self.address = address
        self.served = 0
        self.failed: list[str] = []
        self._tasks = [asyncio.create_task(self._call(keep=number % 2 == 0)) for number in range(count)]

    async def _call(self, *, keep: bool) -> None:
        async with httpx2.AsyncClient(timeout=20, limits=httpx2.Limits(max_keepalive_connections=1 if keep else 0)) as client:
            while True:
                try:
                    assert (await client.get(f"{self.address}/slow?0.02")).status_code == 200
                    self.served += 1
                except httpx2.HTTPError as error:
                    self.failed.append(repr(error))

    async def more(self, count: int = 20) -> None:
        """Wait until so many more requests were served."""
        wanted = self.served + count

        async def served() -> bool:
            return self.served >= wanted

        await eventually("requests are served", served)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def callers(home: Path, processes: ProcessRuntime) -> AsyncIterator[Callers]:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    made = Callers((await settled(processes, wanted)).links["address"])
    await made.more()
    yield made
    await made.stop()


async def test_ended_by_hand_the_supervisor_hands_over_and_no_request_fails(home: Path, callers: Callers) -> None:
    pids = {process.pid for process in leaders_of(home)}
    for _ in range(3):
        guardian, supervisor = supervision_of(home)
        supervisor.send_signal(signal.SIGTERM)
        assert (await followed(home, supervisor))[0] == guardian
        await callers.more()
        await gone(supervisor)
    assert callers.failed == []
    assert {process.pid for process in leaders_of(home)} == pids


async def test_the_port_stays_open_while_a_killed_supervisor_is_followed_by_the_next(home: Path, callers: Callers) -> None:
    """Only the requests under way are lost: no connection is refused."""
    for _ in range(3):
        _, supervisor = supervision_of(home)
        kill(supervisor)
        await followed(home, supervisor)
        await callers.more()
    assert not [error for error in callers.failed if "ConnectError" in error]


async def test_a_killed_guardian_is_started_again_by_its_supervisor(home: Path, callers: Callers) -> None:
    for _ in range(2):
        guardian, supervisor = supervision_of(home)
        kill(guardian)

        async def again(former: psutil.Process = guardian) -> bool:
            try:
                return supervision_of(home)[0] != former
            except ValueError:
                return False

        await eventually("a guardian runs", again)
        assert supervision_of(home)[1] == supervisor
        kill(supervisor)  # what the new guardian was given lasts
        await followed(home, supervisor)
        await callers.more()
    assert not [error for error in callers.failed if "ConnectError" in error]


async def test_a_guardian_killed_in_the_middle_of_a_handover_leaves_one_supervisor(home: Path, callers: Callers) -> None:
    chance = random.Random(11)
    for _ in range(5):
        guardian, supervisor = supervision_of(home)
        supervisor.send_signal(signal.SIGTERM)
        await asyncio.sleep(chance.uniform(0, 0.06))
        kill(guardian)
        await followed(home, supervisor)
        await callers.more()
        await gone(guardian, supervisor)
    await followed(home, supervisor)
    assert not [error for error in callers.failed if "ConnectError" in error]


async def test_a_guardian_ended_by_hand_ends_both_and_what_runs_goes_on(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    pids = {process.pid for process in leaders_of(home)}
    guardian, supervisor = supervision_of(home)
    guardian.send_signal(signal.SIGTERM)
    await gone(guardian, supervisor)
    await processes.apply("op/2", wanted)
    await settled(processes, wanted)
    assert {process.pid for process in leaders_of(home)} == pids


async def test_an_engine_that_listens_starts_both_again(home: Path, processes: ProcessRuntime, callers: Callers) -> None:
    changes = processes.changes()
    assert isinstance(changes, AsyncGenerator)
    await anext(changes)
    _, supervisor = supervision_of(home)
    reading = asyncio.ensure_future(anext(changes))
    await kill_supervision(home)
    await followed(home, supervisor)
    await callers.more()
    assert await reading == INSTANCE
    await changes.aclose()


async def test_the_address_is_kept_over_versions_removals_aside(home: Path, processes: ProcessRuntime) -> None:
    first = spec("1")
    await processes.apply("op/1", first)
    address = (await settled(processes, first)).links["address"]
    await processes.apply("op/2", spec("2"))
    assert (await settled(processes, spec("2"))).links["address"] == address
    await shutdown(home)
    seen = await processes.observe(INSTANCE, spec("2"))
    assert seen.objects == ()
    await processes.apply("op/3", spec("2"))
    assert (await settled(processes, spec("2"))).links["address"] == address


async def test_the_address_takes_the_port_that_is_asked_for(processes: ProcessRuntime) -> None:
    port = free_port(set())
    await processes.apply("op/1", spec("1", port=port))
    assert (await settled(processes, spec("1", port=port))).links["address"] == f"http://127.0.0.1:{port}"


async def test_a_port_that_somebody_else_has_is_worth_another_try(processes: ProcessRuntime) -> None:
    port = free_port(set())
    with listen(port, set()):
        with pytest.raises(TransientError, match=str(port)):
            await processes.apply("op/1", spec("1", port=port))
        assert (await processes.observe(INSTANCE, spec("1", port=port))).objects == ()
    await processes.apply("op/1", spec("1", port=port))
    await settled(processes, spec("1", port=port))


async def test_an_address_that_somebody_took_meanwhile_is_missed_and_taken_back(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec()
    await processes.apply("op/1", wanted)
    address = (await settled(processes, wanted)).links["address"]
    [replica] = leaders_of(home)
    await kill_supervision(home)
    with listen(int(address.rpartition(":")[2]), set()):
        await processes.apply("op/2", wanted)

        async def told() -> bool:
            seen = await processes.observe(INSTANCE, wanted)
            assert not seen.complete
            return "cannot be had" in seen.message

        await eventually("the lack is told", told)
        assert leaders_of(home) == [replica]
    assert (await settled(processes, wanted)).links["address"] == address


async def test_applied_again_while_it_is_taken_down_it_comes_back(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec("1", "--ignore-term", stopTimeout="300ms")
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    for number in range(4):
        await processes.remove(f"op/{number}/remove", INSTANCE)
        await asyncio.sleep(0.11 * number)
        await processes.apply(f"op/{number}/apply", wanted)
        await settled(processes, wanted)

    async def one() -> bool:
        return len(run_processes_of(home)) == 1

    await eventually("one replica runs", one)


async def test_a_deep_home_is_no_trouble(home: Path) -> None:
    deep = home / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    runtime = ProcessRuntime({}, deep)
    await runtime.apply("op/1", spec())
    await settled(runtime, spec())
    await shutdown(deep)
    assert processes_of(deep) == []


def store(home: Path, **files: bytes) -> dict[str, str]:
    (home / "files").mkdir(exist_ok=True)
    named = {}
    for name, content in files.items():
        key = sha256(content).hexdigest()
        (home / "files" / key).write_bytes(content)
        named[f"service/{name}"] = key
    return named


async def test_files_of_a_version_are_laid_out_for_it(home: Path, processes: ProcessRuntime) -> None:
    files = store(home, run=b"#!/bin/sh\ncat words; pwd; exec sleep 600\n", words=b"of version 1\n")
    wanted = spec("1", command=["./run"], directory="service", files=files, health=None)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    said, directory = [line.text async for line in processes.logs(INSTANCE)]
    assert said == "of version 1"
    assert Path(directory).name == "service"
    (Path(directory) / "words").write_text("scribbled\n")
    assert (home / "files" / files["service/words"]).read_bytes() == b"of version 1\n"


async def test_a_file_that_is_missing_or_damaged_fails_for_good(home: Path, processes: ProcessRuntime) -> None:
    files = store(home, words=b"right")
    with pytest.raises(TerminalError, match="not in the store"):
        await processes.apply("op/1", spec(files={"service/other": "0" * 64}, directory="service"))
    (home / "files" / files["service/words"]).write_bytes(b"wrong")
    with pytest.raises(TerminalError, match="damaged"):
        await processes.apply("op/1", spec(files=files, directory="service"))
    with pytest.raises(TerminalError, match="does not lie below"):
        await processes.apply("op/1", spec(files={"../words": files["service/words"]}, directory="service"))
    with pytest.raises(TerminalError, match="does not exist"):
        await processes.apply("op/1", spec(directory="/no/such/directory"))


async def test_a_mutable_directory_is_used_as_it_is(processes: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(directory=str(tmp_path), mutable=True)
    await processes.apply("op/1", wanted)
    address = (await settled(processes, wanted)).links["address"]
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{address}/env")).json()["cwd"] == str(tmp_path)


async def test_usage_is_shown_aside_from_observations(processes: ProcessRuntime) -> None:
    assert await processes.usage(INSTANCE) == ()
    wanted = spec(replicas=2)
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    used = await processes.usage(INSTANCE)
    assert [usage.replica for usage in used] == ["web-1", "web-2"]
    assert all(usage.memory > 1_000_000 for usage in used)


async def test_a_supervisor_with_nothing_to_do_ends_by_itself(home: Path, processes: ProcessRuntime) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await processes.remove("op/2", INSTANCE)

    async def ended() -> bool:
        return processes_of(home) == []

    await eventually("it ended", ended, within=30)
    place = Home(home)
    assert [path for kind in (place.instances, place.logs) for path in kind.iterdir()] == []
    assert [version for instance in place.trees.iterdir() for version in instance.iterdir()] == []


async def test_a_damaged_record_holds_nobody_else_up(home: Path, processes: ProcessRuntime) -> None:
    await processes.apply("op/1", spec())
    await settled(processes, spec())
    await shutdown(home)
    broken = Home(home).record_of("shop/broken@staging")
    broken.write_text("{")
    await processes.apply("op/2", spec())
    await settled(processes, spec())
    assert broken.with_suffix(".damaged").exists()
