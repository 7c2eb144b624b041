"""Carrying out a plan: the configuration comes into force, actors receive what concerns them, releases are made (§10.1)."""

from __future__ import annotations

import msgspec

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.applying.planning import ApplyPlan, AutomaticRelease, compile_release
from setpoint.control.applying.reconfiguring import submit_configuration
from setpoint.control.context import RequestContext, Services
from setpoint.control.reading import limits
from setpoint.control.reading.states import everybody, instances_of
from setpoint.control.releasing.compiling import Compiled
from setpoint.control.releasing.submitting import same_versions, submit
from setpoint.core.facts import AnyFact, Configured, InvariantConfigured, Removed
from setpoint.core.instance.state import InstanceState
from setpoint.core.invariants.actor import InvariantState
from setpoint.engine.effects import RuntimeDefinition
from setpoint.model.names import instance_entity, invariant_entity, key_of
from setpoint.model.people import ENGINE
from setpoint.model.release import Release

KIND = "configuration"
FINISHED = "finished"
PENDING = "pending"


class Progress(msgspec.Struct, frozen=True):
    """How far an apply got: a revision, and the instances that it brought."""

    revision: int
    new: list[str] = []
    down: list[str] = []
    """What has left and is taken down."""
    person: str = ENGINE.person


async def adopt(services: Services, configuration: CompiledConfiguration) -> None:
    """Put a configuration into force."""
    definitions = {name: RuntimeDefinition(one.kind, one.options, one.tree) for name, one in configuration.runtimes.items()}
    places = {instance: configuration.policy(instance).labels["runtime"] for instance in configuration.all_instances}
    await services.effects.set_runtimes(definitions, places)
    services.applied, services.unreadable = configuration, ""


async def carry_out(
    context: RequestContext, configuration: CompiledConfiguration, plan: ApplyPlan, progress: Progress
) -> tuple[dict[str, int], dict[str, int]]:
    """Application -> its newest release, and -> its configuration release."""
    services = context.services
    await adopt(services, configuration)
    number = progress.revision
    events = [
        *await limits.configured(services, configuration, number),
        *await _policies(services, configuration, number),
        *await _removals(services, configuration, number, progress.down),
        *await _invariants(services, configuration, number),
    ]
    await services.engine.post_all(events)
    configurations: dict[str, int] = {}
    for changed in plan.configurations:
        made = await submit_configuration(context, configuration, changed, progress.revision, plan.new, plan.starting)
        configurations |= {changed.application: made} if made else {}
    releases = dict(configurations)
    for wanted in plan.releases:
        number = await _release(context, wanted, f"apply:{progress.revision}:{wanted.application}:{wanted.digest}")
        releases[wanted.application] = max(number, releases.get(wanted.application, 0))
    await services.stores.records.put(KIND, FINISHED, progress.revision)
    return releases, configurations


async def _policies(services: Services, configuration: CompiledConfiguration, number: int) -> list[tuple[str, AnyFact]]:
    found: list[tuple[str, AnyFact]] = []
    for instance in configuration.all_instances:
        state = await services.engine.read(instance_entity(instance))
        policy = configuration.policy(instance)
        if not isinstance(state, InstanceState) or state.policy != policy or state.removed:
            found.append((instance_entity(instance), Configured(policy=policy, number=number)))
    return found


async def _removals(
    services: Services, configuration: CompiledConfiguration, number: int, down: list[str]
) -> list[tuple[str, AnyFact]]:
    configured = {instance_entity(instance) for instance in configuration.all_instances}
    return [
        (entity, Removed(number=number, down=key_of(entity) in down))
        async for entity, state in instances_of(services)
        if entity not in configured and not state.removed
    ]


async def _invariants(services: Services, configuration: CompiledConfiguration, number: int) -> list[tuple[str, AnyFact]]:
    """Those that are new or changed, and those that are gone."""
    found: list[tuple[str, AnyFact]] = []
    for name, invariant in configuration.invariants.items():
        state = await services.engine.read(invariant_entity(name))
        if not isinstance(state, InvariantState) or state.invariant != invariant:
            found.append((invariant_entity(name), InvariantConfigured(number=number, invariant=invariant)))
    async for entity, state in everybody(services, "invariant"):
        if key_of(entity) not in configuration.invariants and state.invariant is not None:
            found.append((entity, InvariantConfigured(number=number)))
    return found


async def _release(context: RequestContext, wanted: AutomaticRelease, request: str) -> int:
    """What was compiled for the plan is released; only what the line does not take any more is compiled again."""
    planned: Compiled | None = wanted.compiled

    async def make() -> tuple[Release, Compiled]:
        nonlocal planned
        compiled = planned or await compile_release(context, context.configuration, wanted)
        planned = None
        release = Release(
            application=wanted.application,
            services=compiled.services | same_versions(wanted.versions, compiled),
            channels=tuple(wanted.channels),
            author=context.person.name,
            reason=wanted.why,
            automatic=True,
        )
        return release, compiled

    return await submit(context, make, request)
