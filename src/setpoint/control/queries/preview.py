"""Preview: what an apply would change. Shown before a person confirms it."""

from __future__ import annotations

import asyncio

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import lines
from setpoint.control.applying.exit_codes import changed_meanings
from setpoint.control.applying.files import Files, parse
from setpoint.control.applying.planning import ApplyPlan, AutomaticRelease, make_plan
from setpoint.control.applying.reconfiguring import ReconfigurationRequest
from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, query


class AutomaticView(Answer):
    """A release of versions that the apply would make: a service that needs no releases changed, or a channel is new."""

    application: str
    services: dict[str, str]
    """Service -> version."""
    channels: list[str]
    """Empty: everywhere."""
    instances: list[str]


class ConfigurationView(Answer):
    """A configuration release that the apply would make."""

    application: str
    services: list[str]
    instances: dict[str, str]
    """Instance -> what it takes: the configuration only, with which pending version, or no part, and why."""
    groups: dict[str, str]
    """Instance -> group of its channel; without those whose channel has none."""


class InstanceChangeView(Answer):
    """One change of one instance."""

    instance: str
    what: str
    path: str
    old: str
    new: str
    origin: str


class Preview(Answer):
    """The difference between what is in force and what was given."""

    plan: str
    """For ``expect`` of ``apply``."""
    old: str
    new: str
    first: bool
    """Nothing was applied before."""
    changes: list[InstanceChangeView]
    lines: list[str]
    """The same for reading: equal changes of several instances shown once."""
    releases: list[AutomaticView]
    configurations: list[ConfigurationView]
    waiting: list[str]
    kept: dict[str, str]
    """Instance that leaves -> version that runs on there."""
    down: dict[str, str]
    """Instance that leaves -> version that is taken down."""
    shrinking: dict[str, tuple[int, int]]
    """Group that loses more than half of its channels -> how many of how many: to be confirmed by name."""
    notices: list[str]
    """What is declared and not acted on by this version, one line for each sort; and checks whose last exit code gets another
    result."""
    refusals: list[str]
    """Why `apply` refuses it, although it is in order."""


@query("preview", Permission.CONFIGURE, Files, Preview, "What applying a configuration would change and release.")
async def preview(context: RequestContext, request: Files) -> Preview:
    """Changes nothing."""
    configuration, _ = await parse(context.services, request)
    plan = await make_plan(context, configuration)
    meanings = await changed_meanings(context.services, configuration.exit_codes)
    return await asyncio.to_thread(_shown, configuration, plan, meanings)


def _shown(configuration: CompiledConfiguration, plan: ApplyPlan, meanings: list[str]) -> Preview:
    return Preview(
        plan=plan.digest,
        old=plan.old,
        new=plan.new_digest,
        first=not plan.old,
        changes=[InstanceChangeView(**{name: getattr(one, name) for name in one.__struct_fields__}) for one in plan.changes],
        lines=lines(plan.changes),
        releases=[_view(one) for one in plan.releases],
        configurations=[_configuration(configuration, one) for one in plan.configurations if one.changed and not one.rides],
        waiting=plan.waiting,
        kept=plan.removals.kept,
        down=plan.removals.down,
        shrinking=plan.removals.shrinking,
        notices=[*configuration.notices, *meanings],
        refusals=configuration.refusals,
    )


def _configuration(configuration: CompiledConfiguration, made: ReconfigurationRequest) -> ConfigurationView:
    groups = {one: configuration.labels(f"{made.application}/{one}").get("group", "") for one in made.shown}
    return ConfigurationView(
        application=made.application,
        services=made.changed,
        instances=made.shown,
        groups={one: group for one, group in groups.items() if group},
    )


def _view(release: AutomaticRelease) -> AutomaticView:
    services = {name: wish.version for name, wish in release.wishes.items()}
    return AutomaticView(
        application=release.application, services=services, channels=release.channels, instances=release.instances
    )
