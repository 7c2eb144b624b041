"""Tasks that are only models: each name has a timetable, as checks have, under ``task:<name>``.

Passing succeeds, blocking fails, misconfigured fails as well (it was ended at its timeout), unavailable ends unseen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from setpoint.model.checks import Outcome
from setpoint.model.names import operation_entity, with_kind
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult
from setpoint.model.time import Instant

_ENDS = {
    Outcome.PASSING: TaskEnd.SUCCEEDED,
    Outcome.BLOCKING: TaskEnd.FAILED,
    Outcome.MISCONFIGURED: TaskEnd.FAILED,
    Outcome.UNAVAILABLE: TaskEnd.UNKNOWN,
}


def timetable(task: str) -> str:
    """The name under which a plan holds how a task ends, and how long it takes."""
    return with_kind("task", task)


@dataclass(frozen=True)
class Try:
    """One try that ended, as it really was."""

    operation: str
    started: Instant
    ended: Instant
    end: TaskEnd


@dataclass
class Tasks:
    """What every task does, and the truth about each try."""

    fair: bool = False
    """Every try succeeds."""
    tries: dict[str, list[Try]] = field(default_factory=dict)
    """Task-run's entity -> its tries that ended."""
    running: dict[str, Instant] = field(default_factory=dict)
    """Operation -> when it began: processes outlive a crash of the engine."""
    ends: dict[str, TaskResult] = field(default_factory=dict)
    """Operation -> how it ended: the host records that before it reports it."""
    reported: set[str] = field(default_factory=set)
    """Entities that a person reported as succeeded."""

    def begin(self, operation: str, now: Instant) -> None:
        """Start a try. After a crash the old process is stopped before the try starts again."""
        self.running[operation] = now

    def end(self, entity: str, operation: str, definition: TaskDefinition, now: Instant, outcome: Outcome) -> TaskResult:
        """Record the end of a try and return its result."""
        end = TaskEnd.SUCCEEDED if self.fair else _ENDS[outcome]
        result = TaskResult(end, f"{definition.task} {end}")
        self._remember(entity, operation, now, end)
        if end is not TaskEnd.UNKNOWN:
            self.ends[operation] = result
        return result

    def unseen(self, entity: str, operation: str, now: Instant) -> TaskResult:
        """Record an unknown end: the engine died while a task ran that must not be repeated."""
        self._remember(entity, operation, now, TaskEnd.UNKNOWN)
        return TaskResult(TaskEnd.UNKNOWN, "the outcome was not observed")

    def _remember(self, entity: str, operation: str, now: Instant, end: TaskEnd) -> None:
        self.tries.setdefault(entity, []).append(Try(operation, self.running.pop(operation, now), now, end))

    def succeeded(self, entity: str) -> bool:
        """Return whether a run has succeeded, or a person reported so."""
        return entity in self.reported or bool(self.success(entity))

    def success(self, entity: str) -> Instant:
        """Return when a program of the run succeeded; 0: none did."""
        return next((one.ended for one in self.tries.get(entity, ()) if one.end is TaskEnd.SUCCEEDED), 0)

    def runs(self, entity: str) -> bool:
        """Return whether a program of this run is running."""
        return any(operation_entity(operation) == entity for operation in self.running)
