"""The program of ``sql-query``: queries the database, compares, reports."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from setpoint.model.checks import Outcome
from setpoint.programs.text import printable
from setpoint.protections.options import as_text
from setpoint.protections.programs.database import parse_url, reading, without_secrets
from setpoint.protections.programs.verdict import CheckError, answer, read_job

_MANY = 10_000
"""Rows looked at when no number of rows is expected; one is enough, more only make the reason better."""


def main() -> None:
    """Run the job on standard input."""
    job = read_job()
    try:
        rows = ask(job)
        outcome, reason = judge(rows, job)
    except CheckError as error:
        outcome, reason = error.outcome, error.reason
    answer(outcome, reason)


def ask(job: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows, at most one more than expected.

    Raises:
        CheckError: no database, or a query that is wrong.
    """
    url = parse_url(job["url"])
    limit = int(job["rows"]) + 1 if job.get("rows") is not None else 1
    with reading(url, job["timeout"]) as connection:
        try:
            result = connection.execution_options(no_parameters=True).exec_driver_sql(job["query"])
            if not result.returns_rows:
                raise CheckError(Outcome.MISCONFIGURED, "query yields no rows at all: write a SELECT")
            return [tuple(row) for row in result.fetchmany(min(limit, _MANY))]
        except SQLAlchemyError as error:
            if hasattr(error, "orig"):
                raise
            raise CheckError(Outcome.MISCONFIGURED, f"query cannot be run: {without_secrets(error, url)}") from None


def judge(rows: list[tuple[Any, ...]], job: dict[str, Any]) -> tuple[Outcome, str]:
    """Whether the rows are as expected; the first thing that is not, else what was found."""
    expected_rows = job.get("rows")
    if expected_rows is not None and len(rows) != expected_rows:
        found = f"more than {expected_rows}" if len(rows) > expected_rows else str(len(rows))
        return Outcome.BLOCKING, f"query yields {found} rows, {expected_rows} expected"
    if not any(name in job for name in ("expect", "min", "max")):
        return Outcome.PASSING, f"query yields {len(rows)} rows as expected"
    if not rows:
        return Outcome.BLOCKING, "query yields no row to compare"
    return _judge_value(rows[0][0], job)


def _judge_value(value: Any, job: dict[str, Any]) -> tuple[Outcome, str]:
    shown = "null" if value is None else printable(as_text(value), 80)
    if "expect" in job and not _equal(value, job["expect"]):
        expected = "null" if job["expect"] is None else printable(as_text(job["expect"]), 80)
        return Outcome.BLOCKING, f"query yields {shown}, {expected} expected"
    for name, beyond in (("min", "below"), ("max", "above")):
        limit = _number(job.get(name))
        if limit is None:
            continue
        number = _number(value)
        if value is not None and number is None:
            return Outcome.MISCONFIGURED, f"query yields {shown}, which is not a number to compare with {name}"
        if number is None or (number < limit if name == "min" else number > limit):
            return Outcome.BLOCKING, f"query yields {shown}, {beyond} the {name} of {limit}"
    return Outcome.PASSING, f"query yields {shown}"


def _equal(value: Any, expected: Any) -> bool:
    """Numbers by value, everything else by its characters; null only equals null."""
    if value is None or expected is None:
        return value is expected
    left, right = _number(value), _number(expected)
    if left is not None and right is not None:
        return left == right
    return as_text(value) == as_text(expected)


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bytes | memoryview):
        return None
    try:
        number = Decimal(int(value) if isinstance(value, bool) else str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


if __name__ == "__main__":
    main()
