"""Checks whose last exit code means something else under another configuration: shown before and after it is applied (§10.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from setpoint.control.context import Services
from setpoint.control.reading.states import everybody
from setpoint.core.attachment import AttachmentState
from setpoint.model.exits import ExitCodes, outcome_of


async def changed_meanings(services: Services, new: Mapping[str, ExitCodes]) -> list[str]:
    """One line for each such check and exit code; ``new``: protection -> its codes under the other configuration."""
    old = services.applied.exit_codes if services.applied else {}
    changed = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    if not changed:
        return []
    found: set[str] = set()
    async for _, state in everybody(services, "attachment"):
        if isinstance(state, AttachmentState) and state.definition.protection in changed:
            name = state.definition.protection
            found.update(_line(state, old[name], new[name]))
    return sorted(found)


def _line(state: AttachmentState, old: ExitCodes, new: ExitCodes) -> Iterator[str]:
    """Results under codes that were replaced before are of no interest any more."""
    code = state.last.code if state.last else None
    if code is None or ExitCodes.of(state.definition.options) != old:
        return
    before, after = outcome_of(code, old), outcome_of(code, new)
    if before is not after:
        how = f"exit {code}" if code >= 0 else f"signal {-code}"
        yield f"{state.definition.protection}: {how}, its last result, was {before}; with this configuration it is {after}."
