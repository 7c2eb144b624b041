"""Tasks in every phase, alone and shared, and how their programs end."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from msgspec.structs import replace

from setpoint.model.checks import Outcome
from setpoint.model.names import with_kind, within
from setpoint.model.policy import CheckUse, Phase, Policy, TaskUse
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import MINUTE, SECOND, Duration
from setpoint.simulate.acts.tasking import SayDone
from setpoint.simulate.generators.plan_builder import InstancePlace, PlanBuilder
from setpoint.simulate.world.tasks import timetable

NAMES = ("dump", "migrate")
LIKELY = {Phase.PRE_APPROVAL: 0.1, Phase.PRE_DEPLOYMENT: 0.6, Phase.DEPLOYMENT: 0.15, Phase.POST_DEPLOYMENT: 0.15}
"""For each name, where a channel has tasks at all."""


def tasks(place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """In some channels; some of the protections wait for one of its tasks."""
    if draw.random() > 0.4:
        return policy
    uses = tuple(_uses(place, draw))
    return replace(policy, tasks=uses, checks=tuple(_waiting(check, uses, draw) for check in policy.checks))


def _uses(place: InstancePlace, draw: Random) -> Iterator[TaskUse]:
    for name in NAMES:
        for phase, likely in LIKELY.items():
            if draw.random() < likely:
                yield _use(place, name, phase, draw)


def _use(place: InstancePlace, name: str, phase: Phase, draw: Random) -> TaskUse:
    own = draw.random() < 0.6
    definition = TaskDefinition(
        f"{name}-{phase}",
        "program",
        with_kind("attempt", place.instance) if own else with_kind("channel", within(place.application, place.channel)),
        {"version": "${version}"} if own else {},
        timeout=2 * MINUTE,
        once=draw.random() < 0.25,
        irreversible=draw.random() < 0.12,
    )
    key = "" if own else draw.choice((f"db-{place.channel}", "db", "db-${release.id}"))
    fails = phase is Phase.POST_DEPLOYMENT or draw.random() < 0.3
    return TaskUse(f"{name}-{phase}", phase, definition, key=key, retries=draw.randint(0, 3), on_fail="fail" if fails else "wait")


def _waiting(check: CheckUse, uses: tuple[TaskUse, ...], draw: Random) -> CheckUse:
    names = [use.name for use in uses if use.phase is check.phase]
    return replace(check, after=draw.choice(names)) if names and draw.random() < 0.4 else check


def ends(builder: PlanBuilder, draw: Random) -> None:
    """Programs succeed, fail, hang and vanish for minutes at a time; people report that one succeeded after all."""
    names = {use.task.task for policy in builder.policies.values() for use in policy.tasks}
    if builder.places:
        names |= {f"{name}-{phase}" for name in NAMES for phase in LIKELY}
    for name in sorted(names):
        builder.timetable[timetable(name)] = tuple(_ending(builder, draw))
        builder.takes[timetable(name)] = draw.choice((SECOND, 20 * SECOND, 3 * MINUTE))
    for _ in range(draw.randint(0, 2) if names else 0):
        builder.acts.append(SayDone(at=builder.sometime(draw), by=builder.person(draw), instance=draw.choice(builder.instances)))


def _ending(builder: PlanBuilder, draw: Random) -> Iterator[tuple[Duration, Outcome]]:
    now = 0
    while now < builder.unfair:
        yield now, draw.choices(list(Outcome), weights=(7, 2, 1, 1))[0]
        now += draw.randint(1, 60) * MINUTE
    yield builder.unfair, Outcome.PASSING
