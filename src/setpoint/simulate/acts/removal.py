"""Removal: instances that leave the configuration for a while, and are taken down or not."""

from __future__ import annotations

from setpoint.core.facts import Configured, Removed, TakenDown
from setpoint.model.names import instance_entity
from setpoint.model.time import Duration
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class Leave(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance leaves the configuration, and comes back later."""

    instance: str
    lasts: Duration
    down: bool = False
    """By the configuration: what runs is taken down."""
    taken_down_after: Duration = 0
    """A person has it taken down so long after it left; 0: no person does."""

    def perform(self, environment: Environment) -> None:
        """Leave, and arrange what comes later."""
        entity = instance_entity(self.instance)
        environment.revision += 1
        environment.world.post(entity, Removed(number=environment.revision, down=self.down))
        if self.taken_down_after:
            environment.later(self.taken_down_after, TakeDown(by=self.by, instance=self.instance))
        environment.later(self.lasts, ComeBack(by=self.by, instance=self.instance))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        how = " and is taken down" if self.down else ""
        return f"{self.by} removes {self.instance} from the configuration for {self.lasts // 60_000} min{how}"


@act
class TakeDown(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left of an instance is taken down."""

    instance: str

    def perform(self, environment: Environment) -> None:
        """Have it taken down."""
        environment.send(self.instance, TakenDown(by=self.signed("left over")))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} has what is left of {self.instance} taken down"


@act
class ComeBack(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance is configured again."""

    instance: str

    def perform(self, environment: Environment) -> None:
        """Configure it as it was."""
        come_back(environment, self.instance)

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} adds {self.instance} to the configuration again"


def come_back(environment: Environment, instance: str) -> None:
    """It is configured again, as it was."""
    environment.revision += 1
    environment.world.post(
        instance_entity(instance), Configured(policy=environment.policies[instance], number=environment.revision)
    )


def configure_all_again(environment: Environment) -> None:
    """Every instance that has left comes back."""
    for instance in environment.instances:
        if environment.state(instance).removed:
            come_back(environment, instance)
