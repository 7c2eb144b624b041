"""The contract of the runner for all that use it: what a program is given, what is kept of it, and what is left of it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.eventually import eventually, wait_until
from tests.support.processes import assert_none_left, marked, new_mark

from setpoint.programs import runner
from setpoint.programs.runner import Program, ProgramResult, run_program

SECOND = 1000


async def run(*command: str, timeout: int = 30 * SECOND, **more: Any) -> ProgramResult:  # noqa: ASYNC109 - the runner keeps it
    more.setdefault("env", {"PATH": os.defpath})
    return await run_program(Program(list(command), **more), timeout)


async def python(code: str, **more: Any) -> ProgramResult:
    return await run(sys.executable, "-I", "-c", code, **more)


class TestWhatIsGiven:
    async def test_the_environment_is_exactly_what_was_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SETPOINT_TOKEN", "secret")
        assert (await run("/usr/bin/env", env={"A": "1", "B": "two words"})).stdout == b"A=1\nB=two words\n"

    async def test_the_mark_reaches_the_supervising_process_alone(self) -> None:
        ended = await run(
            "sh", "-c", "tr '\\0' '\\n' < /proc/$PPID/environ; echo; env", mark={"MARK": "1"}, env={"PATH": "/bin:/usr/bin"}
        )
        above, _, own = ended.output.partition("\n\n")
        assert "MARK=1" in above
        assert "MARK" not in own

    async def test_no_shell_reads_the_arguments(self, tmp_path: Path) -> None:
        arguments = ["$HOME", "*", f"; touch {tmp_path / 'made'}", "a  b"]
        assert (await run("printf", "%s\\n", *arguments)).output.splitlines() == arguments
        assert not (tmp_path / "made").exists()

    async def test_standard_input_larger_than_a_pipe_arrives_whole(self) -> None:
        assert (await run("wc", "-c", stdin="ä" * 1_000_000)).output.strip() == "2000000"

    async def test_standard_input_that_is_not_read_holds_nothing_up(self) -> None:
        assert (await run("echo", "ok", stdin="x" * 5_000_000)).stdout == b"ok\n"

    async def test_its_directory(self, tmp_path: Path) -> None:
        assert (await run("pwd", "-P", directory=str(tmp_path))).output.strip() == str(tmp_path)

    async def test_no_descriptor_but_the_three(self) -> None:
        assert (await run("sh", "-c", "ls /proc/$$/fd")).output.split() == ["0", "1", "2"]


class TestWhatIsKept:
    async def test_standard_error_is_part_of_the_output_in_order(self) -> None:
        ended = await run("sh", "-c", "echo one; echo two >&2; echo three")
        assert (ended.stdout, ended.stderr) == (b"one\ntwo\nthree\n", b"")

    async def test_standard_error_can_be_kept_apart(self) -> None:
        ended = await run("sh", "-c", "echo one; echo two >&2; echo three", separate=True)
        assert (ended.stdout, ended.stderr) == (b"one\nthree\n", b"two\n")
        assert ended.last_line == "two"

    @pytest.mark.parametrize("separate", [False, True])
    async def test_the_last_bytes_are_kept_and_the_others_counted(self, separate: bool) -> None:
        ended = await python("print('x' * 3_000_000); print('the end')", keep=1000, separate=separate)
        assert len(ended.stdout) == 1000
        assert ended.stdout.endswith(b"x\nthe end\n")
        assert ended.dropped == 3_000_009 - 1000
        assert ended.output.startswith("[2999009 bytes before this were dropped]\n")

    async def test_exactly_as_much_as_is_kept_loses_nothing(self) -> None:
        ended = await python("print('x' * 999)", keep=1000)
        assert (len(ended.stdout), ended.dropped) == (1000, 0)

    async def test_each_output_has_its_own_bound(self) -> None:
        ended = await python("import sys; print('o' * 99_999); print('e' * 99_999, file=sys.stderr)", keep=500, separate=True)
        assert (ended.stdout, ended.stderr) == (b"o" * 499 + b"\n", b"e" * 499 + b"\n")

    async def test_what_is_not_text_comes_back_as_it_is(self) -> None:
        assert (await run("printf", "\\377\\000\\n.{")).stdout == b"\xff\x00\n.{"


class TestHowItEnded:
    @pytest.mark.parametrize("code", [0, 1, 42, 255])
    async def test_the_exit_code(self, code: int) -> None:
        ended = await run("sh", "-c", f"exit {code}")
        assert (ended.how, ended.code, ended.left) == ("ended", code, 0)

    async def test_a_signal(self) -> None:
        ended = await run("sh", "-c", "kill -9 $$")
        assert (ended.how, ended.code) == ("ended", -signal.SIGKILL)

    @pytest.mark.parametrize(
        ("command", "directory", "stage", "number"),
        [
            (["/no/such/program"], "", "program", errno.ENOENT),
            (["no-such-program"], "", "program", errno.ENOENT),
            (["/etc/passwd"], "", "program", errno.EACCES),
            (["true"], "/no/such/directory", "directory", errno.ENOENT),
            (["true", "x" * 3_000_000], "", "program", errno.E2BIG),
        ],
    )
    async def test_one_that_its_author_must_correct(self, command: list[str], directory: str, stage: str, number: int) -> None:
        ended = await run(*command, directory=directory)
        assert (ended.how, ended.stage, ended.errno) == ("not-started", stage, number)
        assert ended.permanent
        assert ended.start_error == os.strerror(number)

    async def test_a_machine_that_starts_no_process_is_not_the_authors_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        ended = await run("true")
        assert (ended.how, ended.stage, ended.permanent) == ("not-started", "supervision", False)

    async def test_a_report_that_is_none_is_a_loss(self) -> None:
        for report in (b"", b"[]", b"7", b'{"how": "ended", "split": []}', b'{"how": "well"}', b"\xff"):
            assert runner._decode(report, b"tail").how == "lost"


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("SIGTERM", flush=True))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


class TestTime:
    async def test_first_sigterm_then_sigkill(self) -> None:
        mark = new_mark()
        began = time.monotonic()
        ended = await python(STUBBORN, timeout=500, env=mark)
        assert ended.how == "timeout"
        assert ended.output.splitlines() == ["ready", "SIGTERM"]
        assert 1.4 < time.monotonic() - began < 5
        assert_none_left(mark, within=0)

    async def test_one_that_heeds_sigterm_does_not_wait_for_sigkill(self) -> None:
        began = time.monotonic()
        assert (await run("sleep", "1000", timeout=300)).how == "timeout"
        assert time.monotonic() - began < 1.2

    async def test_a_shell_gets_it_before_its_children_and_does_not_report_their_end(self) -> None:
        for _ in range(5):
            assert (await run("sh", "-c", "echo half; sleep 60 & sleep 60", timeout=300)).stdout == b"half\n"


DAEMON = "setsid sleep 1000 & sleep 1000 & echo $!; "


class TestDescendants:
    @pytest.mark.parametrize("rest", ["exit 0", "exit 3", "kill -9 $$", "sleep 1000"])
    async def test_none_is_left_however_it_ends(self, rest: str) -> None:
        mark = new_mark()
        ended = await run("sh", "-c", DAEMON + rest, timeout=700, env={"PATH": os.defpath, **mark})
        assert (ended.how, ended.left) == ("timeout" if "sleep" in rest else "ended", 0)
        assert_none_left(mark, within=0)

    async def test_daemons_may_go_on_after_its_end(self) -> None:
        mark = new_mark()
        began = time.monotonic()
        ended = await run("sh", "-c", DAEMON, daemons=True, env={"PATH": os.defpath, **mark})
        assert ended.how == "ended"
        assert time.monotonic() - began < 5
        await eventually(lambda: [process.name() for process in marked(mark)] == ["sleep", "sleep"])
        for process in marked(mark):
            process.kill()

    async def test_of_daemons_the_timeout_ends_those_in_its_session(self) -> None:
        mark = new_mark()
        ended = await run("sh", "-c", DAEMON + "sleep 1000", daemons=True, timeout=500, env={"PATH": os.defpath, **mark})
        assert (ended.how, ended.left) == ("timeout", 0)
        (left,) = marked(mark)
        assert os.getsid(left.pid) == left.pid
        left.kill()

    @pytest.mark.parametrize("daemons", [False, True])
    async def test_cancelling_ends_it(self, daemons: bool) -> None:
        mark = new_mark()
        task = asyncio.create_task(run("sh", "-c", "sleep 1000 & sleep 1000", daemons=daemons, env={"PATH": os.defpath, **mark}))
        await eventually(lambda: len(marked(mark)) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_none_left(mark, within=0)


ENGINE = """
import asyncio, sys
from setpoint.programs.runner import Program, run_program
command, daemons, mark = ["sh", "-c", "sleep 1000 & sleep 1000"], sys.argv[1] == "daemons", sys.argv[2]
asyncio.run(run_program(Program(command, {"PATH": "/usr/bin:/bin", "SETPOINT_TEST_MARK": mark}, daemons=daemons), 60_000))
"""


@pytest.mark.parametrize("kind", ["daemons", "none"])
def test_it_ends_with_an_engine_that_is_killed(kind: str) -> None:
    mark = new_mark()
    with subprocess.Popen([sys.executable, "-c", ENGINE, kind, *mark.values()]) as engine:
        wait_until(lambda: len(marked(mark)) == 3)
        engine.kill()
    assert_none_left(mark)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_descriptor_and_no_process_is_left_here() -> None:
    await run("true")
    before = open_files()
    for command in (["true"], ["/no/such/program"], ["sh", "-c", "exit 9"], ["sleep", "5"]):
        await run(*command, timeout=300)
    await eventually(lambda: open_files() <= before)
    assert not psutil.Process().children()
