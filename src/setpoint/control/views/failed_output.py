"""What the version that failed last at an instance wrote before it went, and the command that shows the rest."""

from __future__ import annotations

import asyncio

from setpoint.control.context import RequestContext
from setpoint.control.registry import Answer
from setpoint.core.instance.state import InstanceState
from setpoint.plugins.errors import AdapterError
from setpoint.plugins.runtime import KeepsLogs

_PATIENCE = 3.0
_LINES = 10


class FailedOutput(Answer):
    """The last lines of one replica of the version that failed."""

    version: str
    replica: str
    ended: str
    """How it ended, if it was not stopped."""
    lines: list[str]
    command: str
    """Shows what all its replicas wrote."""


async def failed_output(context: RequestContext, instance: str, target: str, state: InstanceState) -> FailedOutput | None:
    """Return it for the newest release that is not retried here; None: none failed, or its replicas left no logs."""
    if not state.life.vetoes:
        return None
    version = state.life.vetoes[-1].version.name
    try:
        async with asyncio.timeout(_PATIENCE):
            runtime = context.services.effects.runtime(context.configuration.labels(instance)["runtime"])
            known = await runtime.logged(instance) if isinstance(runtime, KeepsLogs) else ()
            for one in reversed([one for one in known if one.version == version]):
                written = [line.text async for line in runtime.logs(instance, replica=one.name, lines=_LINES)]
                if written:
                    command = f"setpoint logs {target} --version {version}"
                    return FailedOutput(version=version, replica=one.name, ended=one.ended, lines=written, command=command)
    except (AdapterError, TimeoutError):
        return None  # explain is about decisions: it comes without the output, as it does without links
    return None
