"""Queries a container registry (OCI distribution, v2), with the token that it hands out to everyone.

Sources: the OCI distribution specification, "Pulling manifests"; "Token Authentication Specification" of its registry project.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable
from urllib.parse import urlencode, urlsplit

import msgspec

from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.grammars.images import Image
from setpoint.model.time import SECOND, Duration, format_duration
from setpoint.programs.text import printable
from setpoint.protections.web.exchange import WebRequest, WebResponse, exchange, shown

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ANSWER_SIZE = 4 * 1024 * 1024
"""What the specification lets a manifest have, in bytes; of anything longer the beginning is read."""

_CHALLENGE = re.compile(r'(?<![A-Za-z_])(?P<name>[A-Za-z_]+)="(?P<value>[^"]*)"')
_HEADER = re.compile(r"[!-~]{1,16384}", re.ASCII)


class Unresolvable(Exception):  # noqa: N818 - named for its cause
    """A tag could not be resolved; ``outcome`` is that of a check that meets the same."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.reason)
        self.outcome = result.outcome


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Registry:
    """One conversation about an image's repository with its registry; every exchange takes ``timeout`` milliseconds at most."""

    def __init__(self, image: Image, timeout: Duration, *, plain_http: bool = False) -> None:
        self._base = f"{'http' if plain_http else 'https'}://{image.registry}/v2/{image.repository}"
        self._image, self._timeout, self._plain_http = image, timeout, plain_http
        self._headers: dict[str, str] = {}

    async def has(self, reference: str) -> WebResponse | CheckResult:
        """What is answered to the question whether there is a manifest with this tag or digest."""
        return await self._ask("HEAD", f"manifests/{reference}")

    async def manifest(self, reference: str) -> WebResponse | CheckResult:
        """The manifest with this tag or digest."""
        return await self._ask("GET", f"manifests/{reference}")

    async def blob(self, digest: str) -> WebResponse | CheckResult:
        """What has this digest."""
        return await self._ask("GET", f"blobs/{digest}")

    async def _ask(self, method: str, what: str) -> WebResponse | CheckResult:
        url, headers = f"{self._base}/{what}", {"accept": ", ".join(MANIFEST_TYPES)}
        answer = await self._exchange(url, method, headers | self._headers)
        if isinstance(answer, CheckResult) or answer.status != 401 or self._headers:
            return answer
        token = await self._token(answer.headers.get("www-authenticate", ""))
        if isinstance(token, CheckResult) or not token:
            return token or answer
        self._headers = {"authorization": f"Bearer {token}"}
        return await self._exchange(url, method, headers | self._headers)

    async def _token(self, challenge: str) -> str | CheckResult:
        """The token for anybody; empty where the registry hands out none."""
        scheme, _, rest = challenge.partition(" ")
        parameters = {match["name"].lower(): match["value"] for match in _CHALLENGE.finditer(rest)}
        realm = urlsplit(parameters.pop("realm", ""))
        if scheme.lower() != "bearer" or realm.scheme not in ({"https", "http"} if self._plain_http else {"https"}):
            return ""
        scope = {"scope": f"repository:{self._image.repository}:pull"}
        question = urlencode(scope | {name: parameters[name] for name in ("service", "scope") if name in parameters})
        url = realm._replace(query="&".join(filter(None, (realm.query, question)))).geturl()
        answer = await self._exchange(url, "GET", {})
        if isinstance(answer, CheckResult):
            return answer
        if answer.status >= 500 or answer.status == 429:
            return CheckResult(Outcome.UNAVAILABLE, printable(f"{shown(url)} answered {answer.status} to a request for a token"))
        return _read_token(answer) if answer.status == 200 else ""

    async def _exchange(self, url: str, method: str, headers: dict[str, str]) -> WebResponse | CheckResult:
        request = WebRequest(url, method, headers, follow_redirects=True, body_size=ANSWER_SIZE, refused=Outcome.UNAVAILABLE)
        return await exchange(request, self._timeout)


async def in_all(answering: Awaitable[CheckResult], image: Image, timeout: Duration) -> CheckResult:  # noqa: ASYNC109 - of the check
    """A result that takes several exchanges, within ``timeout`` milliseconds."""
    try:
        async with asyncio.timeout(timeout / SECOND):
            return await answering
    except TimeoutError:
        return CheckResult(Outcome.UNAVAILABLE, f"{image.registry} did not answer within {format_duration(timeout)}")


def refused(answer: WebResponse, name: str, image: Image) -> CheckResult | None:
    """The result for anything but a 200 or 404 to a question about the image called ``name``."""
    if answer.status in {200, 404}:
        return None
    shown = printable(name, 160)
    if answer.status in {401, 403}:
        reason = f"{image.registry} shows {shown} only with credentials, or does not have it"
        return CheckResult(Outcome.MISCONFIGURED, printable(reason))
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{image.registry} answered {answer.status} to a request for {shown}"))


def absent(name: str, image: Image) -> CheckResult:
    """The result for an image that is not there."""
    return CheckResult(Outcome.BLOCKING, printable(f"{printable(name, 160)} is not in {image.registry}"))


async def resolve_tag(name: str, image: Image, timeout: Duration, *, plain_http: bool) -> str:  # noqa: ASYNC109 - of all exchanges
    """The digest that the image's tag stands for now.

    Raises:
        Unresolvable: the image is not there, or its registry does not show it.
    """
    try:
        async with asyncio.timeout(timeout / SECOND):
            found = await manifest_digest(Registry(image, timeout, plain_http=plain_http), name, image)
    except TimeoutError:
        found = CheckResult(Outcome.UNAVAILABLE, f"{image.registry} did not answer within {format_duration(timeout)}")
    if isinstance(found, CheckResult):
        raise Unresolvable(found)
    return found


async def manifest_digest(registry: Registry, name: str, image: Image) -> str | CheckResult:
    """SHA-256 of an image's manifest, computed here: what a registry returns for a tag or a digest is no more than a claim.

    A manifest that does not have the digest by which it was requested is unavailable, whatever the algorithm.
    """
    answer = await registry.manifest(image.reference)
    if isinstance(answer, CheckResult):
        return answer
    if failure := refused(answer, name, image):
        return failure
    if answer.status == 404:
        return absent(name, image)
    if not answer.whole:
        return CheckResult(Outcome.UNAVAILABLE, printable(f"the manifest of {name} is longer than 4 MiB"))
    if image.digest and _digest(image.digest.partition(":")[0], answer.body) != image.digest:
        return another(name, image)
    return _digest("sha256", answer.body)


def another(name: str, image: Image) -> CheckResult:
    """The result for a registry that returns something else for a digest."""
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{image.registry} answered another manifest than {name}"))


def _digest(algorithm: str, content: bytes) -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def _read_token(answer: WebResponse) -> str:
    try:
        found = msgspec.json.decode(answer.body, type=_Token)
    except msgspec.MsgspecError:
        return ""
    token = found.token or found.access_token
    return token if _HEADER.fullmatch(token) else ""
