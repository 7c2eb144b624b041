"""What questions to a monitoring have in common: how its address is written, and what its refusals mean."""

from __future__ import annotations

import re

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.programs.text import last_line, printable
from setpoint.protections.options import Options, as_text, unresolved
from setpoint.protections.web.exchange import WebRequest, WebResponse, exchange, shown

ANSWER_SIZE = 4 * 1024 * 1024


def base_url(read: Options) -> str:
    """The server's own address from the option ``url``."""
    url = read.url("url", required=True)
    if not unresolved(url) and re.search(r"[?#]|/api/v\d", url):
        read.wrong.append("url must be the server's own address, without /api/… and query")
    return url


async def ask(url: str, check: CheckDefinition) -> WebResponse | CheckResult:
    """Return the response of the monitoring to a request with the check's ``headers``; no connection: unavailable."""
    headers = {name: as_text(value) for name, value in (check.options.get("headers") or {}).items()}
    return await exchange(WebRequest(url, headers=headers, body_size=ANSWER_SIZE, refused=Outcome.UNAVAILABLE), check.timeout)


class _Refusal(msgspec.Struct):
    error: str


def _error(body: bytes) -> str:
    """What Prometheus names as the error, else the last line of whatever was answered."""
    try:
        return printable(msgspec.json.decode(body, type=_Refusal).error)
    except msgspec.MsgspecError:
        return last_line(body.decode(errors="replace"))


def refused(answer: WebResponse, url: str, server: str) -> CheckResult | None:
    """The result for anything but a usable 200 of ``server``, such as "a Prometheus"."""
    where = shown(url)
    if answer.status >= 500 or answer.status in {408, 429}:
        return CheckResult(Outcome.UNAVAILABLE, f"{where} answered {answer.status}: nothing is known")
    if answer.status in {401, 403}:
        return CheckResult(Outcome.MISCONFIGURED, f"{where} answered {answer.status}: give credentials in headers")
    error = _error(answer.body) if answer.status != 200 else ""
    if answer.status in {400, 422}:
        subject = "query" if "query=" in url else "question"
        return CheckResult(Outcome.MISCONFIGURED, printable(f"{where} cannot answer the {subject}: {error}"))
    if answer.status != 200:
        reason = f"{where} answered {answer.status}: is url the address of {server}? {error}"
        return CheckResult(Outcome.MISCONFIGURED, printable(reason))
    if not answer.whole:
        return CheckResult(Outcome.UNAVAILABLE, f"{where} answered more than 4 MiB: narrow the query down")
    return None
