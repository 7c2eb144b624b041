"""HTTP checks and the probe, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import pytest
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.ports import free_port
from tests.support.stalls import measured_stalls
from tests.support.webserver import WebServer, text, webserver

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.http import HttpProbe, HttpProtection, parse_status
from setpoint.protections.web.exchange import forbidden


def hang(site: WebServer) -> Any:
    return lambda request: site.closing.wait(60)


def echo(request: BaseHTTPRequestHandler) -> None:
    text(200, json.dumps(dict(request.headers.items())))(request)


@pytest.fixture
def site() -> Iterator[WebServer]:
    with webserver() as site:
        site.routes |= {
            "/ok": text(200, "ready"),
            "/down": text(503, "database gone\n"),
            "/moved": text(302, location=f"{site.url}/ok?token=hidden"),
            "/hang": hang(site),
            "/big": text(200, b"x" * 5_000_000),
            "/echo": echo,
        }
        yield site


async def ask(**options: Any) -> CheckResult:
    return await run(HttpProtection(), definition("http", options))


async def probe(env: dict[str, str] | None = None, **options: Any) -> CheckResult:
    return await run(HttpProbe(), definition("http-probe", options, env=env or {}))


class TestHttpProtection(ProtectionContract, MayTakeLong):
    protection = HttpProtection()

    @pytest.fixture
    def passing(self, site: WebServer) -> CheckDefinition:
        return definition("http", {"url": f"{site.url}/ok"})

    @pytest.fixture
    def blocking(self, site: WebServer) -> CheckDefinition:
        return definition("http", {"url": f"{site.url}/down"})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("http", {"url": "http://nosuch.invalid/"})

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("http", {"url": "ftp://127.0.0.1/"})

    @pytest.fixture
    def hanging(self, site: WebServer) -> CheckDefinition:
        return definition("http", {"url": f"{site.url}/hang"})


class TestHttpProbe(ProtectionContract, MayTakeLong):
    protection = HttpProbe()

    @pytest.fixture
    def address(self, site: WebServer) -> dict[str, str]:
        return {"SETPOINT_ADDRESS": site.url.removeprefix("http://")}

    @pytest.fixture
    def passing(self, address: dict[str, str]) -> CheckDefinition:
        return definition("http-probe", {"path": "/ok", "contains": "ready"}, env=address)

    @pytest.fixture
    def blocking(self, address: dict[str, str]) -> CheckDefinition:
        return definition("http-probe", {"path": "/ok", "contains": "steady"}, env=address)

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("http-probe", {"path": "/ok"}, env={"SETPOINT_ADDRESS": "http://nosuch.invalid"})

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("http-probe", {"path": "/ok"})

    @pytest.fixture
    def hanging(self, address: dict[str, str]) -> CheckDefinition:
        return definition("http-probe", {"path": "/hang"}, env=address)


async def test_a_refused_connection_is_a_no() -> None:
    for host in ("127.0.0.1", "localhost"):
        result = await ask(url=f"http://{host}:{free_port()}/ready")
        assert result.outcome is Outcome.BLOCKING
        assert "refused the connection" in result.reason


async def test_a_wrong_status_is_a_no_with_what_the_server_said(site: WebServer) -> None:
    result = await ask(url=f"{site.url}/down")
    assert result == CheckResult(Outcome.BLOCKING, f"{site.url}/down answered 503, not 200-299: database gone", "database gone\n")


async def test_other_statuses_may_be_wanted(site: WebServer) -> None:
    assert (await ask(url=f"{site.url}/down", status="500-599")).outcome is Outcome.PASSING
    assert (await ask(url=f"{site.url}/down", status=503)).outcome is Outcome.PASSING
    assert (await ask(url=f"{site.url}/ok", status="201, 204")).outcome is Outcome.BLOCKING


async def test_redirects_are_not_followed_unless_asked_for(site: WebServer) -> None:
    result = await ask(url=f"{site.url}/moved")
    assert (result.outcome, result.reason) == (Outcome.BLOCKING, f"{site.url}/moved answered 302, not 200-299, to {site.url}/ok")
    assert (await ask(url=f"{site.url}/moved", followRedirects=True)).outcome is Outcome.PASSING


async def test_a_server_that_speaks_no_tls_is_unavailable(site: WebServer) -> None:
    result = await ask(url=site.url.replace("http:", "https:") + "/ok")
    assert result.outcome is Outcome.UNAVAILABLE
    assert "TLS failed" in result.reason


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    result = await ask(url="http://nosuch.invalid/x")
    assert (result.outcome, result.reason) == (Outcome.UNAVAILABLE, "the name in http://nosuch.invalid/x cannot be resolved")


async def test_a_server_that_hangs_up_is_unavailable(site: WebServer) -> None:
    site.routes["/hangup"] = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    assert (await ask(url=f"{site.url}/hangup")).outcome is Outcome.UNAVAILABLE


async def test_a_body_is_read_no_further_than_needed(site: WebServer) -> None:
    result = await ask(url=f"{site.url}/big")
    assert result.outcome is Outcome.PASSING
    assert len(result.output) == 64 * 1024


async def test_method_headers_and_body_arrive(site: WebServer) -> None:
    await ask(url=f"{site.url}/ok?x=1", method="post", headers={"Authorization": "Bearer t", "X-Count": 3}, body="hello")
    ((method, path, headers, body),) = site.seen
    assert (method, path, headers["authorization"], headers["x-count"], body) == ("POST", "/ok?x=1", "Bearer t", "3", b"hello")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:80",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://a\0b/",
        "http://..",
        "http://%/",
    ],
)
async def test_an_address_that_is_none_never_raises(url: str) -> None:
    assert (await ask(url=url)).outcome in {Outcome.MISCONFIGURED, Outcome.UNAVAILABLE}


async def test_proxies_and_credentials_of_the_engine_are_not_used(site: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    assert (await ask(url=f"{site.url}/ok")).outcome is Outcome.PASSING


async def test_secrets_in_an_address_are_not_shown(site: WebServer) -> None:
    url = site.url.replace("http://", "http://user:hunter2@")
    for result in (
        await ask(url=f"{url}/down?token=hunter3"),
        await ask(url=f"http://user:hunter2@127.0.0.1:{free_port()}/?t=hunter3"),
    ):
        assert "hunter" not in result.reason


async def test_a_header_that_cannot_be_sent_is_misconfigured_and_not_shown(site: WebServer) -> None:
    result = await ask(url=f"{site.url}/ok", headers={"Authorization": "secret\nvalue"})
    assert result.outcome is Outcome.MISCONFIGURED
    assert "secret" not in result.reason


async def test_a_server_that_trickles_is_cut_off_at_the_time_out(site: WebServer) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not site.closing.wait(0.1):
            request.wfile.write(b".")

    site.routes["/trickle"] = trickle
    start = time.monotonic()
    result = await run(HttpProtection(), definition("http", {"url": f"{site.url}/trickle"}, timeout=500))
    assert result.outcome is Outcome.UNAVAILABLE
    assert time.monotonic() - start < 2


async def test_hundreds_of_checks_at_one_moment_do_not_stop_the_engine(site: WebServer) -> None:
    await ask(url=f"{site.url}/ok")
    check = definition("http", {"url": f"http://127.0.0.1:{free_port()}/"})
    async with measured_stalls() as stalls:
        results = await asyncio.gather(*(run(HttpProtection(), check) for _ in range(200)))
    assert {result.outcome for result in results} == {Outcome.BLOCKING}
    assert stalls.worst < 0.25


async def test_a_probe_asks_the_address_of_the_instance_or_a_url(site: WebServer) -> None:
    assert (await probe({"SETPOINT_ADDRESS": site.url}, path="/ok")).outcome is Outcome.PASSING
    assert (await probe({"SETPOINT_ADDRESS": "127.0.0.1:1"}, url=f"{site.url}/ok")).outcome is Outcome.PASSING
    missing = await probe({"SETPOINT_ADDRESS": site.url}, path="/ok", contains="steady")
    assert missing.reason == f'{site.url}/ok answered 200, but without "steady"'


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "url is missing"),
        ({"url": "example.org"}, "must begin with http://"),
        ({"url": "http://a", "method": "GET /"}, "write a method"),
        ({"url": "http://a", "status": "2xx"}, "200-299"),
        ({"url": "http://a", "status": "299-200"}, "200-299"),
        ({"url": "http://a", "headers": ["x"]}, "headers must be a map"),
        ({"url": "http://a", "headers": {"x": ["y"]}}, "headers.x must be text"),
        ({"url": "http://a", "followRedirects": "yes"}, "true or false"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    for protection in (HttpProtection(), HttpProbe()):
        mistakes = protection.validate(options)
        assert len(mistakes) == 1
        assert sentence in mistakes[0]


def test_a_probe_takes_url_or_path() -> None:
    assert HttpProbe().validate({"url": "http://a", "path": "/b"}) == ["write either url or path"]
    assert HttpProbe().validate({"path": "b"}) == ["path must begin with /"]
    assert HttpProbe().validate({"path": "${with.path}", "status": "${with.status}"}) == []


def test_status_ranges() -> None:
    assert parse_status("200-299, 301") == [(200, 299), (301, 301)]


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "224.0.0.1",
        "0.0.0.0",
        "[::]",
        "2852039166",
        "0xa9fea9fe",
    ],
)
@pytest.mark.parametrize("redirected", [False, True], ids=["asked", "redirected to"])
async def test_no_address_is_asked_that_gives_away_the_machine(site: WebServer, host: str, *, redirected: bool) -> None:
    url = f"http://{host}:{free_port()}/latest/meta-data"
    site.routes["/away"] = text(302, location=url)
    result = await ask(url=f"{site.url}/away" if redirected else url, followRedirects=True)
    assert result.outcome is Outcome.MISCONFIGURED, result
    assert "checks may not connect there" in result.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_what_runs_on_this_machine_is_asked_by_every_name(host: str) -> None:
    result = await ask(url=f"http://{host}:{free_port()}/")
    assert result.outcome is not Outcome.MISCONFIGURED, result


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "100.64.0.1", "8.8.8.8", "fd00::1", "2606:4700::1111"])
def test_private_and_public_addresses_may_be_asked(address: str) -> None:
    assert forbidden(ip_address(address)) == ""


async def test_a_server_sees_who_asks_and_what_is_accepted(site: WebServer) -> None:
    """Some refuse a request without them."""
    headers = json.loads((await ask(url=f"{site.url}/echo", headers={"X-Own": "1"})).output)
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent["user-agent"].startswith("python-httpx2/")
    assert (sent["accept"], sent["x-own"], sent["accept-encoding"]) == ("*/*", "1", "identity")


async def test_a_name_is_resolved_once_and_that_address_is_dialled(site: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere at the second look would be judged at the first."""
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def rebinding(host: str, *more: Any, **named: Any) -> Any:
        if host != "rebound.example":
            return resolve(host, *more, **named)
        asked.append(host)
        return resolve("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    result = await ask(url=site.url.replace("127.0.0.1", "rebound.example") + "/echo")
    assert (result.outcome, asked) == (Outcome.PASSING, ["rebound.example"])
    assert json.loads(result.output)["Host"].startswith("rebound.example:")


async def test_another_origin_gets_no_header_of_the_check(site: WebServer) -> None:
    with webserver() as other:
        other.routes["/echo"] = echo
        site.routes |= {"/elsewhere": text(302, location=f"{other.url}/echo"), "/here": text(302, location="/echo")}
        secret = {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Cookie": "a=s3cret", "Accept": "text/plain"}
        elsewhere = await ask(url=f"{site.url}/elsewhere", headers=secret, followRedirects=True)
        here = await ask(url=f"{site.url}/here", headers=secret, followRedirects=True)
    assert "s3cret" not in elsewhere.output
    assert json.loads(elsewhere.output)["Accept"] == "text/plain"
    assert json.loads(here.output)["X-Api-Key"] == "s3cret"


async def test_a_circle_of_redirects_ends(site: WebServer) -> None:
    site.routes["/round"] = text(302, location="/round")
    result = await ask(url=f"{site.url}/round", followRedirects=True)
    assert (result.outcome, result.reason) == (Outcome.UNAVAILABLE, f"{site.url}/round leads on more than 5 times")
