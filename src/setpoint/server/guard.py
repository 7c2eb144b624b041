"""Before any route: the right host, a body of bearable size, a known person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from setpoint.model.people import Person
from setpoint.server import problems

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY = 96 << 20
"""Bytes: a configuration with the files it names, in Base64."""
OPEN = frozenset({"/healthz"})
"""Answered to anybody; tells nothing but that there is an engine."""

Identify = Callable[[str], Person | None]


class Guard:
    """Pure ASGI; puts the person into ``scope["state"]["person"]``."""

    def __init__(self, app: ASGIApp, identify: Identify) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _wrong_host(headers) or _too_large(headers) or self._stranger(scope, headers)
        if refusal is not None:
            await problems.response(*refusal)(scope, receive, send)
            return
        limited = _Limited(receive)
        try:
            await self._app(scope, limited, send)
        except _TooLargeError:
            await problems.response(*_LARGE)(scope, receive, send)

    def _stranger(self, scope: Scope, headers: Headers) -> tuple[int, dict[str, Any]] | None:
        if scope["path"] in OPEN:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        person = self._identify(token.strip()) if scheme.lower() == "bearer" else None
        if person is None:
            message = "This token is not known, or has expired." if token else "A token is needed."
            return 401, problems.body(
                "unauthenticated", message, "Send Authorization: Bearer TOKEN; `setpoint token create` makes one."
            )
        scope.setdefault("state", {})["person"] = person
        return None


_LARGE = (413, problems.body("too-large", f"The request has more than {MAX_BODY >> 20} MiB.", "Send less at once."))


def _wrong_host(headers: Headers) -> tuple[int, dict[str, Any]] | None:
    """A page of another site that has its name point to this machine must not get through (DNS rebinding)."""
    for name, value in (("host", f"//{headers.get('host', '')}"), ("origin", headers.get("origin", ""))):
        if name in headers and _hostname(value) not in HOSTS:
            return 403, problems.body(
                "wrong-host", f"This engine does not answer as {headers[name]}.", "Use http://127.0.0.1 with its port."
            )
    return None


def _hostname(value: str) -> str:
    try:
        return urlsplit(value).hostname or ""
    except ValueError:
        return ""


def _too_large(headers: Headers) -> tuple[int, dict[str, Any]] | None:
    length = headers.get("content-length", "0")
    return _LARGE if not length.isdecimal() or int(length) > MAX_BODY else None


class _TooLargeError(Exception):
    """The body went on and on."""


class _Limited:
    """Counts what comes in chunks."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > MAX_BODY:
            raise _TooLargeError
        return message
