"""Queries a Prometheus (HTTP API v1) for numbers, and the built-in ``prometheus-query``, which judges them.

A monitoring that is down, overloaded or returns nonsense has no result about what it watches: *unavailable*, which never rolls
anything back. The same goes for no data at all, unless the configuration declares what that means.
Sources: Prometheus' HTTP API, "Instant queries" and "Format overview"; its web/api/v1/api.go for the statuses.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.text import printable
from setpoint.protections.options import Options
from setpoint.protections.web.exchange import WebResponse, shown
from setpoint.protections.web.monitoring import ask, base_url, refused

SHOWN_SERIES = 100
EMPTY = ("blocking", "passing")


class Sample(msgspec.Struct, frozen=True):
    """One series of an answer: its labels, and its value now, which may be infinite or no number."""

    labels: dict[str, str]
    value: float

    @property
    def name(self) -> str:
        """The series as Prometheus writes it."""
        labels = ", ".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()) if key != "__name__")
        return self.labels.get("__name__", "") + (f"{{{labels}}}" if labels else "")


class _Series(msgspec.Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None


class _Data(msgspec.Struct):
    result_type: str = msgspec.field(name="resultType")
    result: Any


class _Answer(msgspec.Struct):
    status: str
    data: _Data


async def instant(query: str, check: CheckDefinition) -> list[Sample] | CheckResult:
    """Return what a query yields now at the check's ``url``, with its ``headers``; or the result that stands for no response."""
    url = f"{str(check.options['url']).rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    answer = await ask(url, check)
    if isinstance(answer, CheckResult):
        return answer
    return refused(answer, url, "a Prometheus") or _read(answer, url)


def _read(answer: WebResponse, url: str) -> list[Sample] | CheckResult:
    try:
        data = msgspec.json.decode(answer.body, type=_Answer).data
        if data.result_type == "scalar":
            return [Sample({}, float(msgspec.convert(data.result, tuple[float, str])[1]))]
        if data.result_type != "vector":
            reason = f"query yields a {printable(data.result_type, 20)}: ask for numbers of now, without a range in the end"
            return CheckResult(Outcome.MISCONFIGURED, reason)
        series = msgspec.convert(data.result, list[_Series])
        if any(one.value is None for one in series):
            return CheckResult(Outcome.MISCONFIGURED, "query yields histograms: ask for a number of them, such as a quantile")
        return [Sample(one.metric, float(one.value[1])) for one in series if one.value]
    except (msgspec.MsgspecError, ValueError) as error:
        return CheckResult(Outcome.UNAVAILABLE, printable(f"{shown(url)} answered what no Prometheus answers: {error}"))


def without_data(check: CheckDefinition, what: str) -> CheckResult:
    """Return the result where there is nothing to judge, described by ``what``: as ``emptyMeans`` declares, else unavailable."""
    means = check.options.get("emptyMeans")
    if means:
        return CheckResult(Outcome(str(means)), printable(f"{what}, which is declared to be {means}"))
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{what}: nothing is known, and emptyMeans is not set"))


def server_mistakes(read: Options) -> None:
    """Reads the options that every question to a Prometheus has."""
    base_url(read)
    read.mapping("headers")
    read.text("emptyMeans", among=EMPTY)


class PrometheusQuery:
    """Options: ``url`` of the server · ``query`` · ``max`` and/or ``min`` · ``emptyMeans``, a result · ``headers``.

    Of several series the worst counts; one that is not a number (0/0) is beyond every limit.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a query may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        samples = await instant(str(check.options["query"]), check)
        if isinstance(samples, CheckResult):
            return samples
        return _judge(samples, check.options) if samples else without_data(check, "query yields no series")

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"url", "query", "max", "min", "emptyMeans", "headers"})
        server_mistakes(read)
        read.text("query", required=True)
        low, high = read.number("min"), read.number("max")
        if options.get("min") is None and options.get("max") is None:
            read.wrong.append("limits are missing: set max, min or both")
        if low is not None and high is not None and low > high:
            read.wrong.append("min is above max: nothing is between them")
        return read.wrong


def _judge(samples: list[Sample], options: dict[str, Any]) -> CheckResult:
    limits = {name: float(options[name]) for name in ("min", "max") if options.get(name) is not None}
    worst = max(samples, key=lambda sample: _excess(sample.value, limits))
    details = "\n".join(printable(f"{sample.name or 'query'}: {number(sample.value)}") for sample in samples[:SHOWN_SERIES])
    found = f"query yields {number(worst.value)}{f' for {worst.name}' if worst.name else ''}"
    if _excess(worst.value, limits) > 0:
        return CheckResult(Outcome.BLOCKING, printable(f"{found}, {_beyond(worst.value, limits)}"), details)
    among = f", the worst of {len(samples)} series" if len(samples) > 1 else ""
    allowed = ", ".join(f"{name} {number(limit)}" for name, limit in limits.items())
    return CheckResult(Outcome.PASSING, printable(f"{found}{among} ({allowed})"), details)


def _excess(value: float, limits: dict[str, float]) -> float:
    """How far a value is beyond its limits: 0 or less is within, and no number is beyond everything."""
    if math.isnan(value):
        return math.inf
    return max(limit - value if name == "min" else value - limit for name, limit in limits.items())


def _beyond(value: float, limits: dict[str, float]) -> str:
    if math.isnan(value):
        return "which is not a number: was anything divided by zero?"
    low = limits.get("min", -math.inf)
    return f"below the min of {number(low)}" if value < low else f"above the max of {number(limits['max'])}"


def number(value: float) -> str:
    """For people: four digits that count."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
