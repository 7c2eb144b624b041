"""Logs: what the replicas of an instance wrote, those of versions that are gone included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Unavailable
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import instance as find_instance
from setpoint.control.registry import Answer, Request, query, stream
from setpoint.model.time import Instant
from setpoint.plugins.errors import AdapterError
from setpoint.plugins.runtime import KeepsLogs, LoggedReplica, Runtime

KINDS = ("running", "gone")


class ReplicasRequest(Request):
    """Of one instance."""

    target: str


class LogsRequest(ReplicasRequest):
    """Whose, and how many; without a replica, version and kind: of those that run."""

    replica: str = ""
    version: str = ""
    """Every replica of this version, running or gone."""
    kind: str = ""
    """``running`` or ``gone``."""
    lines: int = Field(100, ge=0, le=10_000)
    follow: bool = False


class LogLineView(Answer):
    """One line."""

    replica: str
    text: str
    at: Instant


class ReplicaLogs(Answer):
    """A replica whose logs are kept."""

    replica: str
    version: str
    kind: str
    """``running`` or ``gone``."""
    ended: str
    """How it ended, if it was not stopped."""
    at: Instant
    """When it ended; 0: it runs, or the runtime keeps no times."""


class Replicas(Answer):
    """Oldest first."""

    replicas: list[ReplicaLogs]


@query(
    "replicas", Permission.VIEW, ReplicasRequest, Replicas, "The replicas of an instance whose logs are kept, running and gone."
)
async def replicas(context: RequestContext, request: ReplicasRequest) -> Replicas:
    """None where the runtime keeps no logs by replica."""
    instance, runtime = _runtime(context, request.target)
    try:
        known = await logged(runtime, instance)
    except AdapterError as error:
        raise _unavailable(request.target, error) from error
    return Replicas(
        replicas=[
            ReplicaLogs(replica=one.name, version=one.version, kind=_kind(one), ended=one.ended, at=one.at) for one in known
        ]
    )


@stream(
    "logs",
    Permission.VIEW,
    LogsRequest,
    LogLineView,
    "The last lines that an instance's replicas wrote, then new ones as they come; of a version that is gone, too.",
)
async def logs(context: RequestContext, request: LogsRequest) -> AsyncIterator[LogLineView]:
    """Read from the runtime, of replicas that it names itself."""
    instance, runtime = _runtime(context, request.target)
    try:
        async for line in _lines(runtime, instance, request):
            yield line
    except AdapterError as error:
        raise _unavailable(request.target, error) from error


async def _lines(runtime: Runtime, instance: str, request: LogsRequest) -> AsyncIterator[LogLineView]:
    narrowed = bool(request.replica or request.version or request.kind)
    chosen = choose(await logged(runtime, instance), request) if narrowed else []
    if not narrowed or len(chosen) == 1:
        name = chosen[0].name if chosen else ""
        async for line in runtime.logs(instance, replica=name, lines=request.lines, follow=request.follow):
            yield LogLineView(replica=line.replica, text=line.text, at=line.at)
        return
    for one in chosen:
        async for line in runtime.logs(instance, replica=one.name, lines=request.lines):
            yield LogLineView(replica=line.replica, text=line.text, at=line.at)
    names = {one.name for one in chosen if one.running}
    if request.follow and names:
        async for line in runtime.logs(instance, lines=0, follow=True):
            if line.replica in names:
                yield LogLineView(replica=line.replica, text=line.text, at=line.at)


def choose(known: Sequence[LoggedReplica], request: LogsRequest) -> list[LoggedReplica]:
    """Return the requested replicas.

    Raises:
        NotFound: there are none; it lists what there is.
    """
    if request.kind and request.kind not in KINDS:
        raise NotFound(f'"{request.kind}" is not a kind of replica.', f"The kinds are {' and '.join(KINDS)}.")
    chosen = [
        one
        for one in known
        if request.replica in {"", one.name} and request.version in {"", one.version} and request.kind in {"", _kind(one)}
    ]
    if not chosen:
        wanted = [("replica", request.replica), ("version", request.version), ("kind", request.kind)]
        words = ", ".join(f'{what} "{value}"' for what, value in wanted if value)
        there = [f"{one.name}: version {one.version}, {_kind(one)}" for one in known] or ["No replica has logs."]
        raise NotFound(f"No logs are kept at {request.target} of {words}.", "These replicas have logs:", details=there)
    return chosen


async def logged(runtime: Runtime, instance: str) -> Sequence[LoggedReplica]:
    """Return the replicas whose logs the runtime keeps; without such a list, those that it observes."""
    if isinstance(runtime, KeepsLogs):
        return await runtime.logged(instance)
    seen = await runtime.observe(instance, None)
    return [LoggedReplica(one.name, one.version, running=True) for one in seen.objects]


def _runtime(context: RequestContext, target: str) -> tuple[str, Runtime]:
    configuration = context.configuration
    instance = find_instance(configuration, target)
    try:
        return instance, context.services.effects.runtime(configuration.labels(instance)["runtime"])
    except AdapterError as error:
        raise _unavailable(target, error) from error


def _unavailable(target: str, error: AdapterError) -> Unavailable:
    return Unavailable(f"The logs of {target} cannot be had: {error}.", "See `setpoint doctor`.")


def _kind(one: LoggedReplica) -> str:
    return "running" if one.running else "gone"
