"""The built-in ``alerts-not-firing``: no alert that matches fires in Alertmanager (API v2) or Prometheus (API v1).

An alert that is silenced, or that another one inhibits, does not count; a pending one neither. Monitoring that is down,
overloaded or answers nonsense is *unavailable*: it never rolls anything back.
Sources: the OpenAPI document of Alertmanager's API v2 (``GET /api/v2/alerts``) and Prometheus' HTTP API (``/api/v1/alerts``,
``/api/v1/query``).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.text import printable
from setpoint.protections.options import Options
from setpoint.protections.web.exchange import WebResponse, shown
from setpoint.protections.web.monitoring import ask, base_url, refused

SHOWN_ALERTS = 5
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SERVERS = {"alertmanager": "an Alertmanager", "prometheus": "a Prometheus"}


class _Status(msgspec.Struct):
    state: str


class _AlertmanagerAlert(msgspec.Struct):
    labels: dict[str, str]
    status: _Status


class _PrometheusAlert(msgspec.Struct):
    labels: dict[str, str]
    state: str


class _AlertSeries(msgspec.Struct):
    metric: dict[str, str] = {}


class _PrometheusData(msgspec.Struct):
    alerts: list[_PrometheusAlert] = []
    result: list[Any] = []
    result_type: str = msgspec.field(default="", name="resultType")


class _PrometheusAnswer(msgspec.Struct):
    status: str
    data: _PrometheusData = msgspec.field(default_factory=_PrometheusData)


class _NotSeriesError(Exception):
    """The query yields a scalar or a string: there is nothing that fires or does not."""


class AlertsNotFiring:
    """Options: ``url`` of the server · ``matchers`` label → value, all must be equal · ``kind``: ``alertmanager`` (default) or
    ``prometheus`` · ``query`` (Prometheus only, and implies it): every series it yields counts as a firing alert · ``headers``.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        matchers = Options(check.options, set(check.options)).mapping("matchers")
        kind = _kind(check.options)
        url = _address(kind, check.options, matchers)
        answer = await ask(url, check)
        if isinstance(answer, CheckResult):
            return answer
        return refused(answer, url, _SERVERS[kind]) or _judge(answer, url, kind, matchers)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"url", "matchers", "kind", "query", "headers"})
        base_url(read)
        kind, query = read.text("kind", among=tuple(_SERVERS)), read.text("query")
        matchers = read.mapping("matchers")
        read.mapping("headers")
        if query and kind == "alertmanager":
            read.wrong.append("query goes with kind: prometheus; Alertmanager takes matchers")
        if query and matchers:
            read.wrong.append("write either query or matchers: put the matchers into the query")
        read.wrong += [f'matchers: "{label}" is not a label name' for label in matchers if not _LABEL.fullmatch(label)]
        return read.wrong


def _kind(options: dict[str, Any]) -> str:
    return str(options.get("kind") or ("prometheus" if options.get("query") else "alertmanager"))


def _address(kind: str, options: dict[str, Any], matchers: dict[str, str]) -> str:
    base = str(options["url"]).rstrip("/")
    if options.get("query"):
        return f"{base}/api/v1/query?{urlencode({'query': str(options['query'])})}"
    if kind == "prometheus":
        return f"{base}/api/v1/alerts"
    states = [("active", "true"), ("silenced", "false"), ("inhibited", "false"), ("unprocessed", "true")]
    filters = [("filter", f"{label}={_quoted(value)}") for label, value in matchers.items()]
    return f"{base}/api/v2/alerts?{urlencode(states + filters)}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _judge(answer: WebResponse, url: str, kind: str, matchers: dict[str, str]) -> CheckResult:
    try:
        firing = _alertmanager(answer.body) if kind == "alertmanager" else _prometheus(answer.body)
    except _NotSeriesError:
        return CheckResult(Outcome.MISCONFIGURED, "query yields one value, not series: compare it, as in up == 0")
    except msgspec.MsgspecError as error:
        return CheckResult(Outcome.UNAVAILABLE, printable(f"{shown(url)} answered what no {kind} answers: {error}"))
    matching = [labels for labels in firing if all(labels.get(label, "") == value for label, value in matchers.items())]
    condition = ", ".join(f"{label}={value}" for label, value in matchers.items())
    if not matching:
        return CheckResult(Outcome.PASSING, printable(f"no alert firing{f' for {condition}' if condition else ''}"))
    return CheckResult(Outcome.BLOCKING, printable(_summary(matching)), _details(matching))


def _alertmanager(body: bytes) -> list[dict[str, str]]:
    alerts = msgspec.json.decode(body, type=list[_AlertmanagerAlert])
    return [alert.labels for alert in alerts if alert.status.state in {"active", "unprocessed"}]


def _prometheus(body: bytes) -> list[dict[str, str]]:
    answer = msgspec.json.decode(body, type=_PrometheusAnswer)
    if answer.status != "success":
        raise msgspec.ValidationError(f"status {answer.status}")
    if answer.data.result_type in {"scalar", "string"}:
        raise _NotSeriesError
    series = msgspec.convert(answer.data.result, list[_AlertSeries])
    return [alert.labels for alert in answer.data.alerts if alert.state == "firing"] + [one.metric for one in series]


def _summary(matching: list[dict[str, str]]) -> str:
    names = Counter(labels.get("alertname") or labels.get("__name__") or "unnamed" for labels in matching)
    listed = [f"{name} ×{count}" if count > 1 else name for name, count in names.most_common(SHOWN_ALERTS)]
    more = f" and {len(names) - SHOWN_ALERTS} more" if len(names) > SHOWN_ALERTS else ""
    return f"{len(matching)} alert{'s' if len(matching) > 1 else ''} firing: {', '.join(listed)}{more}"


def _details(matching: list[dict[str, str]]) -> str:
    """The labels of the first hundred, a line each."""
    return "\n".join(
        printable(", ".join(f"{name}={value}" for name, value in sorted(labels.items()))) for labels in matching[:100]
    )
