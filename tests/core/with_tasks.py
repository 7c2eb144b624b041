"""An instance whose tasks are the real actors: ``prod.succeeds("migrate")`` ends the try that is under way."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.core.dsl import NAME, Instance

from setpoint.core import task
from setpoint.core.decide import decide
from setpoint.core.facts import Retried, TaskFinished, TaskLeft, TaskRetried, TaskStatus, TaskWanted, Woken
from setpoint.core.instructions import Publish, Record, RunTask, Send, Subscribe, Unsubscribe
from setpoint.model.people import By
from setpoint.model.policy import Phase, TaskUse
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult
from setpoint.model.time import MINUTE


def a_task(name: str = "migrate", phase: Phase = Phase.PRE_DEPLOYMENT, **more: Any) -> TaskUse:
    """One use of a task that may take ten minutes."""
    own = {field: more.pop(field) for field in ("once", "irreversible", "options", "timeout") if field in more}
    definition = TaskDefinition(name, "program", f"attempt:{NAME}", **own)
    return TaskUse(name, phase, definition, **more)


class WithTasks(Instance):
    """Runs are decided as the core decides them; what their programs do is told."""

    def __init__(self, **more: Any) -> None:
        self.runs_of_tasks: dict[str, task.TaskState] = {}
        self.programs: list[RunTask] = []
        """Every try that was started, in order."""
        self.listening: set[str] = set()
        self.last_told: dict[str, TaskStatus] = {}
        self.task_wakes: dict[str, int] = {}
        self.run_lines: list[str] = []
        super().__init__(**more)

    def _turn(self, facts: tuple[Any, ...]) -> None:
        before = len(self.out)
        super()._turn(facts)
        for given in self.out[before:]:
            match given:
                case Subscribe(to) if to.startswith("task:"):
                    self.listening.add(to)
                    if to in self.last_told:
                        super()._turn((replace(self.last_told[to], at=self.now),))
                case Unsubscribe(to):
                    self.listening.discard(to)
        for given in self.out[before:]:
            if isinstance(given, Send) and isinstance(given.fact, TaskWanted | TaskLeft | TaskRetried):
                self.tell_run(given.to, given.fact)

    def tell_run(self, entity: str, fact: Any) -> None:
        """One turn of a run; this instance hears of it if it listens."""
        decision = decide(entity, self.runs_of_tasks.get(entity), (replace(fact, at=self.now),), self.now)
        assert isinstance(decision.state, task.TaskState)
        self.runs_of_tasks[entity] = decision.state
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
                    self.last_told[entity] = replace(status, at=self.now)
                    if entity in self.listening:
                        self._turn((self.last_told[entity],))

    def wait(self, duration: int) -> WithTasks:
        end = self.now + duration
        while (due := min([*self.task_wakes.values(), *([self.wake_at] if self.wake_at else [])], default=end + 1)) <= end:
            self.now = max(self.now + 1, due)
            for entity in [entity for entity, at in self.task_wakes.items() if at <= self.now]:
                self.tell_run(entity, Woken())
            self.tell(Woken())
        self.now = max(self.now, end)
        return self

    # --- programs -----------------------------------------------------------------------------------------------------------

    def ends(self, name: str, end: TaskEnd, reason: str = "") -> WithTasks:
        """The newest try of a task ends."""
        self.out = []
        given = next(one for one in reversed(self.programs) if one.definition.task == name)
        entity = given.operation.rpartition("/try/")[0]
        self.tell_run(entity, TaskFinished(operation=given.operation, result=TaskResult(end, reason)))
        return self

    def succeeds(self, name: str = "migrate") -> WithTasks:
        return self.ends(name, TaskEnd.SUCCEEDED)

    def fails(self, name: str = "migrate", reason: str = "the table is locked") -> WithTasks:
        return self.ends(name, TaskEnd.FAILED, reason)

    def fails_for_good(self, name: str = "migrate") -> WithTasks:
        """Until no try is left."""
        for _ in range(20):
            self.fails(name)
            tries = len(self.programs)
            self.wait(10 * MINUTE)
            if len(self.programs) == tries:
                return self
        raise AssertionError(f"{name} is tried again and again")

    def vanishes(self, name: str = "migrate") -> WithTasks:
        """Nobody sees its end."""
        return self.ends(name, TaskEnd.UNKNOWN, "the engine was killed")

    def retry_task(self, release: int = 0, *, succeeded: bool = False) -> WithTasks:
        self.tell(Retried(by=By("ann", "I looked"), release=release, succeeded=succeeded))
        return self

    @property
    def tried(self) -> list[str]:
        """Names of the tasks whose programs were started, in order."""
        return [given.definition.task for given in self.programs]
