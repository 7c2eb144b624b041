"""Timeline: what each instance was at when, as spans; drawn from history, so it shows what was decided and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import application as find_application
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, query
from setpoint.model.names import application_of, channel_of, instance_entity
from setpoint.model.time import Instant
from setpoint.store.port import Line

_PAGE = 2_000
MOST_LINES = 200_000
"""Older lines than these are not read."""


class TimelineRequest(Request):
    """Of what, and since when."""

    application: str = ""
    target: str = ""
    """An instance, channel or group; empty: the whole application."""
    since: Instant = Field(0, ge=0)
    """0: from the beginning."""
    until: Instant = Field(0, ge=0)
    """0: until now."""


class SpanView(Answer):
    """One stretch of one attempt, or of what runs."""

    kind: str
    """``waiting`` (gathers its gates), ``deploying``, ``verifying``, ``rolling-back``, or ``running``: finalized."""
    version: str
    release: int
    configuration: int
    """The configuration release that it comes with; 0: in the version release's own configuration."""
    attempt: int
    begins: Instant
    ends: Instant | None
    """None: it goes on."""
    outcome: str = ""
    """How it ended, where an attempt ended with it: ``converged``, ``replaced``, ``failed``, ``rolled-back`` …"""
    text: str = ""
    """The sentence that history has of its end."""


class LaneView(Answer):
    """One instance."""

    instance: str
    spans: list[SpanView]
    """Ascending by beginning; what waits overlaps with what runs."""


class Timeline(Answer):
    """Lanes in the order of the configuration: channels after those that they come after."""

    application: str
    begins: Instant
    ends: Instant
    lanes: list[LaneView]
    groups: dict[str, list[str]]
    """Name of each group, and its channels."""


@query(
    "timeline", Permission.VIEW, TimelineRequest, Timeline, "What each instance waited for, deployed, verified and ran, and when."
)
async def timeline(context: RequestContext, request: TimelineRequest) -> Timeline:
    """What began before ``since`` and lasted until then is shown from its beginning, as far as history reaches."""
    configuration = context.configuration
    owner, wanted = _wanted(context, request)
    lines = await _lines(context, owner, request.until)
    until = request.until or context.now
    lanes = [LaneView(instance=one, spans=spans(lines.get(instance_entity(one), ()), request.since)) for one in wanted]
    order = {one.name: number for number, one in enumerate(configuration.channels(owner))}
    lanes.sort(key=lambda lane: (order.get(channel_of(lane.instance), len(order)), lane.instance))
    begins = request.since or min((span.begins for lane in lanes for span in lane.spans), default=until)
    groups = {name: list(members) for name, members in configuration.members(owner).items()}
    return Timeline(application=owner, begins=begins, ends=until, lanes=lanes, groups=groups)


def _wanted(context: RequestContext, request: TimelineRequest) -> tuple[str, list[str]]:
    configuration = context.configuration
    if request.target:
        chosen = instances(configuration, request.target)
        return application_of(chosen[0]), chosen
    owner = find_application(configuration, request.application)
    return owner, configuration.instances(owner)


async def _lines(context: RequestContext, application: str, until: Instant) -> dict[str, list[Line]]:
    """Entity -> its lines, oldest first."""
    found: list[Line] = []
    before = 0
    while len(found) < MOST_LINES:
        page = await context.stores.history.lines(application=application, until=until, before=before, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            break
        before = page[-1].seq
    lanes: dict[str, list[Line]] = {}
    for line in reversed(found):
        lanes.setdefault(line.entity, []).append(line)
    return lanes


@dataclass
class _Lane:
    """Spans so far, and the open ones: of the candidate, of the rollout, of what is finalized."""

    done: list[SpanView] = field(default_factory=list)
    open: dict[str, SpanView] = field(default_factory=dict)

    def begin(self, slot: str, kind: str, line: Line) -> None:
        event = line.event
        self.end(slot, line)
        self.open[slot] = SpanView(
            kind=kind,
            version=event.version,
            release=event.release,
            configuration=event.configuration,
            attempt=event.attempt,
            begins=line.at,
            ends=None,
        )

    def end(self, slot: str, line: Line, outcome: str = "") -> None:
        span = self.open.pop(slot, None)
        if span:
            closing = {"outcome": outcome, "text": line.event.text if outcome else ""}
            self.done.append(span.model_copy(update={"ends": max(line.at, span.begins), **closing}))


def spans(lines: Iterable[Line], since: Instant = 0) -> list[SpanView]:
    """The spans of one instance's lines (oldest first) that touch the time from ``since`` on."""
    lane = _Lane()
    for line in lines:
        _take(lane, line)
    everything = [*lane.done, *lane.open.values()]
    return sorted(
        (span for span in everything if span.ends is None or span.ends > since), key=lambda span: (span.begins, span.attempt)
    )


def _take(lane: _Lane, line: Line) -> None:
    event = line.event
    match event.kind:
        case "attempt-started":
            lane.begin("candidate", "waiting", line)
        case "target-moved":
            lane.end("candidate", line)
            lane.begin("rollout", "deploying", line)
        case "phase-entered" if event.phase == "post-deployment":
            lane.begin("rollout", "verifying", line)
        case "rolling-back":
            lane.begin("rollout", "rolling-back", line)
        case "finalized":
            lane.end("candidate" if "rollout" not in lane.open else "rollout", line, event.outcome)
            lane.begin("good", "running", line)
        case "failed" | "rolled-back":
            lane.end("rollout", line, event.outcome)
        case "attempt-ended":
            slot = next((slot for slot, span in lane.open.items() if span.attempt == event.attempt and slot != "good"), "")
            lane.end(slot, line, event.outcome)
        case _:
            pass


__all__ = ["Timeline", "spans", "timeline"]
