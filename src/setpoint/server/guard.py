"""Before any route: the right host and origin, a body of bearable size, a known person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from setpoint.control.audit import Origin
from setpoint.control.people import Token
from setpoint.model.people import Person
from setpoint.server import problems

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY = 1 << 20
"""Bytes of a request, unless its route takes more."""
OPEN = frozenset({"/healthz"})
"""Open to everyone; reveals only that an engine runs."""
_SCHEMES = {"ws": "http", "wss": "https"}
"""What the page of a WebSocket was loaded by."""
_VIOLATION = 1008
"""Code that closes a WebSocket which breaks a rule."""

Identify = Callable[[str], Token | None]
Refused = Callable[[str], Awaitable[None]]
Limit = Callable[[str, Person], int]
Problem = tuple[int, dict[str, Any]]


class Guard:
    """Pure ASGI; puts into ``scope["state"]`` the ``person``, the ``origin``, and ``again``, which looks the token up once more.

    ``limit``: bytes that a path takes from a person. ``refused`` notes an attempt without a valid token.
    """

    def __init__(self, app: ASGIApp, identify: Identify, limit: Limit, refused: Refused) -> None:
        self._app = app
        self._identify = identify
        self._limit = limit
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _wrong_host(scope, headers) or await self._stranger(scope, headers)
        most = self._most(scope)
        refusal = refusal or _too_large(headers, most)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        try:
            await self._app(scope, _Limited(receive, most), send)
        except _TooLargeError:
            await _refuse(_large(most), scope, receive, send)

    async def _stranger(self, scope: Scope, headers: Headers) -> Problem | None:
        if scope["path"] in OPEN:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        found = self._identify(token)
        source = _source(scope)
        if found is None:
            await self._refused(source)
            message = "This token is not known, or has expired." if token else "A token is needed."
            return 401, problems.body(
                "unauthenticated", message, "Send Authorization: Bearer TOKEN; `setpoint token create` makes one."
            )
        scope.setdefault("state", {}).update(
            person=found.person, origin=Origin(found.id, source), again=lambda: self._identify(token)
        )
        return None

    def _most(self, scope: Scope) -> int:
        person = scope.get("state", {}).get("person")
        return self._limit(scope["path"], person) if person else MAX_BODY


def _source(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _refuse(refusal: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _VIOLATION})
    else:
        await problems.response(*refusal)(scope, receive, send)


def _large(most: int) -> Problem:
    return 413, problems.body("too-large", f"The request has more than {most >> 20} MiB.", "Send a smaller one.")


def _wrong_host(scope: Scope, headers: Headers) -> Problem | None:
    """A page of another site that has its name point to this machine must not get through (DNS rebinding), nor one of another
    port: what listens there may be a service that was deployed.
    """
    host = _parts(f"//{headers.get('host', '')}")
    if "host" in headers and (host is None or host[1] not in HOSTS):
        return _foreign(headers["host"])
    scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
    if "origin" in headers and (host is None or _parts(headers["origin"]) != (scheme, *host[1:])):
        return _foreign(headers["origin"])
    return None


def _foreign(name: str) -> Problem:
    return 403, problems.body("wrong-host", f"This engine does not answer as {name}.", "Use http://127.0.0.1 with its port.")


def _parts(value: str) -> tuple[str, str, int | None] | None:
    try:
        found = urlsplit(value)
        port = found.port
    except ValueError:
        return None
    return found.scheme, found.hostname or "", port


def _too_large(headers: Headers, most: int) -> Problem | None:
    length = headers.get("content-length", "0")
    return _large(most) if not (length.isascii() and length.isdecimal()) or len(length) > 15 or int(length) > most else None


class _TooLargeError(Exception):
    """The body went on and on."""


class _Limited:
    """Counts what comes in chunks."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLargeError
        return message
