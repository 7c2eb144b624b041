"""image-exists, against real registries – open, with tokens, with passwords – and ones that misbehave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.components.registry import Registry, registry, registry_with_passwords, registry_with_tokens
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.ports import free_port
from tests.support.webserver import WebServer, text, webserver

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.images import ImageExists

REPOSITORY = "team/web"
MANIFEST = f"/v2/{REPOSITORY}/manifests/1.4.2"


async def ask(image: str, **more: Any) -> CheckResult:
    return await run(ImageExists(), definition("image-exists", {"image": image, "plainHttp": True, **more}))


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        found.push(REPOSITORY, "1.4.2")
        yield found


@pytest.fixture(scope="module")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry_with_tokens(tmp_path_factory.mktemp("registry")) as found:
        found.push(REPOSITORY, "1.4.2")
        found.push("private/web", "1.4.2")
        yield found


@pytest.fixture
def site() -> Iterator[WebServer]:
    with webserver() as site:
        site.routes[MANIFEST] = site.hang
        yield site


def address(site: WebServer) -> str:
    return site.url.removeprefix("http://")


@pytest.mark.needs("registry")
class TestImageExists(ProtectionContract, MayTakeLong):
    protection = ImageExists()

    @pytest.fixture
    def passing(self, open_registry: Registry) -> CheckDefinition:
        return definition("image-exists", {"image": f"{open_registry.address}/{REPOSITORY}:1.4.2", "plainHttp": True})

    @pytest.fixture
    def blocking(self, open_registry: Registry) -> CheckDefinition:
        return definition("image-exists", {"image": f"{open_registry.address}/{REPOSITORY}:1.4.3", "plainHttp": True})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("image-exists", {"image": f"127.0.0.1:{free_port()}/{REPOSITORY}:1.4.2", "plainHttp": True})

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("image-exists", {"image": "127.0.0.1:1/Team/Web"})

    @pytest.fixture
    def hanging(self, site: WebServer) -> CheckDefinition:
        return definition("image-exists", {"image": f"{address(site)}/{REPOSITORY}:1.4.2", "plainHttp": True})


@pytest.mark.needs("registry")
class TestRegistries:
    async def test_a_tag_that_is_there_passes_with_its_digest(self, open_registry: Registry) -> None:
        digest = open_registry.push(REPOSITORY, "2.0.0")
        name = f"{open_registry.address}/{REPOSITORY}:2.0.0"
        assert await ask(name) == CheckResult(Outcome.PASSING, f"{name} is there ({digest})")

    async def test_a_digest_is_asked_for_whatever_the_tag_says(self, open_registry: Registry) -> None:
        digest = open_registry.push(REPOSITORY, "2.0.1")
        assert (await ask(f"{open_registry.address}/{REPOSITORY}:gone@{digest}")).outcome is Outcome.PASSING
        assert (await ask(f"{open_registry.address}/{REPOSITORY}@sha256:{'0' * 64}")).outcome is Outcome.BLOCKING

    async def test_what_is_not_there_is_named_with_its_registry(self, open_registry: Registry) -> None:
        name = f"{open_registry.address}/nobody/knows"
        assert await ask(name) == CheckResult(Outcome.BLOCKING, f"{name} is not in {open_registry.address}")

    async def test_a_registry_that_wants_tokens_gives_everybody_one(self, token_registry: Registry) -> None:
        assert (await ask(f"{token_registry.address}/{REPOSITORY}:1.4.2")).outcome is Outcome.PASSING
        assert (await ask(f"{token_registry.address}/{REPOSITORY}:1.4.3")).outcome is Outcome.BLOCKING

    async def test_what_a_token_for_everybody_does_not_show_is_misconfigured(self, token_registry: Registry) -> None:
        result = await ask(f"{token_registry.address}/private/web:1.4.2")
        assert result.outcome is Outcome.MISCONFIGURED
        assert "only with credentials" in result.reason

    async def test_a_registry_that_wants_passwords_is_misconfigured(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with registry_with_passwords(tmp_path_factory.mktemp("registry")) as closed:
            assert (await ask(f"{closed.address}/{REPOSITORY}:1.4.2")).outcome is Outcome.MISCONFIGURED

    async def test_tls_is_spoken_unless_told_otherwise(self, open_registry: Registry) -> None:
        result = await ask(f"{open_registry.address}/{REPOSITORY}:1.4.2", plainHttp=False)
        assert result.outcome is Outcome.UNAVAILABLE
        assert "TLS" in result.reason


@pytest.mark.parametrize("status", [429, 500, 503, 418])
async def test_other_answers_tell_nothing(site: WebServer, status: int) -> None:
    site.routes[MANIFEST] = text(status)
    result = await ask(f"{address(site)}/{REPOSITORY}:1.4.2")
    assert (result.outcome, str(status) in result.reason) == (Outcome.UNAVAILABLE, True)


def challenged(
    site: WebServer, token: Any, challenge: str = 'Bearer realm="{}/token",service="s",scope="repository:x:pull"'
) -> None:
    """A registry that lets in who brings the token "open", and a token server beside it."""

    def manifest(request: Any) -> None:
        admitted = request.headers.get("authorization") == "Bearer open"
        answer = text(200) if admitted else text(401, www_authenticate=challenge.replace("{}", site.url))
        answer(request)

    site.routes |= {MANIFEST: manifest, "/token": token}


@pytest.mark.parametrize(
    ("token", "outcome"),
    [
        (text(200, '{"token": "open"}'), Outcome.PASSING),
        (text(200, '{"access_token": "open"}'), Outcome.PASSING),
        (text(200, '{"token": "wrong"}'), Outcome.MISCONFIGURED),
        (text(200, json.dumps({"token": "a\r\nHost: elsewhere"})), Outcome.MISCONFIGURED),
        (text(200, "no JSON"), Outcome.MISCONFIGURED),
        (text(401), Outcome.MISCONFIGURED),
        (text(503), Outcome.UNAVAILABLE),
    ],
)
async def test_what_the_token_server_answers_decides(site: WebServer, token: Any, outcome: Outcome) -> None:
    challenged(site, token)
    assert (await ask(f"{address(site)}/{REPOSITORY}:1.4.2")).outcome is outcome


async def test_the_token_is_asked_for_as_the_challenge_says(site: WebServer) -> None:
    challenged(site, text(200, '{"token": "open"}'))
    await ask(f"{address(site)}/{REPOSITORY}:1.4.2")
    assert [path for _, path, _, _ in site.seen] == [MANIFEST, "/token?scope=repository%3Ax%3Apull&service=s", MANIFEST]
    assert "application/vnd.oci.image.index.v1+json" in site.seen[0][2]["accept"]


@pytest.mark.parametrize("challenge", ["", "Basic realm=here", "Bearer", 'Bearer realm="file:///etc/passwd"'])
async def test_a_challenge_that_leads_nowhere_is_misconfigured(site: WebServer, challenge: str) -> None:
    challenged(site, text(200), challenge)
    assert (await ask(f"{address(site)}/{REPOSITORY}:1.4.2")).outcome is Outcome.MISCONFIGURED


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "image is missing"),
        ({"image": "https://registry.example/web"}, "without a scheme"),
        ({"image": "web", "plainHttp": "yes"}, "plainHttp must be true or false"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    (mistake,) = ImageExists().validate(options)
    assert sentence in mistake
