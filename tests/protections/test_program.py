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
from tests.support.users import USER, needs_users

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.exits import ExitCodes
from setpoint.model.exits import outcome_of as meaning_of
from setpoint.programs.users import account_of
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
        return program("sh", "-c", "exit 75")

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return program("./not-there")

    @pytest.fixture
    def hanging(self) -> CheckDefinition:
        return program("sh", "-c", "echo working; sleep 1000 & sleep 1000")


async def test_the_last_line_written_is_the_reason() -> None:
    result = await outcome_of(program("sh", "-c", "echo first; echo second >&2; echo; echo '  '; exit 1"))
    assert result == CheckResult(Outcome.BLOCKING, "second", "first\nsecond\n\n  \n", 1)


async def test_a_reason_is_free_of_colours_and_control_characters() -> None:
    result = await outcome_of(program("printf", r"\033[31mred\033[0m \007alert\ttab \342\200\256evil"))
    assert result.reason == "red alert tab evil"


async def test_a_reason_is_short() -> None:
    assert len((await outcome_of(python("print('x' * 5000)"))).reason) == 300


async def test_output_that_is_not_utf8_is_shown_anyway() -> None:
    assert (await outcome_of(program("printf", r"caf\351"))).reason == "caf\N{REPLACEMENT CHARACTER}"


async def test_silence_gets_a_reason_too() -> None:
    assert (await outcome_of(program("true"))).reason == "exit 0, without output"
    assert (await outcome_of(program("false"))).reason == "exit 1; it wrote nothing"


CODES = range(256)


def meant(code: int) -> Outcome:
    """The table of the design, written down once more: 0, 126, 127, 75, 129 to 159, and all others."""
    table = {0: Outcome.PASSING, 75: Outcome.UNAVAILABLE, 126: Outcome.MISCONFIGURED, 127: Outcome.MISCONFIGURED}
    return Outcome.UNAVAILABLE if 129 <= code <= 159 else table.get(code, Outcome.BLOCKING)


def test_each_exit_code_has_its_meaning() -> None:
    assert {code: meaning_of(code, ExitCodes()) for code in CODES} == {code: meant(code) for code in CODES}


@pytest.mark.parametrize("fail", [None, (), (1,), (3, 22, 75, 126, 137)])
@pytest.mark.parametrize("unavailable", [(), (2,), (1, 127, 200)])
def test_exit_codes_come_before_the_exceptions(fail: tuple[int, ...] | None, unavailable: tuple[int, ...]) -> None:
    for code in CODES:
        usual = meant(code) if fail is None or meant(code) is not Outcome.BLOCKING else Outcome.UNAVAILABLE
        named = Outcome.BLOCKING if code in (fail or ()) else Outcome.UNAVAILABLE if code in unavailable else usual
        assert meaning_of(code, ExitCodes(fail, unavailable)) is named, code


@pytest.mark.parametrize("number", sorted(signal.valid_signals()))
def test_a_signal_is_unavailable_unless_its_code_is_named(number: int) -> None:
    assert meaning_of(-number, ExitCodes()) is Outcome.UNAVAILABLE
    assert meaning_of(-number, ExitCodes(fail=(1,))) is Outcome.UNAVAILABLE
    assert meaning_of(-number, ExitCodes(fail=(128 + number,))) is Outcome.BLOCKING


@pytest.mark.parametrize("code", [2, 5, 7, 22, 74, 75, 76, 126, 127, 128, 129, 137, 159, 160, 255])
async def test_a_program_that_exits_gets_the_result_of_its_code(code: int) -> None:
    result = await outcome_of(program("sh", "-c", f"echo oops; exit {code}"))
    assert (result.outcome, result.code) == (meant(code), code)
    assert result.reason.startswith(f"exit {code}")
    assert result.reason.endswith("; its last line: oops")


async def test_set_e_and_a_failing_command_fail() -> None:
    result = await outcome_of(program("sh", "-c", "set -e; echo HTTP 500 >&2; (exit 22); echo never"))
    assert (result.outcome, result.reason) == (Outcome.BLOCKING, "exit 22; its last line: HTTP 500")


async def test_exit_137_of_a_shell_is_unavailable() -> None:
    """The check's command was killed – by the kernel, for its memory –, and the shell around it lives to report that."""
    result = await outcome_of(program("sh", "-c", "sh -c 'kill -KILL $$'; code=$?; echo Killed; exit $code"))
    assert (result.outcome, result.code) == (Outcome.UNAVAILABLE, 137)
    assert result.reason == "exit 137, which a shell reports of signal SIGKILL (9); its last line: Killed"


async def test_a_code_of_the_checks_own_fails_and_a_crash_does_not() -> None:
    codes = {"exitCodes": {"fail": [10], "unavailable": [11]}}
    ends = {10: Outcome.BLOCKING, 11: Outcome.UNAVAILABLE, 1: Outcome.UNAVAILABLE, 127: Outcome.MISCONFIGURED}
    for code, outcome in ends.items():
        check = definition("program", {"command": ["sh", "-c", f"exit {code}"], **codes})
        assert (await outcome_of(check)).outcome is outcome, code


@pytest.mark.parametrize(
    ("codes", "wrong"),
    [
        ({"fail": [0]}, "0 always passes"),
        ({"fail": [256]}, "256 is not an exit code"),
        ({"unavailable": [-9]}, "-9 is not an exit code"),
        ({"fail": [3], "unavailable": [3]}, "3 stands in `fail` and in `unavailable`"),
        ({"fail": "x"}, "exitCodes: "),
    ],
)
async def test_codes_that_cannot_be_are_misconfigured(codes: dict[str, Any], wrong: str) -> None:
    result = await outcome_of(definition("program", {"command": ["true"], "exitCodes": codes}))
    assert result.outcome is Outcome.MISCONFIGURED
    assert wrong in result.reason


async def test_a_signal_is_unavailable_and_named() -> None:
    result = await outcome_of(program("sh", "-c", "echo boom; kill -SEGV $$"))
    assert (result.outcome, result.code) == (Outcome.UNAVAILABLE, -11)
    assert result.reason == "ended by signal SIGSEGV (11); its last line: boom"


async def test_a_timeout_and_what_cannot_start_have_no_code() -> None:
    assert (await outcome_of(program("sleep", "99", timeout=300))).code is None
    assert (await outcome_of(program("./not-there"))).code is None


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
        ({"command": "./check --now"}, "no shell splits it"),
        ({"command": []}, "names no program"),
        ({"command": ["a", {"b": 1}]}, "command[1] must be text, not a map"),
        ({"command": ["a", "b\0c"]}, "NUL"),
        ({"command": ["a"], "directory": "checks"}, "directory must be an absolute path"),
        ({"command": ["a"], "user": []}, "user must be text, not a list"),
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


@needs_users
async def test_a_program_runs_as_its_user_with_the_home_of_that_user() -> None:
    script = 'echo "$(id -un) $USER $LOGNAME $HOME $MORE"'
    check = definition("program", {"command": ["sh", "-c", script], "user": USER}, env={"MORE": "more"})
    assert (await outcome_of(check)).reason == f"{USER} {USER} {USER} {account_of(USER).home} more"


@needs_users
async def test_a_program_that_is_closed_to_its_user_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "closed").write_text("#!/bin/sh\n")
    (tmp_path / "closed").chmod(0o700)
    result = await outcome_of(definition("program", {"command": [str(tmp_path / "closed")], "user": USER}))
    assert result.outcome is Outcome.MISCONFIGURED
    assert f"the user {USER} may not execute {tmp_path}/closed" in result.reason


async def test_a_user_that_is_not_there_is_a_mistake_of_the_configuration() -> None:
    result = await outcome_of(definition("program", {"command": ["true"], "user": "no-such-user"}))
    assert result.outcome is Outcome.MISCONFIGURED
    assert 'the user "no-such-user" does not exist on this machine' in result.reason
