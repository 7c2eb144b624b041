"""An instance whose tasks are the real actors: ``prod.succeeds("migrate")`` ends the try that is under way."""

from __future__ import annotations

from typing import Any, Self

from msgspec.structs import replace
from tests.core.dsl.actor import Actor
from tests.core.dsl.builders import NAME
from tests.core.dsl.decisions import state_of
from tests.core.dsl.instance import Instance

from setpoint.core import task
from setpoint.core.decide import decide
from setpoint.core.facts import (
    AnyFact,
    Retried,
    TaskFinished,
    TaskLeft,
    TaskRetried,
    TaskStatus,
    TaskWanted,
    Woken,
)
from setpoint.core.instructions import Publish, Record, RunTask, Send, Subscribe, Unsubscribe
from setpoint.core.task import TaskState, operation
from setpoint.model.people import By
from setpoint.model.policy import TaskUse
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult
from setpoint.model.time import MINUTE

RUN = f"task:app/migrate#instance:{NAME}#2"


class WithTasks(Instance):
    """Runs are decided as the core decides them; a test decides what their programs do."""

    def __init__(self, **more: Any) -> None:
        self.runs_of_tasks: dict[str, task.TaskState] = {}
        self.programs: list[RunTask] = []
        """Every try that was started, in order."""
        self.listening: set[str] = set()
        self.last_published: dict[str, TaskStatus] = {}
        self.task_wakes: dict[str, int] = {}
        self.run_lines: list[str] = []
        super().__init__(**more)

    def _turn(self, facts: tuple[AnyFact, ...]) -> None:
        before = len(self.out)
        super()._turn(facts)
        for given in self.out[before:]:
            match given:
                case Subscribe(to) if to.startswith("task:"):
                    self.listening.add(to)
                    if to in self.last_published:
                        super()._turn((replace(self.last_published[to], at=self.now),))
                case Unsubscribe(to):
                    self.listening.discard(to)
        for given in self.out[before:]:
            if isinstance(given, Send) and isinstance(given.fact, TaskWanted | TaskLeft | TaskRetried):
                self.turn_of_run(given.to, given.fact)

    def turn_of_run(self, entity: str, fact: AnyFact) -> None:
        """One turn of a run; this instance gets what it publishes if it listens."""
        decision = decide(entity, self.runs_of_tasks.get(entity), (replace(fact, at=self.now),), self.now)
        self.runs_of_tasks[entity] = state_of(decision, task.TaskState)
        self.task_wakes.pop(entity, None)
        if decision.wake_at is not None:
            self.task_wakes[entity] = decision.wake_at
        for given in decision.instructions:
            match given:
                case RunTask():
                    self.programs.append(given)
                case Record(event):
                    self.run_lines.append(event.text)
                case Publish(status):
                    assert isinstance(status, TaskStatus)
                    self.last_published[entity] = replace(status, at=self.now)
                    if entity in self.listening:
                        self._turn((self.last_published[entity],))

    def wait(self, duration: int) -> Self:
        end = self.now + duration
        while (due := min([*self.task_wakes.values(), *([self.wake_at] if self.wake_at else [])], default=end + 1)) <= end:
            self.now = max(self.now + 1, due)
            for entity in [entity for entity, at in self.task_wakes.items() if at <= self.now]:
                self.turn_of_run(entity, Woken())
            self.receive(Woken())
        self.now = max(self.now, end)
        return self

    # --- programs -----------------------------------------------------------------------------------------------------------

    def ends(self, name: str, end: TaskEnd, reason: str = "") -> Self:
        """The newest try of a task ends."""
        self.out = []
        given = next(one for one in reversed(self.programs) if one.definition.task == name)
        entity = given.operation.rpartition("/try/")[0]
        self.turn_of_run(entity, TaskFinished(operation=given.operation, result=TaskResult(end, reason)))
        return self

    def succeeds(self, name: str = "migrate") -> Self:
        return self.ends(name, TaskEnd.SUCCEEDED)

    def fails(self, name: str = "migrate", reason: str = "the table is locked") -> Self:
        return self.ends(name, TaskEnd.FAILED, reason)

    def fails_for_good(self, name: str = "migrate") -> Self:
        """Until no try is left."""
        for _ in range(20):
            self.fails(name)
            tries = len(self.programs)
            self.wait(10 * MINUTE)
            if len(self.programs) == tries:
                return self
        raise AssertionError(f"{name} is tried again and again")

    def vanishes(self, name: str = "migrate") -> Self:
        """Its end is not observed."""
        return self.ends(name, TaskEnd.UNKNOWN, "the engine was killed")

    def retry_task(self, release: int = 0, *, succeeded: bool = False) -> Self:
        self.receive(Retried(by=By("ann", "I looked"), release=release, succeeded=succeeded))
        return self

    @property
    def tried(self) -> list[str]:
        """Names of the tasks whose programs were started, in order."""
        return [given.definition.task for given in self.programs]


def with_tasks(*tasks: TaskUse, **policy: Any) -> WithTasks:
    """1.0 is good; the tasks, and gates of the policy, count from then on."""
    return WithTasks().with_good(1, "1.0").configure(tasks=tasks, **policy)


class Run(Actor[TaskState]):
    """One run of a task, and what happens to it: ``run.wanted().ends(TaskEnd.FAILED)``."""

    def __init__(self, **definition: Any) -> None:
        super().__init__(RUN, TaskState)
        self.definition = TaskDefinition("migrate", "program", f"attempt:{NAME}", **definition)

    def wanted(self, seen: int = 0, retries: int = 3) -> Self:
        return self.receive(TaskWanted(requester=f"instance:{NAME}", definition=self.definition, seen=seen, retries=retries))

    def ends(self, end: TaskEnd, number: int = 0) -> Self:
        result = TaskResult(end, "said so")
        return self.receive(TaskFinished(operation=operation(RUN, number or self.state.tries), result=result))

    @property
    def started(self) -> list[RunTask]:
        return self.gave(RunTask)

    @property
    def status(self) -> TaskStatus:
        return self.published(TaskStatus)[-1]
