"""Stop the line and pause: of everything, or of one application, group, channel or runtime."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Refused
from setpoint.control.orders import OrderRequest, by_of, end_of, in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import suggestion
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import Order, Paused, Signal, Started, Stopped, Unpaused
from setpoint.core.orders import restates
from setpoint.core.scope import ScopeState, above, name_of
from setpoint.model.names import is_kind, key_of, last_name, scope_entity
from setpoint.model.time import Instant


class ScopeRequest(Request):
    """What is below it, and why."""

    scope: str = ""
    """An application, a channel or group (``acme`` or ``saas/acme``) or ``runtime:NAME``; empty: everything."""
    why: str = Field("", max_length=2000)


class PauseRequest(OrderRequest):
    """What is below it, why, and until when."""

    scope: str = ""
    """An application, a channel or group (``acme`` or ``saas/acme``) or ``runtime:NAME``; empty: everything."""


class StopRequest(PauseRequest):
    """What is stopped, why, and until when."""

    in_flight: Literal["finish", "pause"] = "finish"
    """What becomes of what is under way: it finishes, or pauses until the scope is unfrozen."""


class ScopeAnswer(Answer):
    """What it concerns."""

    scope: str
    """For people: ``channel acme``, ``the organization``."""
    instances: int
    """So many are below it."""
    unchanged: bool = False
    """It stood already, just so: there was nothing to change."""
    until: Instant = 0
    """When it ends; 0: when it is withdrawn."""


@command(
    "stop-the-line",
    Permission.STOP,
    StopRequest,
    ScopeAnswer,
    "Let nothing new start, anywhere or below one scope. Healing and rollbacks go on; what is under way finishes, or pauses.",
    subject=lambda request: (request.scope or "everything") + (", pausing" if request.in_flight == "pause" else ""),
)
@in_turn
async def stop_the_line(context: RequestContext, request: StopRequest) -> ScopeAnswer:
    """A stop that stands already takes a new reason, link, end or ``in_flight``; else there is nothing to change."""
    order = Stopped(by=by_of(context, request), id=context.request, until=end_of(context, request), in_flight=request.in_flight)
    known = (await _state(context, _find(context, request.scope)[0])).stop
    unchanged = known is not None and known.in_flight == order.in_flight and not restates(order, known.by, known.until)
    return await _act(context, request.scope, order, unchanged=unchanged)


@command(
    "start-the-line",
    Permission.STOP,
    ScopeRequest,
    ScopeAnswer,
    "Let new things start again after `stop-the-line`.",
    subject=lambda request: request.scope or "everything",
)
@in_turn
async def start_the_line(context: RequestContext, request: ScopeRequest) -> ScopeAnswer:
    """Refused where the line is not stopped."""
    scope, _ = _find(context, request.scope)
    state = await _state(context, scope)
    if state.stop is None and context.request not in state.signals:
        raise Refused(f"The line of {name_of(scope)} is not stopped.", "See `setpoint explain` for what stops an instance.")
    return await _act(context, request.scope, Started(by=context.by(request.why), id=context.request))


@command(
    "pause",
    Permission.PAUSE,
    PauseRequest,
    ScopeAnswer,
    "Apply nothing at all, rollbacks and healing included; deadlines stand still.",
    subject=lambda request: request.scope or "everything",
)
@in_turn
async def pause(context: RequestContext, request: PauseRequest) -> ScopeAnswer:
    """For work on a runtime. A pause that stands already takes a new reason, link or end; else there is nothing to change."""
    order = Paused(by=by_of(context, request), id=context.request, until=end_of(context, request))
    known = (await _state(context, _find(context, request.scope)[0])).pause
    return await _act(context, request.scope, order, unchanged=known is not None and not restates(order, known.by, known.until))


@command(
    "unpause",
    Permission.PAUSE,
    ScopeRequest,
    ScopeAnswer,
    "Let applies go on after `pause`.",
    subject=lambda request: request.scope or "everything",
)
@in_turn
async def unpause(context: RequestContext, request: ScopeRequest) -> ScopeAnswer:
    """Refused where nothing is paused."""
    scope, _ = _find(context, request.scope)
    state = await _state(context, scope)
    if state.pause is None and context.request not in state.signals:
        raise Refused(f"Nothing is paused at {name_of(scope)}.", "See `setpoint explain` for what pauses an instance.")
    return await _act(context, request.scope, Unpaused(by=context.by(request.why), id=context.request))


async def _act(context: RequestContext, named: str, fact: Signal, *, unchanged: bool = False) -> ScopeAnswer:
    scope, count = _find(context, named)
    if not unchanged:
        await post(context, {scope: fact})
    until = fact.until if isinstance(fact, Order) else 0
    return ScopeAnswer(scope=name_of(scope), instances=count, unchanged=unchanged, until=until)


async def _state(context: RequestContext, scope: str) -> ScopeState:
    found = await context.engine.read(scope)
    return found if isinstance(found, ScopeState) else ScopeState()


def _find(context: RequestContext, text: str) -> tuple[str, int]:
    """The scope's entity, and how many instances are below it. Raises NotFound."""
    configuration = context.configuration
    below: dict[str, int] = {}
    for instance in configuration.all_instances:
        labels = configuration.labels(instance)
        for name in map(key_of, above(labels)):
            below[name] = below.get(name, 0) + 1
    return _named(text, below)


def _named(text: str, below: dict[str, int]) -> tuple[str, int]:
    if not text:
        return scope_entity("organization"), below.get("organization", 0)
    fitting = [name for name in below if text in {name, key_of(name)} and name != "organization"]
    fitting = fitting or [name for name in below if is_kind(name, "channel", "group") and last_name(name) == text]
    if len(fitting) == 1:
        return scope_entity(fitting[0]), below[fitting[0]]
    if fitting:
        raise NotFound(f'"{text}" may mean several scopes.', f"Write one of: {', '.join(sorted(fitting))}.")
    names = [name if is_kind(name, "runtime") else last_name(key_of(name)) for name in below]
    raise NotFound(
        f'No application, channel, group or runtime is called "{text}".', suggestion(text, filter(None, names), "scope")
    )
