"""Approvals and rejections."""

from __future__ import annotations

from setpoint.core.facts import Voted
from setpoint.core.instance.gates.approval import topic
from setpoint.core.instance.state import offer_of
from setpoint.simulate.checker.requirements import attempt_releases
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment


@act
class CastVote(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Approve or reject wherever a person is needed, or at one instance."""

    yes: bool = True
    instance: str = ""
    """Empty: wherever."""
    ahead: bool = False
    """Vote on the newest release as well, although the instance works on another (§3 Strategies)."""

    def perform(self, environment: Environment) -> None:
        """Vote on what each instance works on now."""
        for instance in (self.instance,) if self.instance else environment.instances:
            life = environment.state(instance).life
            candidate = life.candidate
            if candidate is None:
                continue
            pairs = dict.fromkeys([candidate.pair, *([life.offers[-1].pair] if self.ahead else [])])
            offers = [offer for pair in pairs if (offer := offer_of(life, pair))]
            for use in environment.policies[instance].approvals:
                for release in dict.fromkeys(part.release for offer in offers for part in attempt_releases(life, offer)):
                    entity = topic(use, release, candidate.change)
                    environment.world.post(entity, Voted(person=environment.person(self.by), yes=self.yes))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return (
            f"{self.by} {'approves' if self.yes else 'rejects'} whatever waits{f' at {self.instance}' if self.instance else ''}"
        )
