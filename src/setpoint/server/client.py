"""A small client of the API: what the command line uses, and what scripts may."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from setpoint.durable.home import HOME_VARIABLE
from setpoint.server import location

_TIMEOUT = httpx2.Timeout(60, connect=5)
_STREAM = httpx2.Timeout(None, connect=5)
_LONG = ("/commands/check",)
"""What takes as long as a program of the user's: its own timeout bounds it."""


class ClientError(Exception):
    """The error that the server returned. ``code`` as in the API; ``unreachable`` without a response."""

    def __init__(self, code: str, message: str, hint: str = "", details: list[str] | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details or []
        self.status = status


class Client:
    """Sends requests to one engine as one person. Use it as ``with``."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            trust_env=False,
            verify=url.startswith("https:"),  # else the certificates of all authorities were read for nothing, every time
        )

    @classmethod
    def at(cls, home: Path, token: str = "") -> Client:
        """The engine of a data directory; the token is the one given, else ``SETPOINT_TOKEN``, else the administrator's.

        Raises:
            ClientError: no engine runs there, or no token can be had.
        """
        place = location.find(home)
        if place is None and (why := location.closed(home)):
            raise ClientError(
                "unauthenticated",
                why,
                f"Run this as that user, or name your own data directory: --home or {HOME_VARIABLE}.",
            )
        if place is None:
            more = "" if os.environ.get(HOME_VARIABLE) else f", or name another data directory with --home or {HOME_VARIABLE}"
            raise ClientError("unreachable", f"No engine runs in {home}.", f"Start one with `setpoint up`{more}.")
        chosen = (token or os.environ.get(location.TOKEN_VARIABLE, "")).strip() or _admin_token(home)
        if not chosen.isascii() or not chosen.isprintable():
            raise ClientError(
                "unauthenticated",
                "That is not a token: tokens begin with sp_ and are plain letters.",
                "`setpoint token create` makes one.",
            )
        return cls(place.url, chosen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def command(self, name: str, payload: Mapping[str, Any] | None = None, *, request: str = "") -> dict[str, Any]:
        """Change something. ``request`` identifies it: given again, it does nothing twice. Raises ClientError."""
        headers = {"Idempotency-Key": request or uuid.uuid4().hex}
        return self._ask(f"/api/v1/commands/{name}", payload or {}, headers)

    def rehearse(self, name: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a command would do, without doing it. Raises ClientError."""
        return self._ask(f"/api/v1/rehearsals/{name}", payload or {}, {})

    def query(self, name: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask something. Raises ClientError."""
        return self._ask(f"/api/v1/queries/{name}", payload or {}, {})

    def stream(self, name: str, parameters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Bits as they come, until the server ends them. Raises ClientError."""
        given = {key: str(value) for key, value in (parameters or {}).items() if value is not None}
        try:
            with self._http.stream("GET", f"/api/v1/{name}", params=given, timeout=_STREAM) as response:
                if response.status_code != httpx2.codes.OK:
                    response.read()
                    raise _error(response)
                yield from _events(response.iter_lines())
        except httpx2.HTTPError as error:
            raise _unreachable(error) from error

    def _ask(self, path: str, payload: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            timeout = _STREAM if path.endswith(_LONG) else _TIMEOUT
            response = self._http.post(path, json=dict(payload), headers=dict(headers), timeout=timeout)
        except httpx2.HTTPError as error:
            raise _unreachable(error) from error
        if response.status_code != httpx2.codes.OK:
            raise _error(response)
        found: dict[str, Any] = response.json()
        return found


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind == "problem":
            raise ClientError(**json.loads(value))
        elif name == "data" and kind == "end":
            return
        elif name == "data":
            yield json.loads(value)


def _admin_token(home: Path) -> str:
    path = home / "admin.token"
    try:
        return path.read_text().strip()
    except OSError as error:
        hint = f"Give one with --token-file or {location.TOKEN_VARIABLE}; an administrator makes it with `setpoint token create`."
        raise ClientError("unauthenticated", f"No token: {path} cannot be read ({error.strerror}).", hint) from error


def _error(response: httpx2.Response) -> ClientError:
    try:
        found = response.json()
        return ClientError(found["code"], found["message"], found["hint"], found["details"], response.status_code)
    except (ValueError, KeyError, TypeError):
        return ClientError(
            "unreachable",
            f"The server at {response.url.copy_with(path='/')} is not Setpoint ({response.status_code}).",
            "See `setpoint doctor`.",
        )


def _unreachable(error: httpx2.HTTPError) -> ClientError:
    return ClientError(
        "unreachable",
        f"The engine does not answer: {error or type(error).__name__}.",
        "See its log, or start it with `setpoint up`.",
    )
