"""Logs: what the replicas of an instance wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import Unavailable
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, stream
from setpoint.control.targets import instance as find_instance
from setpoint.model.time import Instant
from setpoint.plugins.errors import AdapterError


class LogsRequest(Request):
    """Whose, and how many."""

    target: str
    """One instance."""
    replica: str = ""
    lines: int = Field(100, ge=0, le=10_000)
    follow: bool = False


class LogLineView(Answer):
    """One line."""

    replica: str
    text: str
    at: Instant


@stream(
    "logs",
    Permission.VIEW,
    LogsRequest,
    LogLineView,
    "The last lines that an instance's replicas wrote, then new ones as they come.",
)
async def logs(act: Act, request: LogsRequest) -> AsyncIterator[LogLineView]:
    """Asks the runtime."""
    configuration = act.control.configuration
    instance = find_instance(configuration, request.target)
    name = configuration.labels(instance)["runtime"]
    try:
        runtime = act.control.effects.runtime(name)
        async for line in runtime.logs(instance, replica=request.replica, lines=request.lines, follow=request.follow):
            yield LogLineView(replica=line.replica, text=line.text, at=line.at)
    except AdapterError as error:
        raise Unavailable(f"The logs of {request.target} cannot be had: {error}.", "See `setpoint doctor`.") from error
