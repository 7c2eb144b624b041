"""One bounded HTTP exchange for a check: what was answered, or which of the four results its failure is.

Proxies and credentials of the engine's environment are not used, addresses are shown without their secrets, and of a body
no more than asked for is read.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl

import httpx
import msgspec

from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.time import SECOND, Duration, format_duration
from setpoint.programs.text import printable
from setpoint.programs.throttle import Throttle

BODY_SIZE = 64 * 1024
MAX_REDIRECTS = 5
_opening = Throttle()


class WebRequest(msgspec.Struct, frozen=True):
    """What to ask. ``body_size``: bytes of the answer's body to read, the rest is not waited for.

    ``refused``: what a refused connection means. A server that is itself in question says no by it; one that is asked about
    something else says nothing.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    follow_redirects: bool = False
    body_size: int = BODY_SIZE
    refused: Outcome = Outcome.BLOCKING


class WebResponse(msgspec.Struct, frozen=True):
    """What came back; ``whole`` is False when the body was longer than asked for. ``headers``: names in lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    whole: bool = True


async def exchange(request: WebRequest, timeout: Duration) -> WebResponse | CheckResult:  # noqa: ASYNC109 - the limit is part of the check
    """The answer, or the result that stands for its failure, within ``timeout`` milliseconds in all."""
    try:
        _require_usable(request.url)
        async with asyncio.timeout(timeout / SECOND):
            return await _send(request, timeout)
    except (TimeoutError, httpx.TimeoutException):
        return CheckResult(Outcome.UNAVAILABLE, f"{shown(request.url)} did not answer within {format_duration(timeout)}")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return CheckResult(Outcome.MISCONFIGURED, f"{shown(request.url)} is no address to ask: write http://host:port/path")
    except (httpx.LocalProtocolError, ValueError):  # their texts may quote a header that is a secret
        return CheckResult(Outcome.MISCONFIGURED, f"{shown(request.url)} cannot be asked so: look at url, method and headers")
    except (httpx.HTTPError, OSError, ExceptionGroup) as error:  # groups: of attempts at several addresses
        return _failed(request, error)


def _require_usable(url: str) -> None:
    """Raises httpx.InvalidURL for what the layers below would stumble over."""
    parsed = httpx.URL(url)
    if not parsed.host or (parsed.port is not None and not 0 < parsed.port < 65536):
        raise httpx.InvalidURL("no host, or no such port")


async def _send(request: WebRequest, timeout: Duration) -> WebResponse:  # noqa: ASYNC109 - of each step; the caller bounds the whole
    async with _opening.slot():
        context = _trust() if _trust.cache_info().currsize else await asyncio.to_thread(_trust)
        client = httpx.AsyncClient(verify=context, trust_env=False, timeout=timeout / SECOND, max_redirects=MAX_REDIRECTS)
    content = request.body.encode() or None
    headers = {"accept-encoding": "identity"} | request.headers  # what is compressed has no bound
    stream = client.stream(
        request.method, request.url, headers=headers, content=content, follow_redirects=request.follow_redirects
    )
    async with client, stream as response:
        body, whole = await _read(response, request.body_size)
        return WebResponse(response.status_code, body, dict(response.headers), whole)


async def _read(response: httpx.Response, size: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for piece in response.aiter_raw(16 * 1024):
        body += piece
        if len(body) > size:
            return bytes(body[:size]), False
    return bytes(body), True


@functools.cache
def _trust() -> ssl.SSLContext:
    """The system's certificate authorities, read once: it takes long enough to be felt."""
    return ssl.create_default_context()


def _failed(request: WebRequest, error: Exception) -> CheckResult:
    where = shown(request.url)
    causes = _causes(error)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return CheckResult(request.refused, f"{where} refused the connection: nothing listens there")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return CheckResult(Outcome.UNAVAILABLE, f"the name in {where} cannot be resolved")
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls:
        return CheckResult(
            Outcome.UNAVAILABLE, printable(f"{where}: TLS failed: {getattr(tls, 'verify_message', '') or tls.reason or tls}")
        )
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{where} could not be asked: {error or type(error).__name__}"))


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it came from, and the members of groups: connecting tries several addresses."""
    found: list[BaseException] = []
    heads: list[BaseException | None] = [error]
    while heads:
        head = heads.pop()
        if head is None or head in found:
            continue
        found.append(head)
        heads += [head.__cause__, head.__context__]
        if isinstance(head, BaseExceptionGroup):
            heads += head.exceptions
    return found


def shown(url: str) -> str:
    """An address for people: without user, password, query and fragment, for those may hold secrets."""
    try:
        parsed = httpx.URL(url)
        bare = parsed.copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx.InvalidURL, ValueError, TypeError):
        return "the url"
    return printable(str(bare), 120)
