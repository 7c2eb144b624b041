"""Changes of the configuration: policies; what runs stays."""

from __future__ import annotations

from setpoint.core.facts import Configured
from setpoint.model.policy import Policy
from setpoint.simulate.acts.base import Act, act
from setpoint.simulate.stage import Stage


@act
class Reconfigure(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody changes when an instance may deploy."""

    policy: Policy

    def perform(self, stage: Stage) -> None:
        """Tell the instance."""
        instance = self.policy.instance
        stage.policies[instance] = self.policy
        stage.revision += 1
        stage.world.post(f"instance:{instance}", Configured(policy=self.policy, number=stage.revision))

    def words(self) -> str:
        """What is done."""
        return f"the policy of {self.policy.instance} changes"
