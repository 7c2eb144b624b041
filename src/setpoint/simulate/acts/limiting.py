"""Waves: changed in the middle of a release, and let go on after they stopped."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.admission import ENTITY, AdmissionState
from setpoint.core.facts import Configured, LimitsConfigured, WavesResumed
from setpoint.model.people import By
from setpoint.model.policy import GroupWaves
from setpoint.model.time import HOUR
from setpoint.simulate.acts.base import Act, HumanAct, act, when_fair
from setpoint.simulate.stage import Stage


@act
class Regroup(Act, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody changes the waves of groups."""

    groups: dict[str, GroupWaves]

    def perform(self, stage: Stage) -> None:
        """Tell admission, and the members of groups that have no waves any more."""
        stage.revision += 1
        stage.world.post(ENTITY, LimitsConfigured(number=stage.revision, groups=self.groups))
        for instance, policy in stage.policies.items():
            if policy.wave and policy.wave.group not in self.groups:
                stage.policies[instance] = replace(policy, wave=None)
                changed = Configured(policy=stage.policies[instance], number=stage.revision)
                stage.world.post(f"instance:{instance}", changed)

    def words(self) -> str:
        """What is done."""
        return f"the waves of {', '.join(self.groups) or 'every group'} change"


@act
class LetGoOn(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody lets every release go on that stopped because too many had failed."""

    def perform(self, stage: Stage) -> None:
        """Take note of the failures."""
        let_go_on(stage, self.signed())

    def words(self) -> str:
        """What is done."""
        return f"{self.by} lets stopped releases go on"


def let_go_on(stage: Stage, by: By) -> None:
    """Everything that is stopped now."""
    state = stage.world.states.get(ENTITY)
    for passage in state.passages.values() if isinstance(state, AdmissionState) else ():
        if passage.stopped:
            stage.tell(ENTITY, WavesResumed(by=by, group=passage.group, release=passage.release))


@when_fair
def nothing_stays_stopped(stage: Stage) -> None:
    """Somebody sees to it, for as long as what had failed before is still told."""
    for hour in range(1, 5):
        stage.later(hour * HOUR, LetGoOn(by="ann"))
