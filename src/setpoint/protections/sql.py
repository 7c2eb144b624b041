"""The built-in ``sql-query``: a query yields what is expected. Drivers may block, so it runs in a program of its own."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.options import Options, unresolved
from setpoint.protections.programs.verdict import run_module

EXPECTATIONS = ("expect", "min", "max", "rows")


class SqlQuery:
    """Options: ``url`` (as SQLAlchemy writes it), ``query`` (one statement that reads), and what it must yield: ``expect`` a
    value, ``min`` and/or ``max`` a number – compared with the first column of the first row – and/or ``rows``, how many rows.

    It runs in a transaction that cannot write. A wrong value fails, a wrong query is misconfigured, no database unavailable.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a query may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        texts = {name: str(check.options[name]) for name in ("url", "query")}
        return await run_module("setpoint.protections.programs.sql", check.options | texts, check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"url", "query", *EXPECTATIONS})
        read.text("url", required=True)
        read.text("query", required=True)
        low, high, rows = read.number("min"), read.number("max"), read.number("rows")
        if not any(name in options for name in EXPECTATIONS):
            read.wrong.append("the expected result is missing: set expect, min, max or rows")
        if low is not None and high is not None and low > high:
            read.wrong.append("min is above max: nothing is between them")
        if rows is not None and (rows < 0 or rows != int(rows)):
            read.wrong.append("rows must be a whole number from 0")
        expected = options.get("expect")
        if not unresolved(expected) and isinstance(expected, dict | list):
            read.wrong.append("expect must be one value")
        return read.wrong
