"""Tasks that are only models: they succeed, fail a number of times first, or hang until they are killed at their timeout."""

from __future__ import annotations

from dataclasses import dataclass, field

from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult
from setpoint.model.time import SECOND, Duration, Instant


@dataclass(frozen=True)
class Try:
    """One finished try of a task."""

    operation: str
    started: Instant
    ended: Instant
    end: TaskEnd


@dataclass
class Tasks:
    """What every task does, and the truth about each try."""

    fails: dict[str, int] = field(default_factory=dict)
    """Task -> how many tries fail first; -1: all of them."""
    hangs: dict[str, int] = field(default_factory=dict)
    """Task -> how many tries hang first."""
    takes: dict[str, Duration] = field(default_factory=dict)
    """Task -> how long a try may take."""
    fair: bool = False
    """Every try succeeds."""
    tries: dict[str, list[Try]] = field(default_factory=dict)
    """Task-run's entity -> its finished tries."""
    running: dict[str, Instant] = field(default_factory=dict)
    """Operation -> when it began: processes outlive a crash of the engine."""

    def begin(self, operation: str, now: Instant) -> None:
        """A try starts. One that is started again after a crash has first made sure that the old process is gone."""
        self.running[operation] = now

    def longest(self, definition: TaskDefinition) -> Duration:
        """How long a try may take, in milliseconds."""
        return self.takes.get(definition.task, 5 * SECOND)

    def end(self, entity: str, operation: str, definition: TaskDefinition, now: Instant, *, fault: bool = False) -> TaskResult:
        """The end of a try, remembered."""
        started = self.running.pop(operation, now)
        tried = self.tries.setdefault(entity, [])
        failing = self.fails.get(definition.task, 0)
        bad = not self.fair and (fault or failing < 0 or len(tried) < failing)
        end = TaskEnd.FAILED if bad else TaskEnd.SUCCEEDED
        tried.append(Try(operation, started, now, end))
        return TaskResult(end, f"{definition.task} {end}")

    def unseen(self, entity: str, operation: str, now: Instant) -> TaskResult:
        """The engine died while a task ran that must not be repeated: nobody knows how it ended."""
        self.tries.setdefault(entity, []).append(Try(operation, self.running.pop(operation, now), now, TaskEnd.UNKNOWN))
        return TaskResult(TaskEnd.UNKNOWN, "nobody saw how it ended")
