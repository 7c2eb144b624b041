"""Asks a container registry (OCI distribution, v2), with the token that it hands out to anybody.

Sources: the OCI distribution specification, "Pulling manifests"; "Token Authentication Specification" of its registry project.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlencode, urlsplit

import msgspec

from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.images import Image
from setpoint.model.time import SECOND, Duration, format_duration
from setpoint.protections.text import printable
from setpoint.protections.web import Answer, Request, exchange, shown

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CHALLENGE = re.compile(r'(?P<name>[A-Za-z_]+)="(?P<value>[^"]*)"')
_HEADER = re.compile(r"[!-~]{1,16384}", re.ASCII)


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Registry:
    """One conversation with an image's registry, which takes ``timeout`` milliseconds at most in all."""

    def __init__(self, image: Image, timeout: Duration, *, plain_http: bool = False) -> None:
        self._base = f"{'http' if plain_http else 'https'}://{image.registry}/v2/{image.repository}"
        self._image, self._timeout, self._plain_http = image, timeout, plain_http

    async def manifest(self) -> Answer | CheckResult:
        """What the registry answers when asked whether it has the image's manifest, or the result that stands for no answer."""
        url = f"{self._base}/manifests/{self._image.reference}"
        try:
            async with asyncio.timeout(self._timeout / SECOND):
                return await self._ask(url)
        except TimeoutError:
            return CheckResult(Outcome.UNAVAILABLE, f"{shown(url)} did not answer within {format_duration(self._timeout)}")

    async def _ask(self, url: str) -> Answer | CheckResult:
        headers = {"accept": ", ".join(MANIFEST_TYPES)}
        answer = await self._exchange(url, "HEAD", headers)
        if isinstance(answer, CheckResult) or answer.status != 401:
            return answer
        token = await self._token(answer.headers.get("www-authenticate", ""))
        if isinstance(token, CheckResult):
            return token
        return await self._exchange(url, "HEAD", headers | {"authorization": f"Bearer {token}"}) if token else answer

    async def _token(self, challenge: str) -> str | CheckResult:
        """The token for anybody; empty where the registry hands out none."""
        scheme, _, rest = challenge.partition(" ")
        asked = {match["name"].lower(): match["value"] for match in _CHALLENGE.finditer(rest)}
        realm = urlsplit(asked.pop("realm", ""))
        if scheme.lower() != "bearer" or realm.scheme not in ({"https", "http"} if self._plain_http else {"https"}):
            return ""
        scope = {"scope": f"repository:{self._image.repository}:pull"}
        question = urlencode(scope | {name: asked[name] for name in ("service", "scope") if name in asked})
        url = realm._replace(query="&".join(filter(None, (realm.query, question)))).geturl()
        answer = await self._exchange(url, "GET", {})
        if isinstance(answer, CheckResult):
            return answer
        if answer.status >= 500 or answer.status == 429:
            return CheckResult(Outcome.UNAVAILABLE, printable(f"{shown(url)} answered {answer.status} when asked for a token"))
        return _read_token(answer) if answer.status == 200 else ""

    async def _exchange(self, url: str, method: str, headers: dict[str, str]) -> Answer | CheckResult:
        request = Request(url, method, headers, follow_redirects=True, refused=Outcome.UNAVAILABLE)
        return await exchange(request, self._timeout)


def _read_token(answer: Answer) -> str:
    try:
        found = msgspec.json.decode(answer.body, type=_Token)
    except msgspec.MsgspecError:
        return ""
    token = found.token or found.access_token
    return token if _HEADER.fullmatch(token) else ""
