"""Status: what is wrong, what is waited for, what runs – of one application or of all."""

from __future__ import annotations

import asyncio

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import application as find_application
from setpoint.control.reading.targets import instances as find_instances
from setpoint.control.registry import Answer, Request, query
from setpoint.control.views.orphans import Leftover, leftovers
from setpoint.control.views.overview import InstanceView, view
from setpoint.control.views.shown import by_wall
from setpoint.control.views.standing import StopView, standing_stops
from setpoint.model.names import channel_of, instance_entity, service_of

_ROWS = 100
"""So many rows, then the engine has its turn."""


class StatusRequest(Request):
    """Of what."""

    application: str = ""
    """Empty: every application."""
    target: str = ""
    """An instance, a channel or a group; empty: everything."""


class ApplicationView(Answer):
    """One application."""

    name: str
    release: int
    """The newest."""
    services: list[str]
    channels: list[str]
    """Each after those that it comes after."""
    groups: dict[str, list[str]]
    """Group -> its channels."""
    instances: list[InstanceView]
    failed: int
    you: int
    """How many wait for the caller."""
    settled: int
    stops: list[StopView] = Field(default_factory=list)
    """What would hold a release that came now, whether or not one waits: stops, pauses, closed calendars."""


class Status(Answer):
    """Everything that was requested."""

    now: int
    person: str
    engine: str
    """``serving``, or what is wrong with it."""
    configured: bool
    notices: list[str]
    """Selectors of the configuration in force that match nothing now, each with its place."""
    applications: list[ApplicationView]


@query(
    "status",
    Permission.VIEW,
    StatusRequest,
    Status,
    "What runs where, what is wanted, and the reason that matters most for each difference.",
)
async def status(context: RequestContext, request: StatusRequest) -> Status:
    """Committed states, as they are now."""
    configuration = context.applied
    health = context.engine.health()
    applications = []
    if configuration is not None:
        chosen = set(find_instances(configuration, request.target)) if request.target else None
        owners = [find_application(configuration, request.application)] if request.application else configuration.applications
        for owner in owners:
            mine = [one for one in configuration.instances(owner) if chosen is None or one in chosen]
            if mine or chosen is None:
                applications.append(await _application(context, owner, mine))
    elif request.target or request.application or context.services.unreadable:
        context.configuration  # noqa: B018 - raises, saying why there is none
    engine = health.status if not health.reason else f"{health.status}: {health.reason}"
    found = Status(
        now=context.now,
        person=context.person.name,
        engine=engine,
        configured=configuration is not None,
        notices=configuration.unmatched if configuration is not None else [],
        applications=applications,
    )
    return by_wall(found, context)


async def _application(context: RequestContext, owner: str, instances: list[str]) -> ApplicationView:
    configuration = context.configuration
    channels = [one.name for one in configuration.channels(owner)]
    services = configuration.services(owner)
    first = {name: number for number, name in enumerate(services)}
    order = {name: number for number, name in enumerate(channels)}
    rows: list[InstanceView] = []
    for one in sorted(instances, key=lambda one: (first[service_of(one)], order[channel_of(one)])):
        problem = context.engine.problem(instance_entity(one))
        rows.append(view(one, await state_of(context, one), context.steady, viewer=context.person, problem=problem))
        if not len(rows) % _ROWS:
            await asyncio.sleep(0)
    return ApplicationView(
        name=owner,
        release=(await line_of(context, owner)).number,
        services=services,
        channels=channels,
        groups={name: list(members) for name, members in configuration.members(owner).items()},
        instances=rows,
        failed=sum(row.attention == "failed" for row in rows),
        you=sum(row.attention == "you" for row in rows),
        settled=sum(row.settled for row in rows),
        stops=await standing_stops(context, instances),
    )


class OrphansRequest(Request):
    """Everything."""


class Orphans(Answer):
    """In order of names."""

    orphans: list[Leftover]


@query("orphans", Permission.VIEW, OrphansRequest, Orphans, "What runs on although it is no longer configured.")
async def orphans(context: RequestContext, request: OrphansRequest) -> Orphans:  # noqa: ARG001 - it has no fields
    """Return what was seen last: none of it is observed any more."""
    return Orphans(orphans=await leftovers(context))
