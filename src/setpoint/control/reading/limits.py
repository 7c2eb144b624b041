"""Limits as control sees them: the waves of the configuration, and what admission would decide for an instance now."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.context import RequestContext, Services
from setpoint.control.errors import NotFound
from setpoint.core.admission import ENTITY, AdmissionState, why
from setpoint.core.admission.state import WaveProgress
from setpoint.core.facts import AnyFact, LimitsConfigured
from setpoint.core.instance.state import InstanceState
from setpoint.model.names import instance_entity, request_key, short_name


async def admission(services: Services) -> AdmissionState:
    """What admission remembers."""
    found = await services.engine.read(ENTITY)
    return found if isinstance(found, AdmissionState) else AdmissionState()


async def configured(services: Services, configuration: CompiledConfiguration, number: int) -> list[tuple[str, AnyFact]]:
    """Return the events for admission if the waves of a configuration have changed."""
    known = await admission(services)
    if known.groups == configuration.groups:
        return []
    return [(ENTITY, LimitsConfigured(number=number, groups=configuration.groups))]


def rosters(configuration: CompiledConfiguration, instances: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Group -> those of a release's instances that begin with its waves."""
    found: dict[str, list[str]] = {}
    for instance in instances:
        wave = configuration.policy(instance).wave
        if wave is not None:
            found.setdefault(wave.group, []).append(instance)
    return {group: tuple(members) for group, members in found.items()}


async def as_of_now(context: RequestContext, instance: str, state: InstanceState) -> InstanceState:
    """Return the state with admission's current reasons: admission reports every change only to the first in its queue."""
    candidate = state.life.candidate
    if candidate is None or candidate.admission is None or candidate.admission.granted:
        return state
    known = await admission(context.services)
    request = known.requests.get(request_key(instance_entity(instance), candidate.number))
    if request is None or request.request_id != candidate.admission.request_id:
        return state
    current = replace(candidate.admission, reasons=tuple(why(known, request, context.steady)))
    return replace(state, life=replace(state.life, candidate=replace(candidate, admission=current)))


def group_named(configuration: CompiledConfiguration, text: str) -> str:
    """``application/group`` of a group with limits; empty: there is none of that name. Raises NotFound for several."""
    found = sorted(group for group in configuration.groups if text in {group, short_name(group)})
    if len(found) > 1:
        raise NotFound(f'"{text}" is a group of several applications.', f"Write one of: {', '.join(found)}.")
    return found[0] if found else ""


async def stopped(context: RequestContext, group: str) -> dict[int, WaveProgress]:
    """Releases that stopped in a group because too many had failed, ascending."""
    found = [one for one in (await admission(context.services)).wave_progress.values() if one.group == group and one.stopped]
    return {one.release: one for one in sorted(found, key=lambda one: one.release)}
