"""The port of a protection: something that checks whether a deployment may go on."""

from __future__ import annotations

from typing import Any
from typing import Protocol as Port

from setpoint.model.checks import CheckDefinition, CheckResult


class Protection(Port):
    """Runs one check. Never raises for what the check met: that is a ``CheckResult``. Blocks nothing: it ends by its timeout."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:
        """One run. ``operation`` is the same when an interrupted run starts again; cancellation ends every process it started."""
        ...

    def validate(self, options: dict[str, Any]) -> list[str]:
        """What is wrong with its options, in sentences that name the field; empty: nothing. Pure; lookups may be unresolved."""
        ...
