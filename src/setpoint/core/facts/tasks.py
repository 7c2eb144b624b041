"""What passes between attempts and the runs of their tasks."""

from __future__ import annotations

from setpoint.core.facts.base import Fact, Signal
from setpoint.model.tasks import TaskDefinition, TaskResult, TaskStage
from setpoint.model.time import Instant


class TaskWanted(Fact, frozen=True, gc=False):
    """An attempt needs this task; the first one starts it, and a failure is published again.

    It counts only if its requester has seen the latest status: so one that arrives late starts nothing.
    """

    requester: str
    definition: TaskDefinition
    seen: int = 0
    """Number of the last status that the requester has seen; 0: none."""
    retries: int = 3


class TaskLeft(Fact, frozen=True, gc=False):
    """An attempt that needed it has ended: no further try is made until an attempt requests it again."""

    requester: str
    seen: int
    """As in ``TaskWanted``."""


class TaskFinished(Fact, frozen=True, gc=False):
    """A try ended."""

    operation: str
    result: TaskResult


class TaskRetried(Signal, frozen=True, gc=False, kw_only=True):
    """A person lets a task that has failed, or whose end is unknown, be tried again; or reports that it succeeded."""

    succeeded: bool = False


class TaskStatus(Fact, frozen=True, gc=False):
    """What a task-run publishes. Whole and numbered."""

    task: str
    """Entity of the run."""
    number: int
    state: TaskStage
    tries: int = 0
    """How many were started, ever."""
    most: int = 0
    """How many there are, as long as no person lets it be tried again."""
    reason: str = ""
    """How the last try ended, if one did."""
    since: Instant = 0
    """When the last try began or ended."""
    retry_at: Instant = 0
    irreversible: bool = False
    """It was started, and cannot be undone."""
