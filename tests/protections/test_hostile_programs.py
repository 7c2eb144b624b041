"""A program that hangs, forks, ignores SIGTERM or prints a gigabyte costs its own check a reason and nobody else anything."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.protections.contract import run
from tests.protections.test_program import outcome_of, program, python
from tests.support.eventually import eventually, wait_until
from tests.support.processes import assert_none_left, descendants, is_alive, marked, new_mark
from tests.support.stalls import measured_stalls

from setpoint.model.checks import Outcome
from setpoint.programs import runner
from setpoint.protections.program import ProgramProtection

MEGABYTE = 1024 * 1024

ESCAPES = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setpgid(0, 0)
            time.sleep(1000)
        os._exit(0)
print("escaped", flush=True)
"""


async def test_descendants_that_left_group_and_session_end_at_the_time_out() -> None:
    mark = new_mark()
    result = await outcome_of(python(ESCAPES + "time.sleep(1000)", timeout=800, env=mark))
    assert result.outcome is Outcome.UNAVAILABLE
    assert result.reason == "timed out after 800ms and was ended; its last line: escaped"
    assert_none_left(mark, within=0)


async def test_a_daemon_that_keeps_the_output_open_does_not_hold_the_check_up() -> None:
    mark = new_mark()
    start = time.monotonic()
    result = await outcome_of(program("sh", "-c", "setsid sleep 1000 & echo started it", env=mark))
    assert (result.outcome, result.reason) == (Outcome.PASSING, "started it")
    assert time.monotonic() - start < 3
    assert_none_left(mark, within=0)


LATE_WRITER = """
import os, time
if os.fork() == 0:
    time.sleep(0.2)
    print("late", flush=True)
    time.sleep(99)
print("answer", flush=True)
os._exit(1)
"""


async def test_what_a_daemon_writes_after_the_program_is_no_reason() -> None:
    mark = new_mark()
    result = await outcome_of(python(LATE_WRITER, env=mark))
    assert (result.outcome, result.reason) == (Outcome.BLOCKING, "answer")
    assert_none_left(mark, within=0)


async def test_a_program_that_ignores_sigterm_is_killed_after_a_grace() -> None:
    mark = new_mark()
    start = time.monotonic()
    result = await outcome_of(program("sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout=500, env=mark))
    assert "timed out after 500ms" in result.reason
    assert time.monotonic() - start < 4
    assert_none_left(mark, within=0)


async def test_a_stopped_program_is_ended_too() -> None:
    mark = new_mark()
    result = await outcome_of(program("sh", "-c", "kill -STOP $$", timeout=500, env=mark))
    assert "timed out" in result.reason
    assert_none_left(mark, within=0)


async def test_a_crowd_of_processes_that_go_on_forking_is_ended() -> None:
    mark = new_mark()
    code = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        end = time.time() + 60
        while time.time() < end:
            if os.fork():
                os._exit(0)
            time.sleep(0.01)
        os._exit(0)
print("spread", flush=True)
time.sleep(1000)
"""
    result = await outcome_of(python(code, timeout=800, env=mark))
    assert "its last line: spread" in result.reason
    assert_none_left(mark, within=0)


GIGABYTE = """
import os
block = (b"x" * 99 + b"\\n") * 10_000
for _ in range(1100):
    os.write(1, block)
os.write(1, b"enough now\\n")
os._exit(1)
"""


async def test_a_gigabyte_of_output_costs_the_engine_little_and_stalls_nobody() -> None:
    await outcome_of(program("true"))  # what starting any program costs at first is not the output's
    before = psutil.Process().memory_info().rss
    start = time.monotonic()
    async with measured_stalls() as stalls:
        result = await outcome_of(python(GIGABYTE, timeout=60_000))
    growth = (psutil.Process().memory_info().rss - before) / MEGABYTE
    print(f"1.1 GB in {time.monotonic() - start:.1f} s, engine grew by {growth:.1f} MB, worst stall {stalls.worst * 1000:.0f} ms")
    assert (result.outcome, result.reason) == (Outcome.BLOCKING, "enough now")
    assert len(result.output) < 66_000
    assert result.output.startswith("[1099")
    assert growth <= 50
    assert stalls.worst < 0.1


async def test_a_gigabyte_per_second_without_end_is_cut_off_at_the_time_out() -> None:
    mark = new_mark()
    async with measured_stalls() as stalls:
        result = await outcome_of(program("yes", "no end", timeout=700, env=mark))
    assert result.reason.startswith("timed out after 700ms and was ended; its last line: ")
    assert stalls.worst < 0.1
    assert_none_left(mark, within=0)


async def test_one_that_hangs_does_not_delay_another() -> None:
    hanging = asyncio.create_task(outcome_of(program("sleep", "1000", timeout=3000)))
    start = time.monotonic()
    results = await asyncio.gather(*(outcome_of(program("echo", str(number))) for number in range(10)))
    assert [result.reason for result in results] == [str(number) for number in range(10)]
    assert time.monotonic() - start < 2.5
    assert not hanging.done()
    await hanging


async def test_cancelling_twice_still_ends_everything() -> None:
    mark = new_mark()
    task = asyncio.create_task(ProgramProtection().run("operation-1", python(ESCAPES + "time.sleep(1000)", env=mark)))
    await eventually(lambda: len(marked(mark)) >= 4)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_none_left(mark)
    await eventually(lambda: not descendants())


async def test_a_supervisor_that_is_killed_takes_the_program_with_it() -> None:
    mark = new_mark()
    task = asyncio.create_task(run(ProgramProtection(), program("sleep", "1000", env=mark)))
    await eventually(lambda: marked(mark))
    (child,) = marked(mark)
    os.kill(child.ppid(), signal.SIGKILL)
    result = await task
    assert result.outcome is Outcome.UNAVAILABLE
    assert "supervising it is gone" in result.reason
    assert_none_left(mark)


async def test_a_supervisor_that_is_stuck_is_given_up_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ENDING", 0.3)
    mark = new_mark()
    task = asyncio.create_task(run(ProgramProtection(), program("sleep", "1000", timeout=500, env=mark)))
    await eventually(lambda: marked(mark))
    os.kill(marked(mark)[0].ppid(), signal.SIGSTOP)
    result = await task
    assert result.outcome is Outcome.UNAVAILABLE
    assert "did not answer in time" in result.reason
    assert_none_left(mark)


async def test_an_engine_that_can_start_no_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    result = await outcome_of(program("true"))
    assert result.outcome is Outcome.UNAVAILABLE
    assert "true could not be started" in result.reason


ENGINE = """
import asyncio, sys
from setpoint.model.checks import CheckDefinition
from setpoint.programs import runner
from setpoint.protections.program import ProgramProtection
options = {"command": [sys.executable, "-c", sys.argv[1]]}
check = CheckDefinition("p", "program", "s", options, env={"SETPOINT_TEST_MARK": sys.argv[2]})
asyncio.run(ProgramProtection().run("operation-1", check))
"""


def test_an_engine_killed_with_9_leaves_no_check_behind() -> None:
    mark = new_mark()
    with subprocess.Popen([sys.executable, "-c", ENGINE, ESCAPES + "time.sleep(1000)", *mark.values()]) as engine:
        wait_until(lambda: len(marked(mark)) >= 4)
        engine.kill()
    assert_none_left(mark)


async def test_a_hundred_checks_at_one_moment_do_not_stop_the_engine() -> None:
    """One start takes the loop some milliseconds; a hundred in a row were more than a second."""
    await outcome_of(program("true"))
    worst: list[float] = []
    while len(worst) < 4 and min(worst, default=1.0) >= 0.25:  # other work on the machine only adds
        async with measured_stalls() as stalls:
            results = await asyncio.gather(*(outcome_of(program("true")) for _ in range(100)))
        assert {result.outcome for result in results} == {Outcome.PASSING}
        worst.append(stalls.worst)
    assert min(worst) < 0.25


async def test_starting_is_quick() -> None:
    """A check costs little more than its program: the supervisor is up in a few hundredths of a second."""
    await outcome_of(program("true"))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        await outcome_of(program("true"))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.15


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_file_stays_open(tmp_path: Path) -> None:
    await outcome_of(program("true"))
    before = open_files()
    for command in (["true"], ["./nosuch"], ["sh", "-c", "exit 9"]):
        await outcome_of(program(*command, directory=tmp_path))
    await eventually(lambda: open_files() <= before)
    assert not [process for process in descendants() if is_alive(process)]
