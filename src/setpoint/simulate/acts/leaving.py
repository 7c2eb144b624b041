"""Instances that leave the configuration for a while, and what is left of them taken down, or not."""

from __future__ import annotations

from setpoint.core.facts import Configured, Removed, TakenDown
from setpoint.model.time import Duration
from setpoint.simulate.acts.base import HumanAct, act, when_fair
from setpoint.simulate.stage import Stage


@act
class Leave(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance leaves the configuration, and comes back later."""

    instance: str
    lasts: Duration
    down: bool = False
    """By the configuration: what runs is taken down."""
    taken_down_after: Duration = 0
    """Somebody has it taken down so long after it left; 0: nobody."""

    def perform(self, stage: Stage) -> None:
        """Leave, and arrange what comes later."""
        entity = f"instance:{self.instance}"
        stage.revision += 1
        stage.world.post(entity, Removed(number=stage.revision, down=self.down))
        if self.taken_down_after:
            stage.later(self.taken_down_after, TakeDown(by=self.by, instance=self.instance))
        stage.later(self.lasts, ComeBack(by=self.by, instance=self.instance))

    def words(self) -> str:
        """What is done."""
        how = " and is taken down" if self.down else ""
        return f"{self.by} removes {self.instance} from the configuration for {self.lasts // 60_000} min{how}"


@act
class TakeDown(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left of an instance is taken down."""

    instance: str

    def perform(self, stage: Stage) -> None:
        """Have it taken down."""
        stage.send(self.instance, TakenDown(by=self.signed("left over")))

    def words(self) -> str:
        """What is done."""
        return f"{self.by} has what is left of {self.instance} taken down"


@act
class ComeBack(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance is configured again."""

    instance: str

    def perform(self, stage: Stage) -> None:
        """Configure it as it was."""
        come_back(stage, self.instance)

    def words(self) -> str:
        """What is done."""
        return f"{self.by} adds {self.instance} to the configuration again"


def come_back(stage: Stage, instance: str) -> None:
    """It is configured again, as it was."""
    stage.revision += 1
    stage.world.post(f"instance:{instance}", Configured(policy=stage.policies[instance], number=stage.revision))


@when_fair
def everybody_is_back(stage: Stage) -> None:
    """Whoever has left comes back."""
    for instance in stage.instances:
        if stage.state(instance).removed:
            come_back(stage, instance)
