"""A protection with a constant result: to close a door in configuration, or to try what a result does."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.text import printable
from setpoint.protections.options import Options


class AlwaysProtection:
    """Options: ``result`` (``passing`` if absent; any of the four), ``reason``."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - the same every time
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        result = str(check.options.get("result") or "passing")
        return CheckResult(Outcome(result), printable(str(check.options.get("reason") or f"declared to be always {result}")))

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, known={"result", "reason"})
        read.text("result", among=tuple(Outcome))
        read.text("reason")
        return read.wrong
