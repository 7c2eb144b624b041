"""Roll-up: how many are where, and what holds up those that are not – each time the one thing at the end of the waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import state_of
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, query
from setpoint.control.views.overview import headline, present
from setpoint.control.views.reasons import ReasonView, reason_view
from setpoint.control.views.shown import by_wall
from setpoint.core.admission import ENTITY as ADMISSION
from setpoint.core.admission.state import AdmissionState
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import InstanceState
from setpoint.core.rollup import Culprit, Takers, culprits, leads_to, takers_of
from setpoint.model.names import instance_entity
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant

_AT_ONCE = 100
"""So many instances, then the engine has its turn."""


class RollupRequest(Request):
    """Of what."""

    target: str = ""
    """An application, a channel, a group or an instance; empty: everything."""


class CulpritView(Answer):
    """One thing that keeps instances from going on."""

    reason: ReasonView
    leaves: list[str]
    """Instances that have the reason themselves; perhaps others than those requested."""
    behind: list[str]
    """Instances that wait for those."""
    through: list[str]
    """Instances between both."""


class Rollup(Answer):
    """Everything that was requested."""

    now: Instant
    target: str
    instances: int
    settled: int
    conditions: dict[str, int]
    """Condition -> how many are in it, worst first."""
    culprits: list[CulpritView]
    """What failed, then what holds up most."""


@query("rollup", Permission.VIEW, RollupRequest, Rollup, "What holds up an application, a channel, a group or everything.")
async def rollup(context: RequestContext, request: RollupRequest) -> Rollup:
    """Follow each chain of waiting to its end."""
    selected = _selected(context, request.target)
    admission = await context.engine.read(ADMISSION)
    takers = takers_of(admission if isinstance(admission, AdmissionState) else None)
    states = await _states(context, selected)
    words = {one: _word(context, one, state) for one, state in states.items()}
    reasons = {one: _reasons(context, one, state) for one, state in states.items()}
    first = await _followed(context, states, takers)
    found = Rollup(
        now=context.now,
        target=request.target,
        instances=len(selected),
        settled=sum(word == Condition.CONVERGED for word in words.values()),
        conditions=_counted(words.values()),
        culprits=[_view(one) for one in culprits(reasons, first, takers)],
    )
    return by_wall(found, context)


def _selected(context: RequestContext, target: str) -> list[str]:
    """Applications come before channels of the same name, which can be named in full."""
    configuration = context.configuration
    if not target:
        return list(configuration.all_instances)
    if target in configuration.applications:
        return list(configuration.instances(target))
    return instances(configuration, target)


async def _states(context: RequestContext, wanted: Iterable[str]) -> dict[str, InstanceState]:
    found: dict[str, InstanceState] = {}
    for one in wanted:
        found[one] = await state_of(context, one)
        if not len(found) % _AT_ONCE:
            await asyncio.sleep(0)
    return found


async def _followed(context: RequestContext, states: dict[str, InstanceState], takers: Takers) -> dict[str, Reason | None]:
    """The first reasons of all these instances, and of everybody whom their reasons lead to."""
    first: dict[str, Reason | None] = {}
    while states:
        reasons = {one: _reasons(context, one, state) for one, state in states.items()}
        first |= {one: headline(states[one].life, found) for one, found in reasons.items()}
        onward = {name for found in reasons.values() for reason in found for name in leads_to(reason, takers)}
        states = await _states(context, sorted(onward - first.keys()))
    return first


def _reasons(context: RequestContext, instance: str, state: InstanceState) -> list[Reason]:
    """What keeps it from going on now; nothing for one that has converged."""
    problem = context.engine.problem(instance_entity(instance))
    if problem:
        return [Reason(Code.ENGINE_PROBLEM, f"its turns do not succeed: {problem}", unblock="see setpoint doctor", failed=True)]
    if condition(state, context.steady) is Condition.CONVERGED:
        return []
    return present(state.life, explain(state, context.steady))


def _word(context: RequestContext, instance: str, state: InstanceState) -> str:
    return "broken" if context.engine.problem(instance_entity(instance)) else str(condition(state, context.steady))


def _counted(words: Iterable[str]) -> dict[str, int]:
    order = {"broken": -1} | {str(one): number for number, one in enumerate(Condition)}
    counted = Counter(words)
    return {word: counted[word] for word in sorted(counted, key=lambda word: order[word])}


def _view(one: Culprit) -> CulpritView:
    return CulpritView(
        reason=reason_view(one.reason, one.leaves[0]), leaves=list(one.leaves), behind=list(one.behind), through=list(one.through)
    )
