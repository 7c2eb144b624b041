"""Waves: changed in the middle of a release, and let go on after they stopped."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.admission import ENTITY, AdmissionState
from setpoint.core.facts import Configured, LimitsConfigured, WavesResumed
from setpoint.model.names import instance_entity
from setpoint.model.people import By
from setpoint.model.policy import GroupWaves
from setpoint.model.time import HOUR
from setpoint.simulate.world.act import Act, HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class Regroup(Act, frozen=True, kw_only=True, omit_defaults=True):
    """A person changes the waves of groups."""

    groups: dict[str, GroupWaves]

    def perform(self, environment: Environment) -> None:
        """Configure admission, and the members of groups that have no waves any more."""
        environment.revision += 1
        environment.world.post(ENTITY, LimitsConfigured(number=environment.revision, groups=self.groups))
        for instance, policy in environment.policies.items():
            if policy.wave and policy.wave.group not in self.groups:
                environment.policies[instance] = replace(policy, wave=None)
                changed = Configured(policy=environment.policies[instance], number=environment.revision)
                environment.world.post(instance_entity(instance), changed)

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"the waves of {', '.join(self.groups) or 'every group'} change"


@act
class LetGoOn(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A person lets every release go on that stopped because too many had failed."""

    def perform(self, environment: Environment) -> None:
        """Take note of the failures."""
        let_go_on(environment, self.signed())

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} lets stopped releases go on"


def let_go_on(environment: Environment, by: By) -> None:
    """Everything that is stopped now."""
    state = environment.world.states.get(ENTITY)
    for passage in state.wave_progress.values() if isinstance(state, AdmissionState) else ():
        if passage.stopped:
            environment.signal(ENTITY, WavesResumed(by=by, group=passage.group, release=passage.release))


def nothing_stays_stopped(environment: Environment) -> None:
    """A person repeats it for as long as earlier failures still arrive."""
    for hour in range(1, 5):
        environment.later(hour * HOUR, LetGoOn(by="ann"))
