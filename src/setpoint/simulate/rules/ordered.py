"""Orderings: what the earlier channels had finalized."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.facts_of import applies
from setpoint.model.policy import Ordering
from setpoint.model.release import Offer
from setpoint.simulate.rules.base import Complaint, rule
from setpoint.simulate.rules.beside import Told
from setpoint.simulate.rules.results import slack
from setpoint.simulate.step import Step


@rule("ordered")
def ordered(step: Step) -> Iterator[Complaint]:
    """The earlier channels had finalized the version, for the soak, as far as this one was told, unless that was skipped."""
    if step.forward is None:
        return
    _, offer, policy = step.forward
    for ordering in policy.orderings:
        if applies(ordering.when, policy, step.before.life, offer) and not step.skipped(offer.release, ordering.name):
            step.saw("ordered")
            yield from _ordered(step, ordering, offer)


def _ordered(step: Step, ordering: Ordering, offer: Offer) -> Iterator[Complaint]:
    everybody = {name: step.ledger.told.get(name, {}).get(offer.version) for name in ordering.instances}
    notes = step.ledger.of(Told)
    absent = {name for name in ordering.members if everybody[name] is None and notes.declines(name, offer)}
    told = [at for name, at in everybody.items() if name not in absent]
    need = min(ordering.need, len(told)) or len(told)
    if not told and not ordering.allow_empty:
        yield f"{ordering.name}: nobody takes {offer.version.name}"
    if sum(at is not None for at in told) < need:
        yield f"{ordering.name}: was told of {told}, and needs {need} that finalized {offer.version.name}"
    elif sum(at is not None and min(at, step.now) + ordering.soak <= step.now + slack(step) for at in told) < need:
        yield f"{ordering.name}: {offer.version.name} has not soaked"
