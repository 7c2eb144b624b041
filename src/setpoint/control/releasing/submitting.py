"""Submitting a release: what will run is stored, then the line gives it a number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from setpoint.control.context import RequestContext
from setpoint.control.errors import Unavailable
from setpoint.control.reading.limits import rosters
from setpoint.control.releasing.compiling import Compiled
from setpoint.control.releasing.sets import sets
from setpoint.core.facts import ConfigurationRequested, ReleaseRequested
from setpoint.core.line import LineState
from setpoint.model.names import line_entity, release_request, specs_key
from setpoint.model.release import Release, ServiceVersion

_TRIES = 5
"""So often is compiled what the line does not take any more."""
_LATE = "The request is stored, but its release has no number yet, or it was made too long ago."
_LATE_HINT = "See `setpoint releases`; the same --request again does nothing twice."


def same_versions(known: Mapping[str, ServiceVersion], compiled: Compiled) -> dict[str, ServiceVersion]:
    """Those of ``known`` whose configuration is in force: they are the very versions that were released before."""
    return {name: one for name, one in known.items() if one.version.revision == compiled.services[name].version.revision}


async def submit(context: RequestContext, make: Callable[[], Awaitable[tuple[Release, Compiled]]], request: str) -> int:
    """Store what will run, ask the line, and return the number it gave.

    §10.1: what was compiled with a configuration that is not in force any more is compiled again.
    """
    for attempt in range(_TRIES):
        wanted, compiled = await make()
        number = await _submit(context, wanted, compiled, request, attempt)
        if number is not None:
            return number
    message = "Nothing was released: the configuration changes faster than the release can be compiled."
    raise Unavailable(message, "Release it again.")


async def _submit(context: RequestContext, wanted: Release, compiled: Compiled, request: str, attempt: int) -> int | None:
    await context.stores.content.put(compiled.specs.values(), compiled.files.values())
    specs = {instance: spec.digest for instance, spec in compiled.specs.items()}
    parameters = {instance: spec.parameters for instance, spec in compiled.specs.items() if spec.parameters}
    fact = ReleaseRequested(
        request=request,
        release=wanted,
        specs=specs,
        parameters=parameters,
        after=compiled.after,
        sets=sets(context.configuration, wanted, compiled.specs),
        floors=compiled.floors,
        waves=rosters(context.configuration, specs),
    )
    dedup = release_request(wanted.application, request, attempt)
    number = await number_of(context, fact, dedup=dedup, late=Unavailable(_LATE, _LATE_HINT))
    if number is not None:
        await context.stores.records.put("release", specs_key(wanted.application, number), specs)
    return number


async def number_of(
    context: RequestContext, fact: ReleaseRequested | ConfigurationRequested, *, dedup: str, late: Unavailable
) -> int | None:
    """Ask the line, and return the number that it gave. None: it must be compiled again. Raises ``late``."""
    try:
        line = await context.engine.ask(line_entity(fact.release.application), fact, dedup=dedup)
    except TimeoutError:
        raise late from None
    if isinstance(line, LineState) and fact.request in line.requests:
        return line.requests[fact.request]
    if isinstance(line, LineState) and fact.request in line.stale:
        return None
    raise late
