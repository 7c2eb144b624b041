"""How instances select their releases: strategies, orderings, what they accept; deadlines."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Accepts, Ordering, Policy, Strategy
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.generators.plan_builder import InstancePlace

MIRROR = "mirror"


def mirrors(place: InstancePlace) -> bool:
    """Whether this channel follows another."""
    return place.channel == MIRROR


def strategy(place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """One of them all; a change of the configuration keeps it (``configuring``)."""
    if mirrors(place):
        return replace(policy, strategy=Strategy.MIRROR, mirror=place.upstream)
    every = (Strategy.NEWEST_READY, Strategy.NEWEST, Strategy.EVERY, Strategy.MANUAL)
    return replace(policy, strategy=draw.choices(every, weights=(5, 2, 2, 1))[0])


def orderings(place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """Each channel comes after the one before it, perhaps with a soak, which hot fixes need not wait for."""
    if not place.before or mirrors(place):
        return policy
    soak = draw.choice((0, 0, 5 * MINUTE, 40 * MINUTE))
    when = parse_selector("!urgent") if soak else None
    return replace(policy, orderings=(Ordering("after", (place.upstream,), (place.before,), soak=soak, when=when),))


def accepts(_place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """Some take no larger step than a major one."""
    return replace(policy, accepts=Accepts("*", max_step="major")) if draw.random() < 0.2 else policy


def deadlines(_place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """Short ones; a few never roll back by themselves."""
    return replace(policy, progress_deadline=2 * MINUTE, grace=10 * SECOND, auto_rollback=draw.random() > 0.1)
