"""Which world a seed stands for: the instances, their policies, and what will happen to them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from setpoint.simulate.generators.faults import accidents, clocks, fault_rates
from setpoint.simulate.generators.operators.actions import brief_orders, findings, signals, storms
from setpoint.simulate.generators.operators.adoption import first_contact
from setpoint.simulate.generators.operators.adversarial import stuck_rollbacks, worst_moments
from setpoint.simulate.generators.operators.configurations import configurations, departures, reconfigurations
from setpoint.simulate.generators.operators.releases import releases
from setpoint.simulate.generators.plan_builder import InstancePlace, PlanBuilder, rng
from setpoint.simulate.generators.policies.approvals import votes
from setpoint.simulate.generators.policies.calendars import closings, incidents
from setpoint.simulate.generators.policies.checks import outcomes
from setpoint.simulate.generators.policies.dependencies import floors, groups, services_in_order, together
from setpoint.simulate.generators.policies.limits import budgets, leases, waves
from setpoint.simulate.generators.policies.policy import policy
from setpoint.simulate.generators.policies.tasks import ends
from setpoint.simulate.plan import Plan
from setpoint.simulate.world.faults import Faults

CHANNELS = ("staging", "production", "acme")
"""Each comes after the one before it."""
LEAST = 200
"""Faults in each world."""
SEASONS = {1: 5, 2: 3, 3: 2, 4: 2}
"""Instances -> how long their world goes wrong."""

Generator = Callable[[PlanBuilder, Random], None]
"""Adds what may happen to a plan."""

GENERATORS: dict[str, Generator] = {
    "misfortunes.clocks": clocks,
    "accidents.accidents": accidents,
    "releasing.releases": releases,
    "applying.configurations": configurations,
    "approving.votes": votes,
    "checks.outcomes": outcomes,
    "ending.brief_orders": brief_orders,
    "leaving.departures": departures,
    "limiting.leases": leases,
    "limiting.waves": waves,
    "limiting.budgets": budgets,
    "pausing.closings": closings,
    "pausing.incidents": incidents,
    "reconfiguring.reconfigurations": reconfigurations,
    "running.first_contact": first_contact,
    "tasks.ends": ends,
    "together.together": together,
    "together.services_in_order": services_in_order,
    "together.groups": groups,
    "together.floors": floors,
    "whims.signals": signals,
    "whims.findings": findings,
    "whims.storms": storms,
    "worst.worst_moments": worst_moments,
    "worst.stuck_rollbacks": stuck_rollbacks,
}
"""Key of its random numbers -> generator, in the order in which they build on each other.

Another key or another order gives every seed another world: a new generator comes last, with a key of its own."""


def draw(seed: int, *, faults: Faults | None = None) -> Plan:
    """The plan of a seed. ``faults`` replaces those that the seed stands for."""
    places = _places(rng(seed, "places"))
    policies = {place.instance: policy(seed, place, 0) for place in places}
    builder = PlanBuilder(seed, policies, places, seasons=SEASONS.get(len(places), 1))
    return complete(builder, faults)


def complete(builder: PlanBuilder, faults: Faults | None = None) -> Plan:
    """A plan for what is configured: everything that happens is drawn."""
    for key, generate in GENERATORS.items():
        generate(builder, rng(builder.seed, key))
    return Plan(
        seed=builder.seed,
        people=builder.people,
        policies=builder.policies,
        facts=tuple(builder.facts),
        acts=tuple(sorted(builder.acts, key=lambda act: act.at)),
        timetable=builder.timetable,
        takes=builder.takes,
        faults=faults or fault_rates(rng(builder.seed, "faults"), len(builder.policies)),
        unfair=builder.unfair,
        least=0 if faults else LEAST,
    )


def _places(draw: Random) -> tuple[InstancePlace, ...]:
    """One, two or three services in a chain of channels, and perhaps one that mirrors."""
    services = [f"s{number}" for number in range(draw.randint(1, 2))]
    channels = CHANNELS[: draw.randint(1, 3)]
    befores = dict(zip(channels, ("", *channels), strict=False))
    if draw.random() < 0.4:
        befores["mirror"] = "production" if "production" in channels else "staging"
    if draw.random() < 0.1:
        services.append(f"s{len(services)}")
    return tuple(InstancePlace(service, channel, before) for service in services for channel, before in befores.items())
