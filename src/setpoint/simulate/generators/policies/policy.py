"""The policy of an instance, composed of parts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from setpoint.model.policy import Policy
from setpoint.simulate.generators.plan_builder import InstancePlace, rng
from setpoint.simulate.generators.policies.approvals import approvals
from setpoint.simulate.generators.policies.calendars import cadence, calendars
from setpoint.simulate.generators.policies.checks import checks
from setpoint.simulate.generators.policies.selection import accepts, deadlines, orderings, strategy
from setpoint.simulate.generators.policies.tasks import tasks

PolicyPart = Callable[[InstancePlace, Policy, Random], Policy]
"""Gets where the instance stands and the policy so far; returns the policy with its part."""

POLICY_PARTS: dict[str, PolicyPart] = {
    "approving.approvals": approvals,
    "checks.checks": checks,
    "selecting.strategy": strategy,
    "selecting.orderings": orderings,
    "selecting.accepts": accepts,
    "selecting.deadlines": deadlines,
    "tasks.tasks": tasks,
    "times.calendars": calendars,
    "times.cadence": cadence,
}
"""Key of its random numbers -> part. Another key or another order gives every seed another world."""


def policy(seed: int, place: InstancePlace, revision: int) -> Policy:
    """The policy of an instance, as this revision of the configuration has it."""
    labels = {"application": place.application, "channel": place.channel, "service": place.service, "runtime": "local"}
    drawn = Policy(place.instance, labels)
    for key, part in POLICY_PARTS.items():
        drawn = part(place, drawn, rng(seed, revision, place.instance, key))
    return drawn
