"""What an apply would do: the changes, and the releases that follow from them by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import InstanceChange, difference
from setpoint.control.applying.reconfiguring import ReconfigurationRequest, reconfigure
from setpoint.control.applying.removals import Removals, removals
from setpoint.control.applying.starting import ChannelStart, starts
from setpoint.control.context import RequestContext
from setpoint.control.errors import ControlError
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.releasing.compiling import Compiled, Wish, compile_all, followers, named
from setpoint.model.names import channel_of, parse_instance, service_of, within
from setpoint.model.policy import Strategy
from setpoint.model.release import ServiceVersion
from setpoint.model.spec import Source, digest


@dataclass
class AutomaticRelease:
    """One release that a changed configuration makes."""

    application: str
    wishes: dict[str, Wish]
    instances: list[str]
    """Named ones and those that follow."""
    channels: list[str] = field(default_factory=list)
    """Empty: everywhere. Where only channels are new: those."""
    why: str = "the configuration of what runs changed"
    versions: dict[str, ServiceVersion] = field(default_factory=dict)
    """Service -> the very version, where it is one that was released before."""
    compiled: Compiled = field(default_factory=Compiled)
    """With the line as it was when the plan was made."""

    @property
    def digest(self) -> str:
        """Distinguishes two of one apply."""
        return digest([self.application, {name: wish.version for name, wish in self.wishes.items()}, self.channels])


@dataclass
class ApplyPlan:
    """Shown by ``preview``, done by ``apply``."""

    old: str
    new_digest: str
    changes: list[InstanceChange]
    new: list[str]
    """Instances that were never configured."""
    releases: list[AutomaticRelease] = field(default_factory=list)
    configurations: list[ReconfigurationRequest] = field(default_factory=list)
    """Changed configurations of versions that were released before (§10.1)."""
    waiting: list[str] = field(default_factory=list)
    starting: frozenset[str] = frozenset()
    """Those of ``new`` that start with what another channel finalized."""
    removals: Removals = field(default_factory=Removals)

    @property
    def digest(self) -> str:
        """What was shown is what is applied: of everything shown."""
        return digest(
            [
                self.old,
                self.new_digest,
                [str(change) for change in self.changes],
                [one.digest for one in self.releases],
                [one.identity for one in self.configurations],
                sorted(self.removals.down),
            ]
        )


async def make_plan(
    context: RequestContext, configuration: CompiledConfiguration, *, new: Sequence[str] | None = None
) -> ApplyPlan:
    """Compare with what is in force and with what was released. ``new``: instances that an interrupted apply brought."""
    applied = context.applied
    brought = (
        list(new)
        if new is not None
        else [one for one in configuration.all_instances if (await state_of(context, one)).policy is None]
    )
    plan = ApplyPlan(
        applied.digest if applied else "",
        configuration.digest,
        await asyncio.to_thread(difference, applied, configuration),
        brought,
        removals=await removals(context, configuration),
    )
    for application in configuration.applications:
        await _plan_application(context, configuration, application, plan)
    return plan


async def _plan_application(
    context: RequestContext, configuration: CompiledConfiguration, application: str, plan: ApplyPlan
) -> None:
    line = await line_of(context, application)
    changed: dict[str, Wish] = {}
    extended: dict[str, Wish] = {}
    starting = await starts(context, configuration, application, plan.new)
    plan.starting |= {one for start in starting for one in start.instances}
    for service in configuration.services(application):
        if configuration.needs_release(application, service):
            if service not in line.latest:
                plan.waiting.append(f"{within(application, service)}: nothing was released yet; release a version")
            continue
        wish = Wish(configuration.revision(application, service), {}, Source())
        latest = line.latest.get(service)
        if latest is None or latest.version.revision != configuration.revision(application, service):
            changed[service] = wish
        elif _brought(plan, application, service):
            extended[service] = wish
    reconfiguration = await reconfigure(context, configuration, application, plan.new, plan.starting)
    if reconfiguration.needed:
        plan.configurations.append(reconfiguration)
    if reconfiguration.rides:
        riding = "what it runs changed; that rides on its next release"
        plan.waiting.extend(f"{within(application, service)}: {riding}" for service in reconfiguration.changed)
    await _add(context, configuration, application, changed, [], plan)
    await _extend(context, configuration, application, extended, plan)
    for start in starting:
        await _start(context, configuration, application, start, plan)


async def _start(
    context: RequestContext, configuration: CompiledConfiguration, application: str, start: ChannelStart, plan: ApplyPlan
) -> None:
    """After any other release, so that it is the newest there."""
    wishes: dict[str, Wish] = {
        service: Wish(offer.version.name, dict(offer.parameters), offer.source, offer.images)
        for service, offer in start.offers.items()
    }
    release = AutomaticRelease(
        application,
        wishes,
        [*start.instances, *followers(configuration, application, start.instances)],
        start.channels,
        f"{', '.join(start.channels)} starts with what {start.origin} finalized",
        {
            name: ServiceVersion(offer.version, offer.parameters, offer.source, offer.images)
            for name, offer in start.offers.items()
        },
    )
    await _propose(context, configuration, release, plan)


async def _extend(
    context: RequestContext, configuration: CompiledConfiguration, application: str, wishes: dict[str, Wish], plan: ApplyPlan
) -> None:
    """Services that did not change, in channels that are new: only these are named."""
    places = sorted({channel_of(one) for service in wishes for one in _brought(plan, application, service)})
    mirroring = {one.name for one in configuration.channels(application) if one.mirror}
    if wishes and places:
        await _add(
            context, configuration, application, wishes, [name for name in places if name not in mirroring], plan, mirrors=places
        )


async def _add(
    context: RequestContext,
    configuration: CompiledConfiguration,
    application: str,
    wishes: dict[str, Wish],
    channels: list[str],
    plan: ApplyPlan,
    *,
    mirrors: Sequence[str] = (),
) -> None:
    if not wishes:
        return
    to = named(configuration, application, wishes, channels) if channels or not mirrors else []
    to = [one for one in to if one not in plan.starting]
    behind = followers(configuration, application, to)
    behind += [one for one in _of(configuration, application, wishes, mirrors) if one not in (*to, *behind)]
    await _propose(context, configuration, AutomaticRelease(application, wishes, [*to, *behind], channels), plan)


async def _propose(
    context: RequestContext, configuration: CompiledConfiguration, release: AutomaticRelease, plan: ApplyPlan
) -> None:
    """Only what can be compiled."""
    try:
        release.compiled = await compile_release(context, configuration, release)
    except ControlError as error:
        plan.waiting.append(f"{release.application}: {error.message}")
        return
    if release.instances:
        plan.releases.append(release)


async def compile_release(context: RequestContext, configuration: CompiledConfiguration, release: AutomaticRelease) -> Compiled:
    """Compile it with the line as it is now. Raises ControlError."""
    line = await line_of(context, release.application)
    return await compile_all(configuration, line, release.application, release.wishes, release.instances)


def _of(configuration: CompiledConfiguration, application: str, services: dict[str, Wish], places: Sequence[str]) -> list[str]:
    mirroring = [one for one in configuration.instances(application) if configuration.policy(one).strategy is Strategy.MIRROR]
    return [one for one in mirroring if service_of(one) in services and channel_of(one) in places]


def _brought(plan: ApplyPlan, application: str, service: str) -> list[str]:
    return [one for one in plan.new if parse_instance(one)[:2] == (application, service) and one not in plan.starting]
