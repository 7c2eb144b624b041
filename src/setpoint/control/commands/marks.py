"""Marks on versions and releases: bad, good again, cancelled. They reach every instance of the application."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Decided, NotFound, Refused
from setpoint.control.orders import in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import line_of
from setpoint.control.reading.targets import application as find_application
from setpoint.control.reading.targets import service as find_service
from setpoint.control.reading.targets import suggestion
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import Cancelled, Marked
from setpoint.core.line import LineState
from setpoint.model.names import line_entity, version_key


class MarkRequest(Request):
    """Which version, and why."""

    service: str
    version: str
    application: str = ""
    why: str = Field("", max_length=2000)


class MarkAnswer(Answer):
    """What was marked."""

    application: str
    service: str
    version: str
    unchanged: bool = False
    """The mark stood already, with this reason: there was nothing to change."""


class CancelRequest(Request):
    """Which release, and why."""

    release: int = Field(ge=1)
    application: str = ""
    why: str = Field("", max_length=2000)


class CancelAnswer(Answer):
    """What was cancelled."""

    application: str
    release: int


def bad(line: LineState, service: str, version: str) -> bool:
    """Whether a version is marked bad."""
    return version_key(service, version) in line.bad


def refuse_bad(line: LineState, service: str, version: str) -> None:
    """Raises Refused for a version that is marked bad: no instance goes there before it is marked good."""
    if bad(line, service, version):
        mark = line.bad[version_key(service, version)]
        raise Refused(
            f"{service} {version} was marked bad by {mark.by.person}{mark.by.because}.",
            f"If that was wrong: `setpoint mark-good {service}={version}`.",
        )


@command(
    "mark-bad",
    Permission.MARK,
    MarkRequest,
    MarkAnswer,
    "Mark a version bad: its rollouts fail, its candidates end, nothing selects it; what is finalized stays until a person acts.",
    subject=lambda request: f"{request.service}={request.version}",
)
@in_turn
async def mark_bad(context: RequestContext, request: MarkRequest) -> MarkAnswer:
    """Every configuration revision of the version is meant. It must have been released: a misspelt name would guard nothing."""
    owner, line = await _line(context, request)
    known = {one.services[request.service].version.name for one in line.releases if request.service in one.services}
    if request.version not in known:
        message = f"{request.service} {request.version} was never released, or long ago."
        raise NotFound(message, suggestion(request.version, known, "release"))
    mark = line.bad.get(version_key(request.service, request.version))
    if mark and request.why in {"", mark.by.why}:
        return MarkAnswer(application=owner, service=request.service, version=request.version, unchanged=True)
    return await _mark(context, request, owner, is_bad=True)


@command(
    "mark-good",
    Permission.MARK,
    MarkRequest,
    MarkAnswer,
    "Take a bad mark away, and lift the version's vetoes everywhere.",
    subject=lambda request: f"{request.service}={request.version}",
)
@in_turn
async def mark_good(context: RequestContext, request: MarkRequest) -> MarkAnswer:
    """Also of use without a mark: a version that was vetoed for a reason outside it."""
    owner, _ = await _line(context, request)
    return await _mark(context, request, owner, is_bad=False)


async def _line(context: RequestContext, request: MarkRequest) -> tuple[str, LineState]:
    owner = find_application(context.configuration, request.application, having=request.service)
    find_service(context.configuration, owner, request.service)
    return owner, await line_of(context, owner)


async def _mark(context: RequestContext, request: MarkRequest, owner: str, *, is_bad: bool) -> MarkAnswer:
    by = context.by(request.why)
    fact = Marked(by=by, id=context.request, service=request.service, version=request.version, bad=is_bad)
    await post(context, {line_entity(owner): fact})
    return MarkAnswer(application=owner, service=request.service, version=request.version)


@command(
    "cancel",
    Permission.RELEASE,
    CancelRequest,
    CancelAnswer,
    "Cancel a release: its candidates end, its rollouts go back to good; where it is finalized it stays.",
    subject=lambda request: f"release {request.release}",
)
@in_turn
async def cancel(context: RequestContext, request: CancelRequest) -> CancelAnswer:
    """A release is cancelled once and for all: release the version again to bring it after all."""
    owner = find_application(context.configuration, request.application)
    line = await line_of(context, owner)
    if request.release > line.number:
        raise NotFound(f'"{owner}" has no release {request.release}.', "See `setpoint releases`.")
    known = line.cancelled.get(request.release)
    if known and context.request not in line.signals:
        raise Decided(
            f"Release {request.release} was cancelled by {known.by.person}{known.by.because}.", "There is nothing to change."
        )
    await post(context, {line_entity(owner): Cancelled(by=context.by(request.why), id=context.request, release=request.release)})
    return CancelAnswer(application=owner, release=request.release)
