"""One bounded HTTP exchange for a check: what was answered, or which of the four results its failure is.

Proxies and credentials of the engine's environment are not used, addresses are shown without their secrets, and of a body
no more than requested is read. Each address is resolved, judged, and then that very one is dialled, at every redirect again: a
link-local one gives away the credentials of the machine. Another origin gets no header that the check set.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx2
import msgspec

from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.time import SECOND, Duration, format_duration
from setpoint.programs.text import printable
from setpoint.programs.throttle import Throttle

BODY_SIZE = 64 * 1024
MAX_REDIRECTS = 5
_SAFE_ELSEWHERE = {"accept", "accept-encoding", "accept-language", "user-agent"}
"""Headers that another origin gets as well."""
_NAT64 = IPv6Network("64:ff9b::/96")
_opening = Throttle()


class ForbiddenAddressError(Exception):
    """A name that leads to an address that no check may ask; the text is a sentence for people."""


class WebRequest(msgspec.Struct, frozen=True):
    """What to ask. ``body_size``: bytes of the answer's body to read, the rest is not waited for.

    ``refused``: what a refused connection means. For a server that is itself in question the check fails; one that reports about
    something else is unavailable.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    follow_redirects: bool = False
    body_size: int = BODY_SIZE
    refused: Outcome = Outcome.BLOCKING


class WebResponse(msgspec.Struct, frozen=True):
    """What came back; ``whole`` is False when the body was longer than requested. ``headers``: names in lower case."""

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
    except (TimeoutError, httpx2.TimeoutException):
        return CheckResult(Outcome.UNAVAILABLE, f"{shown(request.url)} did not answer within {format_duration(timeout)}")
    except ForbiddenAddressError as error:
        return CheckResult(Outcome.MISCONFIGURED, str(error))
    except httpx2.TooManyRedirects:
        return CheckResult(Outcome.UNAVAILABLE, f"{shown(request.url)} leads on more than {MAX_REDIRECTS} times")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return CheckResult(Outcome.MISCONFIGURED, f"{shown(request.url)} is not a valid address: write http://host:port/path")
    except (httpx2.LocalProtocolError, ValueError):  # their texts may quote a header that is a secret
        return CheckResult(Outcome.MISCONFIGURED, f"{shown(request.url)} cannot be requested: correct url, method or headers")
    except (httpx2.HTTPError, OSError, ExceptionGroup) as error:  # groups: of attempts at several addresses
        return _failed(request, error)


def _require_usable(url: str) -> None:
    """Raises httpx2.InvalidURL for what the layers below would stumble over."""
    parsed = httpx2.URL(url)
    if not parsed.host or (parsed.port is not None and not 0 < parsed.port < 65536):
        raise httpx2.InvalidURL("no host, or no such port")


async def _send(request: WebRequest, timeout: Duration) -> WebResponse:  # noqa: ASYNC109 - of each step; the caller bounds the whole
    async with _opening.slot():
        context = _trust() if _trust.cache_info().currsize else await asyncio.to_thread(_trust)
        client = httpx2.AsyncClient(verify=context, trust_env=False, timeout=timeout / SECOND)
    content = request.body.encode() or None
    headers = httpx2.Headers({"accept-encoding": "identity"} | request.headers)  # what is compressed has no bound
    method, url = request.method, httpx2.URL(request.url)
    async with client:
        for _ in range(MAX_REDIRECTS + 1):
            async with _answer(client, client.build_request(method, url, headers=headers, content=content)) as response:
                location = response.headers.get("location") if response.has_redirect_location else None
                if not (request.follow_redirects and location):
                    body, whole = await _read(response, request.body_size)
                    return WebResponse(response.status_code, body, dict(response.headers), whole)
            following = url.join(location)
            if (following.scheme, following.host, following.port) != (url.scheme, url.host, url.port):
                headers = httpx2.Headers([one for one in headers.raw if one[0].lower().decode("ascii") in _SAFE_ELSEWHERE])
            if response.status_code not in {307, 308} and method != "HEAD":
                method, content = "GET", None
            url = following
    raise httpx2.TooManyRedirects("too many")


@asynccontextmanager
async def _answer(client: httpx2.AsyncClient, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
    """What the first address of the host that can be reached answers."""
    _require_usable(str(request.url))
    addresses = await _addresses(request.url)
    limits = client.timeout.as_dict()
    limits["connect"] = (limits["connect"] or 1) / len(addresses)  # so that there is time to try the last one, too
    for number, address in enumerate(addresses, 1):
        dialled = httpx2.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers.raw,
            content=request.content,
            extensions={"timeout": limits, "sni_hostname": request.url.host},
        )
        try:
            response = await client.send(dialled, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if number == len(addresses):
                raise
            continue
        try:
            yield response
        finally:
            await response.aclose()
        return


async def _addresses(url: httpx2.URL) -> list[IPv4Address | IPv6Address]:
    """Where a host is.

    Raises:
        ForbiddenAddressError: one of the addresses is forbidden.
        socket.gaierror: there is none.
    """
    port = url.port or {"https": 443}.get(url.scheme, 80)
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ip_address(str(address[0]).partition("%")[0]) for *_, address in found))
    for address in addresses:
        if what := forbidden(address):
            raise ForbiddenAddressError(f"{shown(str(url))} leads to {address}, which is {what}: checks may not connect there")
    return addresses


def forbidden(address: IPv4Address | IPv6Address) -> str:
    """Return why an address is forbidden; empty: it is not. IPv6 addresses that stand for one of IPv4 count as that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return forbidden(inner)
    if address.is_loopback:  # what runs on this machine is checked there; of IPv6 it is a reserved address
        return ""
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "a multicast address"
    return "no address of a host" if address.is_unspecified or address.is_reserved else ""


async def _read(response: httpx2.Response, size: int) -> tuple[bytes, bool]:
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
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{where} could not be reached: {error or type(error).__name__}"))


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
        parsed = httpx2.URL(url)
        bare = parsed.copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx2.InvalidURL, ValueError, TypeError):
        return "the url"
    return printable(str(bare), 120)
