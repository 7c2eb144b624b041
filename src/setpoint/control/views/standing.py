"""What would hold a release that came now (§10.9), and the orders that have no end (§10.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

from setpoint.control.context import RequestContext
from setpoint.control.reading.states import state_of
from setpoint.control.views.reasons import ReasonView, reason_view
from setpoint.core.instance.gates import blockers, calendar
from setpoint.core.instance.gates.context import before
from setpoint.core.instance.state import InstanceState
from setpoint.core.scope import ScopeState, name_of
from setpoint.model.names import short_name
from setpoint.model.people import By
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import DAY, Instant

_UNBOUNDED = 7 * DAY
"""How old an order without an end is when `doctor` shows it."""
_ROWS = 100
"""So many instances, then the engine has its turn."""
_NOTHING = Offer(0, Version(""), "")
"""Stands for a release that comes now."""
_CODES = frozenset({Code.HELD, Code.OBSERVED_ONLY, Code.FROZEN, Code.PAUSED, Code.CALENDAR_CLOSED, Code.CADENCE_CLOSED})


class StopView(ReasonView):
    """A reason that would hold a release that came now."""

    instances: list[str]
    """Those that it holds."""


def stops(state: InstanceState, now: Instant) -> Iterator[Reason]:
    """What would hold a release that came to an instance now, whether or not one waits."""
    policy, life = state.policy, state.life
    if policy is None or state.removed:
        return
    yield from blockers.operator_blocks(policy, life, committed=False)
    if policy.calendars or policy.cadence:
        context = before(policy, life, _NOTHING, now)
        timetables = (*calendar.evaluate(context), *calendar.evaluate_cadence(context))
        yield from (reason for reason in timetables if reason.code in _CODES)


async def standing_stops(context: RequestContext, instances: Iterable[str]) -> list[StopView]:
    """Return the orders of many, each once with everything that it holds: those that hold most come first."""
    found: dict[tuple[str, str], list[tuple[str, Reason]]] = {}
    for number, instance in enumerate(instances, 1):
        for reason in stops(await state_of(context, instance), context.steady):
            found.setdefault((reason.code, reason.text), []).append((instance, reason))
        if not number % _ROWS:
            await asyncio.sleep(0)
    views = [stop_view([one for one, _ in held], held[0][1]) for held in found.values()]
    return sorted(views, key=lambda view: -len(view.instances))


def stop_view(instances: list[str], reason: Reason) -> StopView:
    """One stop as data."""
    return StopView(**dict(reason_view(reason, instances[0])), instances=instances)


async def endless(context: RequestContext) -> list[str]:
    """Sentences about orders of people that have stood for seven days and have no end."""
    found = [text async for text in _of_scopes(context)]
    for number, instance in enumerate(context.configuration.all_instances if context.applied else (), 1):
        found += _of_instance(context, instance, await state_of(context, instance))
        if not number % _ROWS:
            await asyncio.sleep(0)
    return found


async def _of_scopes(context: RequestContext) -> AsyncIterator[str]:
    for entity, state in await context.engine.scan("scope"):
        if isinstance(state, ScopeState):
            for what, one in (("stop of the line", state.stop), ("pause", state.pause)):
                if one and not one.until and _old(context, one.at):
                    yield _sentence(f"the {what} of {name_of(entity)}", one.by, one.at, context)


def _of_instance(context: RequestContext, instance: str, state: InstanceState) -> Iterator[str]:
    life = state.life
    for what, one in (("hold of", life.hold), ("order to only observe", life.observing)):
        if one and not one.until and _old(context, one.at):
            yield _sentence(f"the {what} {short_name(instance)}", one.by, one.at, context)
    if life.pinned_by and not life.pinned_until and _old(context, life.pinned_at):
        yield _sentence(f"the pin of {short_name(instance)}", life.pinned_by, life.pinned_at, context)


def _old(context: RequestContext, at: Instant) -> bool:
    return context.steady - at >= _UNBOUNDED


def _sentence(what: str, by: By, at: Instant, context: RequestContext) -> str:
    return f"{what} by {by.person} has stood for {(context.steady - at) // DAY} days and has no end{by.because}"
