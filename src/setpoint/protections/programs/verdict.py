"""Built-ins that load drivers or users' code run as Python programs of their own: both ends of how they answer.

The engine's end runs a module under the subreaper and gives it what it needs on standard input: secrets never stand in argv.
The program's end answers with one JSON line, the last thing it writes; without such a line there was no verdict.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.environment import check_environment
from setpoint.programs.runner import Program, run_program
from setpoint.programs.text import printable
from setpoint.protections.program import judge


class _Verdict(msgspec.Struct, forbid_unknown_fields=True):
    verdict: Outcome
    reason: str


class CheckError(Exception):
    """In the program: the check ends here, with this outcome and reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


async def run_module(module: str, job: dict[str, Any], check: CheckDefinition) -> CheckResult:
    """Run ``module`` with ``job`` and give back its verdict."""
    command = [sys.executable, "-I", "-m", module]
    program = Program(command, check_environment(check.env), stdin=json.dumps(job | {"timeout": check.timeout}, default=str))
    ended = await run_program(program, check.timeout)
    rest, _, line = ended.output.rstrip("\n").rpartition("\n")
    try:
        verdict = msgspec.json.decode(line, type=_Verdict)
    except msgspec.MsgspecError:
        return _without_verdict(judge(ended, program, check))
    return CheckResult(verdict.verdict, printable(verdict.reason), rest)


def _without_verdict(result: CheckResult) -> CheckResult:
    """Whatever code the program exited with: no answer is not a yes."""
    if result.outcome in {Outcome.PASSING, Outcome.BLOCKING}:
        return CheckResult(Outcome.UNAVAILABLE, printable(f"the check ended without a verdict: {result.reason}"), result.output)
    return result


def read_job() -> dict[str, Any]:
    """In the program: what it was given."""
    job: dict[str, Any] = json.load(sys.stdin)
    return job


def answer(outcome: Outcome, reason: str) -> NoReturn:
    """In the program: write the verdict and end immediately, so that nothing is written after it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(1, b"\n" + json.dumps({"verdict": outcome, "reason": printable(reason)}).encode() + b"\n")
    os._exit(0)
