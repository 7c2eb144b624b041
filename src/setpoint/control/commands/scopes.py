"""Stop the line and pause: of everything, or of one application, group, channel or runtime."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import NotFound, Refused
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import suggestion
from setpoint.core.facts import Paused, Signal, Started, Stopped, Unpaused
from setpoint.core.scope import ScopeState, above, name_of


class ScopeRequest(Request):
    """What is below it, and why."""

    scope: str = ""
    """An application, a channel or group (``acme`` or ``saas/acme``) or ``runtime:NAME``; empty: everything."""
    why: str = Field("", max_length=2000)


class StopRequest(ScopeRequest):
    """What is stopped, and why."""

    in_flight: Literal["finish", "pause"] = "finish"
    """What becomes of what is under way: it finishes, or pauses until the line goes on."""


class ScopeAnswer(Answer):
    """What it concerns."""

    scope: str
    """For people: ``channel acme``, ``the organization``."""
    instances: int
    """So many are below it."""


@command(
    "stop-the-line",
    Permission.STOP,
    StopRequest,
    ScopeAnswer,
    "Let nothing new start, anywhere or below one scope. Healing and rollbacks go on; what is under way finishes, or pauses.",
    subject=lambda request: (request.scope or "everything") + (", pausing" if request.in_flight == "pause" else ""),
)
async def stop_the_line(act: Act, request: StopRequest) -> ScopeAnswer:
    """A stop that stands already stays as it is, but for what becomes of what is under way."""
    return await _act(act, request, Stopped(by=act.by(request.why), id=act.request, in_flight=request.in_flight))


@command(
    "start-the-line",
    Permission.STOP,
    ScopeRequest,
    ScopeAnswer,
    "Let new things start again after `stop-the-line`.",
    subject=lambda request: request.scope or "everything",
)
async def start_the_line(act: Act, request: ScopeRequest) -> ScopeAnswer:
    """Refused where the line is not stopped."""
    scope, _ = _find(act, request.scope)
    state = await _state(act, scope)
    if state.stop is None and act.request not in state.signals:
        raise Refused(f"The line of {name_of(scope)} is not stopped.", "See `setpoint explain` for what stops an instance.")
    return await _act(act, request, Started(by=act.by(request.why), id=act.request))


@command(
    "pause",
    Permission.PAUSE,
    ScopeRequest,
    ScopeAnswer,
    "Apply nothing at all, rollbacks and healing included; deadlines stand still.",
    subject=lambda request: request.scope or "everything",
)
async def pause(act: Act, request: ScopeRequest) -> ScopeAnswer:
    """For work on a runtime: a pause that stands already stays as it is."""
    return await _act(act, request, Paused(by=act.by(request.why), id=act.request))


@command(
    "unpause",
    Permission.PAUSE,
    ScopeRequest,
    ScopeAnswer,
    "Let applies go on after `pause`.",
    subject=lambda request: request.scope or "everything",
)
async def unpause(act: Act, request: ScopeRequest) -> ScopeAnswer:
    """Refused where nothing is paused."""
    scope, _ = _find(act, request.scope)
    state = await _state(act, scope)
    if state.pause is None and act.request not in state.signals:
        raise Refused(f"Nothing is paused at {name_of(scope)}.", "See `setpoint explain` for what pauses an instance.")
    return await _act(act, request, Unpaused(by=act.by(request.why), id=act.request))


async def _act(act: Act, request: ScopeRequest, fact: Signal) -> ScopeAnswer:
    scope, count = _find(act, request.scope)
    await act.control.engine.post(scope, fact)  # type: ignore[arg-type]
    return ScopeAnswer(scope=name_of(scope), instances=count)


async def _state(act: Act, scope: str) -> ScopeState:
    found = await act.control.engine.read(scope)
    return found if isinstance(found, ScopeState) else ScopeState()


def _find(act: Act, text: str) -> tuple[str, int]:
    """The scope's entity, and how many instances are below it. Raises NotFound."""
    configuration = act.control.configuration
    below: dict[str, int] = {}
    for instance in configuration.all_instances:
        labels = configuration.labels(instance)
        for name in (scope.partition(":")[2] for scope in above(labels)):
            below[name] = below.get(name, 0) + 1
    return _named(text, below)


def _named(text: str, below: dict[str, int]) -> tuple[str, int]:
    if not text:
        return "scope:organization", below.get("organization", 0)
    fitting = [name for name in below if text in {name, name.partition(":")[2]} and name != "organization"]
    fitting = fitting or [name for name in below if name.startswith(("channel:", "group:")) and name.endswith(f"/{text}")]
    if len(fitting) == 1:
        return f"scope:{fitting[0]}", below[fitting[0]]
    if fitting:
        raise NotFound(f'"{text}" may mean several scopes.', f"Write one of: {', '.join(sorted(fitting))}.")
    names = [name if name.startswith("runtime:") else name.partition(":")[2].rpartition("/")[2] for name in below]
    raise NotFound(
        f'There is no application, channel, group or runtime "{text}".', suggestion(text, filter(None, names), "scope")
    )
