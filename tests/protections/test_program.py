"""Programs of the user's own: what they are given, and what their end means."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.program import ProgramProtection


def program(*command: str, directory: Path | None = None, **more: Any) -> CheckDefinition:
    place = {"directory": str(directory)} if directory else {}
    return definition("program", {"command": list(command)} | place, **more)


def python(code: str, **more: Any) -> CheckDefinition:
    return program(sys.executable, "-c", code, **more)


async def outcome_of(check: CheckDefinition) -> CheckResult:
    return await run(ProgramProtection(), check)


class TestProgramProtection(ProtectionContract, MayTakeLong):
    protection = ProgramProtection()

    @pytest.fixture
    def passing(self) -> CheckDefinition:
        return program("echo", "all good")

    @pytest.fixture
    def blocking(self) -> CheckDefinition:
        return program("sh", "-c", "echo too hot; exit 1")

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return program("sh", "-c", "exit 3")

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return program("./not-there")

    @pytest.fixture
    def hanging(self) -> CheckDefinition:
        return program("sh", "-c", "echo working; sleep 1000 & sleep 1000")


async def test_the_last_line_written_is_the_reason() -> None:
    result = await outcome_of(program("sh", "-c", "echo first; echo second >&2; echo; echo '  '; exit 1"))
    assert result == CheckResult(Outcome.BLOCKING, "second", "first\nsecond\n\n  \n")


async def test_a_reason_is_free_of_colours_and_control_characters() -> None:
    result = await outcome_of(program("printf", r"\033[31mred\033[0m \007alert\ttab \342\200\256evil"))
    assert result.reason == "red alert tab evil"


async def test_a_reason_is_short() -> None:
    assert len((await outcome_of(python("print('x' * 5000)"))).reason) == 300


async def test_output_that_is_not_utf8_is_shown_anyway() -> None:
    assert (await outcome_of(program("printf", r"caf\351"))).reason == "caf\N{REPLACEMENT CHARACTER}"


async def test_silence_gets_a_reason_too() -> None:
    assert (await outcome_of(program("true"))).reason == "exit 0, without a word"
    assert "print a reason" in (await outcome_of(program("false"))).reason


@pytest.mark.parametrize("code", [2, 126, 127, 255])
async def test_any_other_exit_code_is_unavailable(code: int) -> None:
    result = await outcome_of(program("sh", "-c", f"echo oops; exit {code}"))
    assert result.outcome is Outcome.UNAVAILABLE
    assert result.reason == f"exit {code}, where 0 is passing and 1 is blocking; its last line: oops"


async def test_a_signal_is_unavailable_and_named() -> None:
    result = await outcome_of(program("sh", "-c", "echo boom; kill -SEGV $$"))
    assert result.outcome is Outcome.UNAVAILABLE
    assert result.reason == "ended by signal SIGSEGV (11); its last line: boom"


async def test_output_up_to_the_time_out_is_kept_even_what_the_end_wrote() -> None:
    result = await outcome_of(
        program("sh", "-c", "trap 'echo was told to stop; exit 0' TERM; echo at 80%; sleep 99", timeout=1000)
    )
    assert result.outcome is Outcome.UNAVAILABLE
    assert "at 80%" in result.output
    assert result.reason == "timed out after 1s and was ended; its last line: was told to stop"


class TestWhatCannotStart:
    async def test_a_program_that_is_not_there(self, tmp_path: Path) -> None:
        result = await outcome_of(program("./check-migrations", directory=tmp_path))
        assert result.outcome is Outcome.MISCONFIGURED
        assert result.reason.startswith(f"./check-migrations in {tmp_path} not found")

    async def test_a_program_that_is_not_on_the_path(self) -> None:
        result = await outcome_of(program("no-such-program-anywhere"))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "no-such-program-anywhere not found" in result.reason

    async def test_a_file_that_is_not_executable(self, tmp_path: Path) -> None:
        (tmp_path / "check").write_text("#!/bin/sh\n")
        result = await outcome_of(program("./check", directory=tmp_path))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "not executable: chmod +x" in result.reason

    async def test_a_script_without_a_first_line(self, tmp_path: Path) -> None:
        (tmp_path / "check").write_text("echo hello\n")
        (tmp_path / "check").chmod(0o755)
        result = await outcome_of(program("./check", directory=tmp_path))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "#!/bin/sh" in result.reason

    async def test_an_interpreter_that_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "check").write_text("#!/opt/nosuch/python\n")
        (tmp_path / "check").chmod(0o755)
        result = await outcome_of(program("./check", directory=tmp_path))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "interpreter" in result.reason

    async def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        result = await outcome_of(program("true", directory=tmp_path / "gone"))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "directory" in result.reason
        assert "gone" in result.reason

    async def test_arguments_longer_than_the_system_takes(self) -> None:
        result = await outcome_of(program("true", "x" * 3_000_000))
        assert result.outcome is Outcome.MISCONFIGURED
        assert "Argument list too long" in result.reason

    async def test_an_environment_that_cannot_be(self) -> None:
        assert (await outcome_of(program("true", env={"A=B": "c"}))).outcome is Outcome.MISCONFIGURED


class TestWhatItIsGiven:
    async def test_a_clean_environment_and_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SETPOINT_ADMIN_TOKEN", "secret")
        monkeypatch.setenv("PYTHONPATH", "/engine")
        monkeypatch.setenv("TZ", "Europe/Berlin")
        result = await outcome_of(program("/usr/bin/env", env={"SETPOINT_CHANNEL": "acme", "LANG": "de_DE.UTF-8"}))
        given = dict(line.partition("=")[::2] for line in result.output.splitlines())
        assert set(given) == {"PATH", "HOME", "LANG", "TZ", "SETPOINT_CHANNEL"}
        assert (given["SETPOINT_CHANNEL"], given["LANG"], given["TZ"]) == ("acme", "de_DE.UTF-8", "Europe/Berlin")

    async def test_the_path_of_the_check_finds_the_program(self, tmp_path: Path) -> None:
        (tmp_path / "own-check").write_text("#!/bin/sh\necho found\n")
        (tmp_path / "own-check").chmod(0o755)
        assert (await outcome_of(program("own-check", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}))).reason == "found"

    async def test_the_facts_as_json_on_standard_input(self) -> None:
        facts = {"version": "1.4.2", "channel": "zürich", "labels": {"a": [1, None]}}
        assert json.loads((await outcome_of(program("cat", facts=facts))).output) == facts

    async def test_facts_that_nobody_reads_trouble_nobody(self) -> None:
        assert (await outcome_of(program("echo", "ok", facts={"big": "x" * 5_000_000}))).reason == "ok"

    async def test_facts_larger_than_any_pipe_arrive_whole(self) -> None:
        assert (await outcome_of(program("wc", "-c", facts={"big": "x" * 5_000_000}))).reason == "5000011"

    async def test_its_directory(self, tmp_path: Path) -> None:
        assert (await outcome_of(program("pwd", "-P", directory=tmp_path))).reason == str(tmp_path)

    async def test_no_files_but_the_three_and_no_ignored_signals(self) -> None:
        with tempfile.TemporaryFile() as opened:
            os.set_inheritable(opened.fileno(), True)
            result = await outcome_of(program("sh", "-c", "ls /proc/$$/fd; exec grep -E 'Sig(Blk|Ign)' /proc/self/status"))
        *files, blocked, ignored = result.output.split("\n")[:-1]
        assert files == ["0", "1", "2"]
        assert int(blocked.split()[1], 16) == 0
        # 32 and 33 are the C library's own; what make starts has them ignored, and no program can change that.
        assert int(ignored.split()[1], 16) & sum(1 << (number - 1) for number in signal.valid_signals()) == 0

    async def test_a_session_of_its_own(self) -> None:
        code = "import os; print(os.getsid(0) == os.getpid() == os.getpgrp())"
        assert (await outcome_of(python(code))).reason == "True"

    async def test_arguments_as_they_are_without_a_shell(self) -> None:
        assert (await outcome_of(program("echo", "$HOME; `id` *", "ü"))).reason == "$HOME; `id` * ü"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "command is missing"),
        ({"command": "./check --now"}, "there is no shell"),
        ({"command": []}, "names no program"),
        ({"command": ["a", {"b": 1}]}, "command[1] must be text, not a map"),
        ({"command": ["a", "b\0c"]}, "NUL"),
        ({"command": ["a"], "directory": "checks"}, "directory must be an absolute path"),
        ({"command": ["a"], "directoy": "/x"}, "did you mean directory?"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    mistakes = ProgramProtection().validate(options)
    assert len(mistakes) == 1
    assert sentence in mistakes[0]


def test_lookups_may_be_unresolved() -> None:
    assert ProgramProtection().validate({"command": "${with.command}", "directory": "${constants.place}"}) == []


async def test_numbers_in_argv_become_text() -> None:
    check = definition("program", {"command": ["echo", 1, 2.5]})
    assert (await outcome_of(check)).reason == "1 2.5"


async def test_a_signal_without_a_name_is_shown_by_number() -> None:
    result = await outcome_of(program("sh", "-c", f"kill -{signal.SIGRTMIN + 3} $$"))
    assert result.reason.startswith(f"ended by signal {signal.SIGRTMIN + 3}")
