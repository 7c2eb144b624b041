"""Runs tries of tasks so that none is ever under way twice: not after a crash, not with another release of the same key.

Before a program starts, that is written down (``tasks/`` in the engine's home), and so is its end before it is posted: a
try that is performed again is either known to have ended, or its end was not seen. What is left of an earlier try is recognised
by a mark in its environment, and ended first.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from setpoint.core.instructions import RunTask
from setpoint.durable import files, records
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.names import any_release, without_database
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult
from setpoint.model.time import SECOND, format_duration
from setpoint.plugins.protection import Protection
from setpoint.programs.procfs import RUN, Identity, members, send_all
from setpoint.programs.runner import Program, ProgramResult, run_program
from setpoint.programs.text import last_line
from setpoint.programs.users import UserError
from setpoint.protections.program import ProgramProtection, judge, program_of

OPERATION = "SETPOINT_OPERATION_ID"
"""The same at every try, so that a program can recognise what it has done already."""
"""Between an operation and the database that gave it its number."""
KEPT = 1_000
"""So many records of runs are kept."""
_GRACE = 15.0
"""Seconds beyond its own timeout that an adapter gets to end."""
_TERM = 5.0
"""Seconds that the remains of an earlier try get to end by themselves (their supervisor takes up to four)."""
_KILL = 5.0
"""And then to be gone after SIGKILL."""
_PAUSE = 0.05
_KIND = "task"
log = logging.getLogger("setpoint.engine")


class TaskRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is on disk of one run: its last try."""

    operation: str
    result: TaskResult | None = None
    """None: it was started, and its end was not seen."""


class TaskRunner:
    """Performs tries of tasks."""

    def __init__(self, home: Path, protections: Mapping[str, Protection]) -> None:
        self._records = home / "tasks"
        self._home = str(home.resolve())
        self._protections = protections

    async def run(self, entity: str, instruction: RunTask) -> TaskResult:
        """One try, or how it ended when it was performed before. Cancellation ends the program and leaves its end unseen.

        Raises:
            OSError: it cannot be written down that it starts, and so it does not.
        """
        operation, definition = instruction.operation, instruction.definition
        before = await asyncio.to_thread(self._read, entity)
        again = before is not None and before.operation == operation
        lost = before is not None and not again and without_database(before.operation) in {"", without_database(operation)}
        if again and before and before.result:
            return before.result
        left = await self._end_remains(entity)
        if left:
            return TaskResult(TaskEnd.FAILED, f"processes of an earlier try could not be ended: {', '.join(map(str, left))}")
        if again and definition.once:
            return TaskResult(TaskEnd.UNKNOWN, "the engine was stopped while it ran")
        if lost and definition.once:
            await asyncio.to_thread(self._set_aside, entity)
            return TaskResult(
                TaskEnd.UNKNOWN, "what was written down of an earlier run is damaged, or of a database that was lost"
            )
        await asyncio.to_thread(self._write, entity, TaskRecord(operation))
        result = await self._perform(entity, operation, definition)
        if result.end is not TaskEnd.UNKNOWN:
            await asyncio.to_thread(self._write, entity, TaskRecord(operation, result))
        return result

    def last(self, entity: str) -> TaskResult | None:
        """How the last try of a run ended, with its output."""
        record = self._read(entity)
        return record.result if record else None

    # --- performing

    async def _perform(self, entity: str, operation: str, definition: TaskDefinition) -> TaskResult:
        definition = msgspec.structs.replace(definition, env={**definition.env, OPERATION: entity})
        if definition.use == "program":
            return await self._program(entity, definition)
        protection = self._protections.get(definition.use)
        if protection is None:
            return TaskResult(TaskEnd.FAILED, f'adapter "{definition.use}" does not exist: install it or correct the name')
        try:
            async with asyncio.timeout(definition.timeout / SECOND + _GRACE):
                return _as_task(await protection.run(operation, _as_check(definition)))
        except TimeoutError:
            return TaskResult(TaskEnd.UNKNOWN, f'the adapter "{definition.use}" did not end by its timeout')

    async def _program(self, entity: str, definition: TaskDefinition) -> TaskResult:
        if wrong := ProgramProtection().validate(definition.options):
            return TaskResult(TaskEnd.FAILED, "; ".join(wrong))
        mark = {RUN: self._mark(entity)}
        try:
            program = program_of(definition.options, definition.env, definition.facts, mark)
        except UserError as error:
            return TaskResult(TaskEnd.FAILED, str(error))
        return _judge(await run_program(program, definition.timeout), program, definition)

    # --- what earlier tries left

    def _mark(self, entity: str) -> str:
        """The same for every release of a key: two of them are never under way together, whatever was killed meanwhile."""
        key = f"{self._home}\n{any_release(entity)}"
        return f"task-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    async def _end_remains(self, entity: str) -> list[int]:
        """End what is left of earlier tries; the numbers of processes that cannot be ended."""
        mark = self._mark(entity)
        for number, patience in ((signal.SIGTERM, _TERM), (signal.SIGKILL, _KILL)):
            found = await _gone(mark, number, patience)
            if not found:
                return []
        return sorted(identity.pid for identity in found)

    # --- records

    def _path(self, entity: str) -> Path:
        return self._records / f"{hashlib.sha256(entity.encode()).hexdigest()[:32]}.json"

    def _read(self, entity: str) -> TaskRecord | None:
        try:
            return records.read(self._path(entity), _KIND, TaskRecord)
        except FileNotFoundError:
            return None
        except (records.Damaged, records.OtherFormat) as error:
            log.warning("%s: whether the task ran before is unknown", error)
            return TaskRecord("")

    def _set_aside(self, entity: str) -> None:
        """Move the record away: the next try, which a person orders, begins without it."""
        path = self._path(entity)
        files.rename(path, path.with_suffix(".lost"))

    def _write(self, entity: str, record: TaskRecord) -> None:
        files.make_directory(self._records)
        records.write(self._path(entity), _KIND, record)
        if record.result:
            self._prune()

    def _prune(self) -> None:
        kept = sorted(self._records.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-KEPT]:
            if b'"result"' in path.read_bytes():
                files.remove(path)


async def _gone(mark: str, number: signal.Signals, patience: float) -> set[Identity]:
    """Signal everything with this mark, repeatedly as it may fork. Return what is left when patience ends."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    signalled: set[Identity] = set()
    while found := await asyncio.to_thread(members, mark, None):
        if loop.time() >= until:
            return found
        send_all(found - signalled if number is signal.SIGTERM else found, number)
        signalled |= found
        await asyncio.sleep(_PAUSE)
    return set()


def _judge(ended: ProgramResult, program: Program, definition: TaskDefinition) -> TaskResult:
    """Return the result of a program: 0 is success, and nothing else is."""
    line = last_line(ended.output)
    if ended.how == "lost":
        return TaskResult(TaskEnd.UNKNOWN, f"the process supervising it is gone ({ended.error})", ended.output)
    if ended.how == "timeout":
        text = f"timed out after {format_duration(definition.timeout)} and was ended"
        return TaskResult(TaskEnd.FAILED, f"{text}; its last line: {line}" if line else text, ended.output)
    if ended.how == "ended" and ended.code == 0:
        return TaskResult(TaskEnd.SUCCEEDED, line, ended.output)
    if ended.how == "ended" and ended.code > 0:
        text = f"exit {ended.code}"
        return TaskResult(TaskEnd.FAILED, f"{text}: {line}" if line else text, ended.output)
    return _as_task(judge(ended, program, _as_check(definition)), failed=TaskEnd.FAILED)


def _as_check(definition: TaskDefinition) -> CheckDefinition:
    """As the adapters of protections take it."""
    return CheckDefinition(
        definition.task,
        definition.use,
        definition.subject,
        definition.options,
        definition.env,
        definition.facts,
        timeout=definition.timeout,
        tree=definition.tree,
    )


def _as_task(result: CheckResult, failed: TaskEnd = TaskEnd.UNKNOWN) -> TaskResult:
    """Return the result of an adapter of protections: one without a response may have done its work all the same."""
    ends: dict[Any, TaskEnd] = {Outcome.PASSING: TaskEnd.SUCCEEDED, Outcome.UNAVAILABLE: failed}
    return TaskResult(ends.get(result.outcome, TaskEnd.FAILED), result.reason, result.output)
