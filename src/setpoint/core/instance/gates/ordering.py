"""Earlier channels that must have finalized the version, for their soak."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.gates.naming import channel_of, skipped
from setpoint.core.instance.state import Life
from setpoint.model.policy import Ordering, Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant, approximate_duration


def orderings(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """Earlier channels that have not finalized the version (for the soak), and are not skipped."""
    for ordering in policy.orderings:
        if applies(ordering.when, policy, life, offer) and not skipped(life, offer.release, ordering.name):
            reason = _ordering(ordering, life, offer, now)
            if reason:
                yield reason


def _ordering(ordering: Ordering, life: Life, offer: Offer, now: Instant) -> Reason | None:
    met, soaking = 0, []
    for instance in ordering.instances:
        finalized = finalized_at(life, instance, offer)
        if finalized is not None and min(finalized, now) + ordering.soak <= now:
            met += 1
        elif finalized is not None:
            soaking.append(min(finalized, now) + ordering.soak)
    need = ordering.need or len(ordering.instances)
    if met >= need:
        return None
    names = ", ".join(ordering.channels or tuple(channel_of(instance) for instance in ordering.instances))
    until = sorted(soaking)[need - met - 1] if len(soaking) >= need - met else None
    if until is not None:
        text = f"{offer.version.name} soaks in {names} for another {approximate_duration(until - now + 999)}"
    else:
        text = _upstream_story(ordering, life, offer, names)
    return Reason(
        "ordering",
        text,
        phase=Phase.PRE_APPROVAL,
        gate=ordering.name,
        subject=ordering.instances[0],
        until=until,
        awaits="" if until else f"{offer.version.name} finalized in {names}",
        unblock=f"skip {ordering.name}",
    )


def _upstream_story(ordering: Ordering, life: Life, offer: Offer, names: str) -> str:
    for instance in ordering.instances:
        neighbour = life.neighbours.get(instance)
        if neighbour is None:
            continue
        if offer.release in neighbour.rolled_back or offer.version in neighbour.revoked:
            return f"{channel_of(instance)} rolled {offer.version.name} back"
    return f"{names} has not finalized {offer.version.name} yet"


def finalized_at(life: Life, instance: str, offer: Offer) -> Instant | None:
    """When an earlier instance finalized the offer's version, as far as this one was told."""
    neighbour = life.neighbours.get(instance)
    if neighbour is None:
        return None
    return next((done.at for done in neighbour.finalized if done.version == offer.version), None)
