"""Protections that are programs of the user's own: what they are given; ``exits`` decides what their exit codes mean.

Options: ``command`` (argv list), ``directory`` (absolute; the engine's own if absent), ``exitCodes``, ``user`` (a Unix user; the
engine's own if absent).
"""

from __future__ import annotations

import errno
import json
import signal
from typing import Any

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.exits import SIGNALLED, SIGNALS, ExitCodes, outcome_of, wrong_with
from setpoint.model.time import format_duration
from setpoint.programs.environment import check_environment
from setpoint.programs.runner import Program, ProgramResult, run_program
from setpoint.programs.text import REASON_LENGTH, last_line, printable
from setpoint.programs.users import UserError, account_of
from setpoint.protections.options import Options, as_text


class ProgramProtection:
    """Runs ``command`` with the check's environment, and its facts as JSON on standard input."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port; a program that cannot be started is misconfigured, one that gave no answer unavailable."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        try:
            program = program_of(check.options, check.env, check.facts)
        except UserError as error:
            return CheckResult(Outcome.MISCONFIGURED, printable(str(error)))
        return judge(await run_program(program, check.timeout), program, check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, known={"command", "directory", "exitCodes", "user"})
        read.text("user")
        read.command("command", required=True)
        read.directory("directory")
        return [*read.wrong, *_wrong_codes(options)]


def program_of(
    options: dict[str, Any], env: dict[str, str], facts: dict[str, Any], mark: dict[str, str] | None = None
) -> Program:
    """Return what is run for options that ``validate`` accepts; ``mark`` is in its environment, and that of its supervisor.

    Raises:
        UserError: nothing can be started as the user that it names.
    """
    account = account_of(options["user"]) if options.get("user") else None
    mark = mark or {}
    return Program(
        command=[as_text(argument) for argument in options["command"]],
        env=check_environment({**(account.environment if account else {}), **env, **mark}),
        stdin=json.dumps(facts, default=str),
        directory=str(options.get("directory") or ""),
        mark=mark,
        account=account,
    )


def _wrong_codes(options: dict[str, Any]) -> list[str]:
    try:
        wrong = wrong_with(ExitCodes.of(options))
    except msgspec.ValidationError as error:
        wrong = str(error)
    return [f"exitCodes: {wrong}"] if wrong else []


def judge(ended: ProgramResult, program: Program, check: CheckDefinition) -> CheckResult:
    """Return the result of a program."""
    if ended.how == "not-started":
        return _not_started(ended, program, _shown_directory(program.directory, check.tree))
    outcome, reason = _verdict(ended, check)
    if ended.left:
        reason = f"{reason} ({ended.left} processes it started could not be ended)"
    return CheckResult(outcome, printable(reason), ended.output, ended.code if ended.how == "ended" else None)


def _verdict(ended: ProgramResult, check: CheckDefinition) -> tuple[Outcome, str]:
    line = last_line(ended.output)
    last = f"; its last line: {line}" if line else "; it wrote nothing"
    if ended.how == "lost":
        return Outcome.UNAVAILABLE, f"the check was lost: the process supervising it is gone ({ended.error})"
    if ended.how == "timeout":
        return Outcome.UNAVAILABLE, f"timed out after {format_duration(check.timeout)} and was ended{last}"
    codes = ExitCodes.of(check.options)
    outcome = outcome_of(ended.code, codes)
    if ended.code < 0:
        return outcome, f"ended by signal {_signal_name(-ended.code)}{last}"
    if outcome is Outcome.PASSING:
        return outcome, line or "exit 0, without output"
    if outcome is Outcome.BLOCKING and ended.code in {1, *(codes.fail or ())} and line:
        return outcome, line
    return outcome, f"exit {ended.code}{_meaning(ended.code, outcome)}{last}"


def _meaning(code: int, outcome: Outcome) -> str:
    """Return what the code of a check that could not run means to its author."""
    if outcome is Outcome.BLOCKING:
        return ""
    if code in SIGNALS and outcome is Outcome.UNAVAILABLE:
        return f", which a shell reports of signal {_signal_name(code - SIGNALLED)}"
    return ", which a shell reports of a command that it cannot run" if outcome is Outcome.MISCONFIGURED else ""


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:
        return str(number)


def _shown_directory(directory: str, tree: str) -> str:
    """Where a program starts, for people: of what was applied (§10.6), as it lies below the configuration."""
    _, copied, below = directory.partition(f"/{tree}") if tree else ("", "", "")
    return (below.strip("/") or "the configuration") if copied else directory


def _not_started(ended: ProgramResult, program: Program, directory: str) -> CheckResult:
    why = ended.start_error
    name = printable(program.command[0], REASON_LENGTH // 3)
    directory = printable(directory, REASON_LENGTH // 3)
    if not ended.permanent:
        return CheckResult(Outcome.UNAVAILABLE, printable(f"{name} could not be started: {why}"))
    if ended.stage == "directory":
        return CheckResult(Outcome.MISCONFIGURED, printable(f"the directory {directory} cannot be entered: {why}"))
    if ended.errno == errno.EACCES and program.account:
        user = program.account.name
        return CheckResult(
            Outcome.MISCONFIGURED, f"the user {user} may not execute {name}: look at its mode, its directories and PATH"
        )
    where = f"{name} in {directory}" if directory and not name.startswith("/") else name
    return CheckResult(Outcome.MISCONFIGURED, printable(_start_advice(ended.errno, where, why)))


def _start_advice(number: int | None, name: str, why: str) -> str:
    if number == errno.ENOENT:
        return f"{name} not found: look for it on PATH and in the directory, and for the interpreter its first line names"
    if number == errno.EACCES:
        return f"{name} is not executable: chmod +x it, or name its interpreter in the command"
    if number == errno.ENOEXEC:
        return f"{name} is neither a binary nor a script with a first line such as #!/bin/sh"
    return f"{name} cannot be run: {why}"
