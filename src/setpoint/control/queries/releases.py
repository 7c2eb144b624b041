"""Releases: what was requested, by whom, and how far it got."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import line_of, state_of
from setpoint.control.reading.targets import application as find_application
from setpoint.control.registry import Answer, Request, query
from setpoint.control.views.shown import by_wall
from setpoint.core.instance.selection import vetoed_releases
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.model.names import channel_of, service_of
from setpoint.model.release import Release
from setpoint.model.spec import Scalar
from setpoint.model.time import Instant


class ReleasesRequest(Request):
    """Of which application."""

    application: str = ""
    limit: int = Field(20, ge=1, le=100)


class ReleaseView(Answer):
    """One release."""

    number: int
    kind: str
    """``version``, or ``configuration``: made by `apply`, it changes what runs and keeps versions."""
    services: dict[str, str]
    parameters: dict[str, dict[str, Scalar]]
    images: dict[str, dict[str, str]]
    """Service -> image -> digest that its tag was resolved to."""
    channels: list[str]
    author: str
    reason: str
    labels: dict[str, str]
    urgent: bool
    automatic: bool
    at: Instant
    revisions: dict[str, str]
    """Of a release of kind configuration: service -> its new configuration revision; it has no versions."""
    instances: int
    """Number of the instances of its services in its channels."""
    good_in: list[str]
    """Instances whose *good* it is."""
    vetoed_in: list[str]


class Releases(Answer):
    """Newest first."""

    application: str
    releases: list[ReleaseView]


@query(
    "releases",
    Permission.VIEW,
    ReleasesRequest,
    Releases,
    "The newest releases of an application, and where they are good or vetoed.",
)
async def releases(context: RequestContext, request: ReleasesRequest) -> Releases:
    """Newest first."""
    configuration = context.configuration
    owner = find_application(configuration, request.application)
    line = await line_of(context, owner)
    states = {one: await state_of(context, one) for one in configuration.instances(owner)}
    newest = list(reversed(line.releases))[: request.limit]
    return by_wall(Releases(application=owner, releases=[_view(release, states) for release in newest]), context)


def _concerns(release: Release, instance: str) -> bool:
    services = release.revisions if release.configures else release.services
    return service_of(instance) in services and (not release.channels or channel_of(instance) in release.channels)


def _is_good(state: InstanceState, number: int) -> bool:
    good = offer_of(state.life, state.life.good)
    configuration = good.configuration.release if good and good.configuration else 0
    return number in {state.life.good.release, configuration}


def _view(release: Release, states: dict[str, InstanceState]) -> ReleaseView:
    return ReleaseView(
        number=release.number,
        kind="configuration" if release.configures else "version",
        services={name: wanted.version.name for name, wanted in release.services.items()},
        parameters={name: wanted.parameters for name, wanted in release.services.items() if wanted.parameters},
        images={name: wanted.images for name, wanted in release.services.items() if wanted.images},
        channels=list(release.channels),
        author=release.author,
        reason=release.reason,
        labels=release.labels,
        urgent=release.urgent,
        automatic=release.automatic,
        at=release.at,
        revisions=release.revisions,
        instances=sum(_concerns(release, one) for one in states),
        good_in=[one for one, state in states.items() if _is_good(state, release.number)],
        vetoed_in=[one for one, state in states.items() if release.number in vetoed_releases(state.life)],
    )
