"""The environment of acts: the world with its models, the policy of each instance, and ways to send facts and signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.core.facts import AnyFact, Signal
from setpoint.core.instance.state import InstanceState
from setpoint.model.names import instance_entity, parse_instance
from setpoint.model.people import Person
from setpoint.model.policy import Policy
from setpoint.model.time import Duration
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.host import World
from setpoint.simulate.world.runtimes import Runtimes

if TYPE_CHECKING:
    from setpoint.simulate.world.act import Act


class Environment:
    """One world and everything about it that acts may read or change."""

    def __init__(self, world: World, policies: dict[str, Policy], people: tuple[Person, ...]) -> None:
        self.world = world
        world.performs = self.perform
        self.policies = policies
        self.people = people
        self.requests = 0
        """Releases requested so far."""
        self.revision = 1
        """Of the configuration."""
        self._signals = 0
        self.revisions: dict[str, str] = {}
        """``application/service`` -> the revision of what runs that is in force; absent: the first one."""
        self.variants: dict[str, str] = {}
        """Instance -> revision that changed anything there last."""
        self.request_factories: dict[str, Callable[[], AnyFact]] = {}
        """Request to a line -> how it is made again."""

    @property
    def runtimes(self) -> Runtimes:
        """The model of what runs."""
        return self.world.runtimes

    @property
    def checks(self) -> Checks:
        """The model of protections."""
        return self.world.checks

    @property
    def instances(self) -> list[str]:
        """``application/service@channel`` of every instance."""
        return list(self.policies)

    @property
    def scopes(self) -> list[str]:
        """Entity ids of every scope that an instance is below."""
        return sorted({entity for policy in self.policies.values() for entity in scope.above(policy.labels)})

    @staticmethod
    def parts(instance: str) -> tuple[str, str, str]:
        """(application, service, channel)."""
        application, service, channel = parse_instance(instance)
        return application, service, channel

    def perform(self, act: Act) -> None:
        """Perform an act whose time has come."""
        act.perform(self)

    def state(self, instance: str) -> InstanceState:
        """Return the state of an instance."""
        return self.world.states.get(instance_entity(instance)) or InstanceState()

    def person(self, name: str) -> Person:
        """Return a person by name; an unknown one has no groups."""
        return next((person for person in self.people if person.name == name), Person(name))

    def send(self, instance: str, signal: Signal) -> None:
        """Send a person's act to one instance."""
        self.signal(instance_entity(instance), signal)

    def signal(self, entity: str, signal: Signal) -> None:
        """Send a person's act to any entity, numbered."""
        self._signals += 1
        fact: AnyFact = replace(signal, id=str(self._signals))  # type: ignore[assignment]
        self.world.post(entity, fact)

    def spec(self, version: str, instance: str) -> str:
        """Return the digest of a version compiled for an instance with the configuration in force."""
        variant = self.variants.get(instance, "")
        return f"{version}/{instance}" + (f"/{variant}" if variant else "")

    def mirrors(self, instance: str) -> bool:
        """Return whether an instance takes what another channel finalized."""
        return bool(self.policies[instance].mirror)

    def later(self, delay: Duration, act: Act) -> None:
        """Plan another act after a delay."""
        self.world.plan(self.world.now + delay, "act", (act,))
