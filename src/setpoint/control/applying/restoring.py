"""At a start: the configuration of the last apply comes into force again, and what an interrupted apply left is done."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationError
from setpoint.control.applying.carrying_out import FINISHED, KIND, PENDING, Progress, adopt, carry_out
from setpoint.control.applying.files import content_digest
from setpoint.control.applying.planning import make_plan
from setpoint.control.context import RequestContext, Services
from setpoint.model.people import Person

log = logging.getLogger("setpoint.control")


async def restore(services: Services) -> None:
    """At a start: put the configuration of the last apply into force again."""
    newest = await services.stores.documents.newest()
    if newest is None:
        return
    files = await services.stores.documents.load(newest.number)
    root = await services.stores.records.get("configuration-root", content_digest(files), str) or "/"
    try:
        executable = await services.stores.documents.executables(newest.number)
        await adopt(services, await asyncio.to_thread(CompiledConfiguration.from_files, files, Path(root), executable))
    except ConfigurationError as error:
        services.unreadable = str(error)
        log.error("the stored configuration (revision %d) cannot be used by this version:\n%s", newest.number, error)  # noqa: TRY400 - its problems explain it


async def finish(services: Services) -> None:
    """Do the rest of an apply that was interrupted."""
    newest = await services.stores.documents.newest()
    finished = await services.stores.records.get(KIND, FINISHED, int)
    if newest is None or services.applied is None or finished == newest.number:
        return
    pending = await services.stores.records.get(KIND, PENDING, Progress)
    context = RequestContext(services, Person(newest.person), services.clock(), "restore")
    new = pending.new if pending and pending.revision == newest.number else None
    down = pending.down if pending and pending.revision == newest.number else []
    plan = await make_plan(context, services.applied, new=new)
    await carry_out(context, services.applied, plan, Progress(newest.number, plan.new, down, newest.person))
