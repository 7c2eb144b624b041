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

_SHOWN = 5
"""So many channels are named in a sentence."""


def orderings(policy: Policy, life: Life, offer: Offer, now: Instant, *, committed: bool = False) -> Iterator[Reason]:
    """Earlier channels that have not finalized the version (for the soak), and are not skipped. What is ``committed`` has been
    through once: a member of a group that takes the version only now does not hold it any more, one that fails at it does.
    """
    for ordering in policy.orderings:
        if applies(ordering.when, policy, life, offer) and not skipped(life, offer.release, ordering.name):
            reason = _ordering(ordering, life, offer, now, committed=committed)
            if reason:
                yield reason


def _ordering(ordering: Ordering, life: Life, offer: Offer, now: Instant, *, committed: bool) -> Reason | None:
    counting = _counting(ordering, life, offer, committed=committed)
    if not counting:
        return None if committed or ordering.allow_empty else _nobody(ordering, life, offer)
    met, soaking = 0, list[tuple[Instant, str]]()
    for instance in counting:
        finalized = finalized_at(life, instance, offer)
        if finalized is not None and min(finalized, now) + ordering.soak <= now:
            met += 1
        elif finalized is not None:
            soaking.append((min(finalized, now) + ordering.soak, instance))
    need = min(ordering.need, len(counting)) or len(counting)
    if met >= need:
        return None
    if len(soaking) >= need - met:
        until, last = sorted(soaking)[need - met - 1]
        text = f"{offer.version.name} soaks in {_names(ordering)} for another {approximate_duration(until - now + 999)}"
        return _wait(ordering, text, offer, last, until)
    guilty, text = _upstream_story(ordering, life, offer, counting)
    return _wait(ordering, text, offer, guilty)


def _counting(ordering: Ordering, life: Life, offer: Offer, *, committed: bool) -> list[str]:
    """Members of a group that do not take the version do not count; once it is ``committed``, only who is through or failed."""
    if not ordering.members:
        return list(ordering.instances)
    return [
        one
        for one in ordering.instances
        if one not in ordering.members
        or finalized_at(life, one, offer) is not None
        or _failed(life, one, offer)
        or not (committed or _declines(life, one, offer))
    ]


def _failed(life: Life, instance: str, offer: Offer) -> bool:
    """Whether an earlier instance went back from this release or version."""
    neighbour = life.neighbours.get(instance)
    return neighbour is not None and (offer.release in neighbour.rolled_back or offer.version in neighbour.revoked)


def _declines(life: Life, instance: str, offer: Offer) -> str:
    """Why a member that has not finalized the release does not take it; empty: it does, or nothing is known of it."""
    neighbour = life.neighbours.get(instance)
    if neighbour is None:
        return ""
    return neighbour.declined.get(offer.release, "") or ("went on without it" if passed_over(life, instance, offer) else "")


def passed_over(life: Life, instance: str, offer: Offer) -> bool:
    """Whether an earlier instance went past this release without ever finalizing it, so that it never will."""
    neighbour = life.neighbours.get(instance)
    return neighbour is not None and offer.release < neighbour.frontier and finalized_at(life, instance, offer) is None


def _nobody(ordering: Ordering, life: Life, offer: Offer) -> Reason:
    if not ordering.instances:  # what matched once and does not any more waits, visibly: §10.5
        return _wait(ordering, f"{_names(ordering) or ordering.name}: no channel there has this service now", offer, "")
    whys = ", ".join(f"{channel_of(one)} ({_declines(life, one, offer)})" for one in ordering.instances[:_SHOWN])
    more = f" and {len(ordering.instances) - _SHOWN} more" if len(ordering.instances) > _SHOWN else ""
    return _wait(ordering, f"nobody in {_names(ordering)} takes {offer.version.name}: {whys}{more}", offer, ordering.instances[0])


def _names(ordering: Ordering) -> str:
    return ", ".join(ordering.channels or tuple(channel_of(instance) for instance in ordering.instances))


def _wait(ordering: Ordering, text: str, offer: Offer, guilty: str, until: Instant | None = None) -> Reason:
    return Reason(
        "ordering",
        text,
        phase=Phase.PRE_APPROVAL,
        gate=ordering.name,
        subject=guilty,
        until=until,
        awaits="" if until else f"{offer.version.name} finalized in {_names(ordering)}",
        unblock=f"skip {ordering.name}",
    )


def _upstream_story(ordering: Ordering, life: Life, offer: Offer, counting: list[str]) -> tuple[str, str]:
    """The earlier instance that it is up to, and what is known of it."""
    for instance in counting:
        neighbour = life.neighbours.get(instance)
        if _failed(life, instance, offer):
            return instance, f"{channel_of(instance)} rolled {offer.version.name} back"
        if neighbour and (why := neighbour.declined.get(offer.release)):
            return instance, f"{channel_of(instance)} has not finalized {offer.version.name}: {why}"
    lacking = next(one for one in counting if finalized_at(life, one, offer) is None)
    return lacking, f"{_names(ordering)} has not finalized {offer.version.name} yet"


def finalized_at(life: Life, instance: str, offer: Offer) -> Instant | None:
    """When an earlier instance finalized the offer's version, as far as this one was told."""
    neighbour = life.neighbours.get(instance)
    if neighbour is None:
        return None
    return next((done.at for done in neighbour.finalized if done.version == offer.version), None)
