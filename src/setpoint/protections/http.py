"""Protections that request a page of a web server: ``http`` of a Protection document, and the built-in ``http-probe``.

A refused connection, a wrong status or body fails the check; names that do not resolve, TLS and time-outs are *unavailable*.
"""

from __future__ import annotations

import re
from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.text import last_line, printable
from setpoint.protections.options import Options, as_text, unresolved
from setpoint.protections.web.exchange import WebRequest, WebResponse, exchange, shown

_RANGE = re.compile(r"\s*([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\s*", re.ASCII)
_METHOD = re.compile(r"[A-Za-z]{1,20}", re.ASCII)
_COMMON = {"url", "method", "headers", "body", "status", "followRedirects"}
OK = "200-299"


class HttpProtection:
    """Options: ``url``, ``method`` (GET), ``headers``, ``body``, ``status`` (200-299; also ``200,204``), ``followRedirects``."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        wrong = self.validate(check.options)
        if wrong:
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        return await _ask(str(check.options["url"]), check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, _COMMON)
        read.url("url", required=True)
        return read.wrong + _common_mistakes(options)


class HttpProbe:
    """As ``http``, with ``path`` instead of ``url`` to ask the instance's own address, and ``contains``: text the body must hold.

    The address is ``SETPOINT_ADDRESS`` of the check's environment. Of a body the first 64 KiB are searched.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        wrong = self.validate(check.options)
        if wrong:
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        url = str(check.options.get("url") or "")
        address = check.env.get("SETPOINT_ADDRESS", "")
        if not url and not address:
            reason = "no address to probe: give the service a port and check per instance, or write url instead of path"
            return CheckResult(Outcome.MISCONFIGURED, reason)
        return await _ask(url or _below(address, str(check.options["path"])), check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, _COMMON | {"path", "contains"})
        url, path = read.url("url"), read.text("path")
        read.text("contains")
        if bool(url) == bool(path):
            read.wrong.append(
                "write either url or path" if url else "url is missing: write url, or path to ask the instance's own address"
            )
        if path and not unresolved(path) and not path.startswith("/"):
            read.wrong.append("path must begin with /")
        return read.wrong + _common_mistakes(options)


def _below(address: str, path: str) -> str:
    base = address if "://" in address else f"http://{address}"
    return base.rstrip("/") + path


async def _ask(url: str, check: CheckDefinition) -> CheckResult:
    options = check.options
    request = WebRequest(
        url,
        str(options.get("method") or "GET").upper(),
        {name: as_text(value) for name, value in (options.get("headers") or {}).items()},
        as_text(options.get("body") or ""),
        options.get("followRedirects") is True,
    )
    answer = await exchange(request, check.timeout)
    return answer if isinstance(answer, CheckResult) else _judge(answer, url, options)


def _judge(answer: WebResponse, url: str, options: dict[str, Any]) -> CheckResult:
    where, expected = shown(url), str(options.get("status") or OK)
    body = answer.body.decode(errors="replace")
    if not any(low <= answer.status <= high for low, high in parse_status(expected)):
        location = answer.headers.get("location", "")
        more = f", to {shown(location)}" if location else ""
        more = more or (f": {last}" if (last := last_line(body)) else "")
        return CheckResult(Outcome.BLOCKING, printable(f"{where} answered {answer.status}, not {expected}{more}"), body)
    wanted = as_text(options.get("contains") or "")
    if wanted and wanted not in body:
        within = "" if answer.whole else " in its first 64 KiB"
        return CheckResult(Outcome.BLOCKING, printable(f'{where} answered {answer.status}, but without "{wanted}"{within}'), body)
    return CheckResult(Outcome.PASSING, f"{where} answered {answer.status}", body)


def parse_status(text: str) -> list[tuple[int, int]]:
    """``200-299``, ``200``, ``200,301-303`` as inclusive ranges.

    Raises:
        ValueError: saying what to write.
    """
    ranges = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f'status is "{text}": write a status or a range such as 200-299, several with commas')
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges


def _common_mistakes(options: dict[str, Any]) -> list[str]:
    read = Options(options, set(options))
    method = read.text("method", "GET")
    if not unresolved(method) and not _METHOD.fullmatch(method):
        read.wrong.append(f'method is "{method}": write a method such as GET or POST')
    read.mapping("headers")
    read.text("body")
    read.flag("followRedirects")
    status = options.get("status")
    if status is not None and not unresolved(status):
        try:
            parse_status(str(status))
        except ValueError as error:
            read.wrong.append(str(error))
    return read.wrong
