"""What people do about tasks that wait for them."""

from __future__ import annotations

from setpoint.core.facts import Retried
from setpoint.core.instance.state import InstanceState
from setpoint.model.names import parse_task
from setpoint.model.tasks import TaskStage
from setpoint.model.time import MINUTE
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class SayDone(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A person reports that the task an instance waits for did succeed."""

    instance: str

    def perform(self, environment: Environment) -> None:
        """Report it, where one waits for a person."""
        for release in _stuck(environment.state(self.instance)):
            environment.send(self.instance, Retried(by=self.signed("I looked"), release=release, succeeded=True))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} reports that the task {self.instance} waits for succeeded"


@act
class TryAgain(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Retry every task that waits for a person."""

    def perform(self, environment: Environment) -> None:
        """Retry at every instance."""
        for instance in environment.instances:
            for release in _stuck(environment.state(instance)):
                environment.send(instance, Retried(by=self.signed("it works now"), release=release))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} lets every task that failed be tried again"


def try_again(environment: Environment) -> None:
    """A person does so every now and then, for some hours."""
    for minute in range(1, 10 * 60, 20):
        environment.later(minute * MINUTE, TryAgain(by="ann"))


def _stuck(state: InstanceState) -> list[int]:
    waiting = {TaskStage.FAILED, TaskStage.UNKNOWN}
    return sorted({parse_task(entity).release for entity, status in state.life.tasks.items() if status.state in waiting})
