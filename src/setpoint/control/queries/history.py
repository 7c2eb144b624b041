"""History: what was decided, in sentences; and the same as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Unavailable
from setpoint.control.permissions import Permission
from setpoint.control.queries.concern import Concern, concern
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, query, stream
from setpoint.model.time import Instant
from setpoint.store.following import follow_changes
from setpoint.store.port import Line, StoreError, UnknownNumber


class Filter(Request):
    """Which lines."""

    application: str = ""
    target: str = ""
    """An instance, a channel or a group; empty: everything."""


class HistoryRequest(Filter):
    """How many of them, and which."""

    before: int = Field(0, ge=0)
    """Number of a line: older ones than that; 0: the newest."""
    since: Instant = Field(0, ge=0)
    kinds: list[str] = Field(default_factory=list, max_length=100)
    """``released``, ``finalized``, ``failed`` …; empty: all."""
    release: int = Field(0, ge=0)
    """Of a configuration release: also the attempts that it came with. 0: all."""
    limit: int = Field(50, ge=1, le=1000)


class EventsRequest(Filter):
    """From where on."""

    after: int | None = None
    """Number of a line or of a change: everything after it comes, once. None: from now on."""


class EventView(Answer):
    """One line."""

    number: int
    at: Instant
    entity: str
    application: str
    kind: str
    text: str
    release: int
    configuration: int
    """The configuration release that the attempt comes with; 0: none."""
    version: str
    attempt: int
    phase: str
    person: str
    why: str
    outcome: str
    link: str = ""
    """Of a person's act: an incident or a ticket."""
    counts_for: list[str] = Field(default_factory=list)
    """Of an approval or a rejection: every instance that it counts for."""


class HistoryPage(Answer):
    """Newest first."""

    events: list[EventView]


_PAGE = 500
KINDS = frozenset(
    {
        "adopted",
        "attempt-started",
        "attempt-ended",
        "drift",
        "expired",
        "failed",
        "finalized",
        "phase-entered",
        "released",
        "rolled-back",
    }
    | {"rolling-back", "signal", "target-moved", "violated", "vote"}
)
"""Kinds that every history may have, whether it has them yet or not; further ones are known once they are there."""


@query("history", Permission.VIEW, HistoryRequest, HistoryPage, "What was decided, newest first.")
async def history(context: RequestContext, request: HistoryRequest) -> HistoryPage:
    """Reads on until there are enough lines that fit."""
    wanted = await _concern(context, request)
    found: list[EventView] = []
    before = request.before
    few = len(wanted.instances) == 1
    while len(found) < request.limit:
        page = await context.stores.history.lines(
            entities=wanted.entities if few else (),
            prefixes=sorted(wanted.topics) if few else (),
            application=request.application,
            since=request.since,
            before=before,
            limit=_PAGE,
        )
        found.extend(_view(line, wanted) for line in page if _fits(line, wanted, request))
        if len(page) < _PAGE:
            break
        before = page[-1].seq
    if not found and request.kinds:
        await _check_kinds(context, request.kinds)
    return HistoryPage(events=found[: request.limit])


async def _check_kinds(context: RequestContext, kinds: list[str]) -> None:
    """Raises NotFound: a kind that no event has. Nothing was found: a misspelt kind must not look like a quiet history."""
    known = KINDS | await context.stores.history.kinds()
    for kind in kinds:
        if kind not in known:
            raise NotFound(f'No event is of the kind "{kind}".', f"The kinds are {', '.join(sorted(known))}.")


@stream("events", Permission.VIEW, EventsRequest, EventView, "What is decided, line by line, as it becomes durable.")
async def events(context: RequestContext, request: EventsRequest) -> AsyncIterator[EventView]:
    """Ends when the engine does."""
    wanted = await _concern(context, request)
    with _resumable():
        async for line in context.engine.subscribe_events(after=request.after):
            if wanted.fits(line) and request.application in {"", line.application}:
                yield _view(line, wanted)


class ChangesRequest(Request):
    """From where on."""

    after: int | None = None
    """Number of a change or of a line; None: from now on. Changes are kept for a while; one that is gone is refused."""


class ChangeView(Answer):
    """One commit that changed what anyone can see."""

    number: int
    """Also that of its last line of history."""
    at: Instant
    kind: str
    """``turns``, ``configuration`` or ``audit``."""
    entities: list[str]
    """Of ``turns``: ``instance:saas/web@acme``, ``line:saas`` … whose state, history or problem is another now."""


@stream("changes", Permission.VIEW, ChangesRequest, ChangeView, "Which entities change, commit by commit, as it becomes durable.")
async def changes(context: RequestContext, request: ChangesRequest) -> AsyncIterator[ChangeView]:
    """Ends when the engine does."""
    with _resumable():
        async for change in follow_changes(context.stores.whole, after=request.after):
            yield ChangeView(number=change.number, at=change.at, kind=change.kind, entities=list(change.entities))


@contextmanager
def _resumable() -> Iterator[None]:
    """Raises NotFound for a number to resume from that is gone or never was, Unavailable for a store that cannot be read."""
    try:
        yield
    except UnknownNumber as error:
        hint = "Read what is there now, such as `setpoint status` and `setpoint history`; then follow without a number."
        raise NotFound(f"The stream {error}.", hint) from error
    except StoreError as error:
        raise Unavailable(
            f"The stream cannot go on: {error}.", "See `setpoint doctor`; then resume from the last number."
        ) from error


async def _concern(context: RequestContext, request: Filter) -> Concern:
    return await concern(context, instances(context.configuration, request.target) if request.target else ())


def _fits(line: Line, wanted: Concern, request: HistoryRequest) -> bool:
    event = line.event
    return (
        wanted.fits(line)
        and (not request.kinds or event.kind in request.kinds)
        and (not request.release or request.release in {event.release, event.configuration})
    )


def _view(line: Line, wanted: Concern) -> EventView:
    event = line.event
    return EventView(
        number=line.seq,
        at=line.at,
        entity=line.entity,
        application=line.application,
        kind=event.kind,
        text=event.text,
        release=event.release,
        configuration=event.configuration,
        version=event.version,
        attempt=event.attempt,
        phase=event.phase,
        person=event.by.person if event.by else "",
        why=event.by.why if event.by else "",
        outcome=event.outcome,
        link=event.by.link if event.by else "",
        counts_for=wanted.counts_for(line),
    )
