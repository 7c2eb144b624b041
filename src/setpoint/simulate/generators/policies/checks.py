"""Checks in every phase, and the timetable of their results."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from msgspec.structs import replace

from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.names import is_kind, with_kind, within
from setpoint.model.policy import CheckUse, Phase, Policy
from setpoint.model.time import MINUTE, SECOND, Duration
from setpoint.simulate.generators.plan_builder import InstancePlace, PlanBuilder

NAMES = ("alerts", "migrated", "probe")
PHASES = (Phase.PRE_APPROVAL, Phase.PRE_DEPLOYMENT, Phase.DEPLOYMENT, Phase.POST_DEPLOYMENT)


def checks(place: InstancePlace, policy: Policy, draw: Random) -> Policy:
    """Some of the protections in some of the phases."""
    return replace(policy, checks=tuple(_uses(place, draw)))


def _uses(place: InstancePlace, draw: Random) -> Iterator[CheckUse]:
    for name in NAMES:
        for phase in PHASES:
            if draw.random() < 0.18:
                yield _use(place, name, phase, draw)


def _use(place: InstancePlace, name: str, phase: Phase, draw: Random) -> CheckUse:
    shared = draw.random() < 0.6
    subject = with_kind("channel", within(place.application, place.channel)) if shared else with_kind("attempt", place.instance)
    options = {"version": "${version}"} if is_kind(subject, "attempt") else {}
    interval, timeout = draw.choice((20, 60, 120)) * SECOND, 5 * SECOND
    check = CheckDefinition(name, "program", subject, options, {}, {}, interval, timeout, 2 * interval + timeout)
    window = draw.choice((0, 0, 90 * SECOND, 20 * MINUTE)) if phase in {Phase.PRE_DEPLOYMENT, Phase.POST_DEPLOYMENT} else 0
    return CheckUse(
        f"{name}-{phase}",
        phase,
        check,
        window=window,
        delay=draw.choice((0, 30 * SECOND)) if phase is Phase.POST_DEPLOYMENT else 0,
        on_fail=draw.choice(("fail", "wait")),
        tolerate=draw.choice((0, 1, 2)),
        fail_after=draw.choice((0, 0, 5 * MINUTE, 20 * MINUTE)),
        informational=draw.random() < 0.1,
    )


def outcomes(builder: PlanBuilder, draw: Random) -> None:
    """Each protection passes, blocks, breaks and flaps for minutes at a time."""
    names = {use.check.protection for policy in builder.policies.values() for use in policy.checks}
    for name in sorted({*NAMES, *names} if builder.places else names):
        builder.timetable[name] = tuple(_timetable(builder, draw))
        builder.takes[name] = draw.choice((200, 2 * SECOND, 5 * SECOND))


def _timetable(builder: PlanBuilder, draw: Random) -> Iterator[tuple[Duration, Outcome]]:
    now = 0
    fails_for_good = builder.sometime(draw) if draw.random() < 0.2 else builder.unfair
    while now < fails_for_good:
        outcome = draw.choices(list(Outcome), weights=(12, 3, 1, 1))[0]
        yield now, outcome
        now += draw.randint(1, 60 if outcome is Outcome.PASSING else 20) * MINUTE
    if fails_for_good < builder.unfair:
        yield fails_for_good, Outcome.BLOCKING
    yield builder.unfair, Outcome.PASSING
