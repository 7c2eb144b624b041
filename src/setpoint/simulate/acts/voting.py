"""Approvals and rejections."""

from __future__ import annotations

from setpoint.core.facts import Voted
from setpoint.core.instance.gates.approval import topic
from setpoint.core.instance.state import offer_of
from setpoint.simulate.acts.base import HumanAct, act
from setpoint.simulate.reading import halves
from setpoint.simulate.stage import Stage


@act
class Vote(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Say yes or no wherever somebody is asked, or at one instance."""

    yes: bool = True
    instance: str = ""
    """Empty: wherever."""
    ahead: bool = False
    """Vote on the newest release as well, although the instance works on another (§3 Strategies)."""

    def perform(self, stage: Stage) -> None:
        """Vote on what each instance works on now."""
        for instance in (self.instance,) if self.instance else stage.instances:
            life = stage.state(instance).life
            candidate = life.candidate
            if candidate is None:
                continue
            pairs = dict.fromkeys([candidate.pair, *([life.offers[-1].pair] if self.ahead else [])])
            offers = [offer for pair in pairs if (offer := offer_of(life, pair))]
            for use in stage.policies[instance].approvals:
                for release in dict.fromkeys(half.release for offer in offers for half in halves(life, offer)):
                    entity = topic(use, release, candidate.change)
                    stage.world.post(entity, Voted(person=stage.person(self.by), yes=self.yes))

    def words(self) -> str:
        """What is done."""
        return (
            f"{self.by} {'approves' if self.yes else 'rejects'} whatever waits{f' at {self.instance}' if self.instance else ''}"
        )
