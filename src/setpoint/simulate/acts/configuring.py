"""Changes of the configuration: policies; what runs stays."""

from __future__ import annotations

from setpoint.core.facts import Configured
from setpoint.model.names import instance_entity
from setpoint.model.policy import Policy
from setpoint.simulate.world.act import Act, act
from setpoint.simulate.world.environment import Environment


@act
class Reconfigure(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A person changes when an instance may deploy."""

    policy: Policy

    def perform(self, environment: Environment) -> None:
        """Configure the instance."""
        instance = self.policy.instance
        environment.policies[instance] = self.policy
        environment.revision += 1
        environment.world.post(instance_entity(instance), Configured(policy=self.policy, number=environment.revision))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"the policy of {self.policy.instance} changes"
