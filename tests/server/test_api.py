"""The API: who gets in, what a refusal looks like, and that every route is a thin skin over the registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.control.house import ADMIN, STANDARD, files
from tests.support.compilers import COMPILERS

from setpoint.control.control import Control
from setpoint.control.people import Token
from setpoint.control.permissions import OF_EVERY_PERSON
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS
from setpoint.model.people import Person
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.app import create_app
from setpoint.server.assembly import running
from setpoint.server.guard import Guard

BASE = "http://127.0.0.1:7350"


class Api:
    """The application without a socket, and people's tokens."""

    def __init__(self, control: Control, http: httpx2.AsyncClient, tokens: dict[str, str], stopping: asyncio.Event) -> None:
        self.control = control
        self.admin = ADMIN
        self.http = http
        self.tokens = tokens
        self.stopping = stopping

    def headers(self, person: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[person]}"} if person in self.tokens else {}

    async def post(self, path: str, payload: object, person: str = "admin", **headers: str) -> httpx2.Response:
        return await self.http.post(f"/api/v1/{path}", json=payload, headers={**self.headers(person), **headers})

    async def get(self, path: str, person: str = "admin", **headers: str) -> httpx2.Response:
        return await self.http.get(f"/api/v1/{path}", headers={**self.headers(person), **headers})


@asynccontextmanager
async def api(home: Path) -> AsyncIterator[Api]:
    async with running(home, runtimes={"fake": FakeRuntime}, compilers=COMPILERS) as control:
        stopping = asyncio.Event()
        tokens = {"admin": (home / "admin.token").read_text().strip()}
        tokens["eve"] = (await control.services.people.create(Person("eve"), by="admin", now=control.services.clock()))[1]
        transport = httpx2.ASGITransport(create_app(control, stopping), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
            yield Api(control, http, tokens, stopping)
        stopping.set()


def is_problem(response: httpx2.Response, status: int, code: str) -> bool:
    """Whether a refusal looks as every refusal does."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) == {"code", "message", "hint", "details"}
    assert body["message"].endswith(".")
    return bool(response.status_code == status and body["code"] == code)


async def test_every_command_query_and_stream_needs_a_person(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        for name in COMMANDS:
            assert is_problem(await found.post(f"commands/{name}", {}, "nobody"), 401, "unauthenticated")
        for name in QUERIES:
            assert is_problem(await found.post(f"queries/{name}", {}, "nobody"), 401, "unauthenticated")
            assert is_problem(await found.get(f"queries/{name}", "nobody"), 401, "unauthenticated")
        for name in STREAMS:
            assert is_problem(await found.get(name, "nobody"), 401, "unauthenticated")
        assert is_problem(await found.get("openapi.json", "nobody"), 401, "unauthenticated")


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_every_command_is_a_route_that_knows_who_asks(tmp_path: Path, name: str) -> None:
    payload = {
        "target": "x@y",
        "version": "1",
        "gate": "g",
        "why": "w",
        "user": "u",
        "id": "i",
        "files": {},
        "root": "/r",
        "services": {"s": {"version": "1"}},
        "service": "s",
    }
    known = COMMANDS[name].request.model_fields
    only = COMMANDS[name].permission not in OF_EVERY_PERSON
    async with api(tmp_path) as found:
        for person in ("eve", "admin"):
            response = await found.post(
                f"commands/{name}", {key: value for key, value in payload.items() if key in known}, person
            )
            assert response.status_code not in {401, 404, 405, 500} or response.json()["code"] == "not-found"
            assert (response.status_code == 403) is (only and person == "eve")


@pytest.mark.parametrize("token", ["", "nonsense", "sp_12345678_nonsense"])
async def test_an_unknown_token_is_nobody(tmp_path: Path, token: str) -> None:
    async with api(tmp_path) as found:
        response = await found.get("queries/whoami", "nobody", Authorization=f"Bearer {token}")
        assert is_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"
        assert not token or token not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Host": "["},
        {"Host": "127.0.0.1:x"},
    ],
)
async def test_a_page_of_another_site_does_not_get_in(tmp_path: Path, headers: dict[str, str]) -> None:
    async with api(tmp_path) as found:
        assert is_problem(await found.get("queries/whoami", **headers), 403, "wrong-host")


@pytest.mark.parametrize("host", ["127.0.0.1:7350", "localhost:1", "[::1]:7350", "LOCALHOST"])
async def test_this_machine_gets_in_by_any_of_its_own_names(tmp_path: Path, host: str) -> None:
    async with api(tmp_path) as found:
        assert (await found.get("queries/whoami", Host=host)).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1",
        "http://127.0.0.1:7351",
        "http://localhost:7350",
        "https://127.0.0.1:7350",
        "http://127.0.0.1:7350.evil.example",
        "http://[::1]:7350",
        "null",
        "",
        "file://",
        "http://127.0.0.1:99999",
    ],
)
async def test_an_origin_is_this_very_server(tmp_path: Path, origin: str) -> None:
    async with api(tmp_path) as found:
        assert is_problem(await found.get("queries/whoami", Origin=origin), 403, "wrong-host")
        assert (await found.get("queries/whoami", Origin=BASE)).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer sp_x_y"}, {"host": "evil.example"}, {"origin": "http://[::1]"}]
)
async def test_a_websocket_passes_the_same_guard(headers: dict[str, str]) -> None:
    sent, passed = await _websocket({"host": "127.0.0.1:7350", "authorization": "Bearer good", **headers} if headers else {})
    assert (sent, passed) == ([{"type": "websocket.close", "code": 1008}], 0)
    assert await _websocket({"host": "127.0.0.1:7350", "authorization": "Bearer good", "origin": BASE}) == ([], 1)


async def _websocket(headers: dict[str, str]) -> tuple[list[object], int]:
    """What is sent to it, and how often it came to the application."""
    sent: list[object] = []
    passed: list[object] = []

    async def app(scope: Any, *_: object) -> None:
        passed.append(scope)

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def refused(source: str) -> None:
        assert source == "127.0.0.1"

    guard = Guard(
        app,
        lambda token: Token("1", "admin", "", 0, "", admin=True) if token == "good" else None,
        lambda path, person: 1,
        refused,
    )
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": "/api/v1/socket",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await guard(scope, receive, send)
    return sent, len(passed)


async def test_attempts_without_a_token_are_in_the_audit_one_line_a_minute(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        for _ in range(50):
            await found.get("queries/whoami", "nobody", Authorization="Bearer sp_x_y")
        entry = (await found.control.query("audit", {}, ADMIN)).entries[0]  # type: ignore[attr-defined]  # its entries
        assert (entry.person, entry.act, entry.source, entry.outcome) == ("", "authenticate", "127.0.0.1", "unauthenticated")


async def test_queries_and_streams_that_are_forbidden_are_in_the_audit(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        assert is_problem(await found.get("queries/audit", "eve"), 403, "forbidden")
        assert is_problem(await found.post("rehearsals/pin", {}, "eve"), 403, "forbidden")
        lines = [one for one in (await found.get("queries/audit")).json()["entries"] if one["person"] == "eve"]
        assert [(one["act"], one["command"], one["outcome"]) for one in lines] == [
            ("dry-run", "pin", "forbidden"),
            ("query", "audit", "forbidden"),
        ]
        assert {one["source"] for one in lines} == {"127.0.0.1"}
        tokens = {one.id: one.user for one in found.control.services.people.known()}
        assert {tokens[one["token"]] for one in lines} == {"eve"}


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setpoint.server.app.MAX_BODY", 1000)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    async with api(tmp_path) as found:
        said = await found.http.post("/api/v1/commands/hold", content=b"x" * 2000, headers=found.headers("admin"))
        unsaid = await found.http.post("/api/v1/commands/hold", content=endless(), headers=found.headers("admin"))
        assert is_problem(said, 413, "too-large")
        assert is_problem(unsaid, 413, "too-large")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '"x"', "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), '{"target": 5}', '{"x": 1}'],
)
async def test_a_malformed_request_is_answered_with_what_is_wrong(tmp_path: Path, body: str) -> None:
    async with api(tmp_path) as found:
        response = await found.http.post("/api/v1/commands/hold", content=body.encode(), headers=found.headers("admin"))
        assert is_problem(response, 422, "malformed")


async def test_what_does_not_exist_is_a_problem_too(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        assert is_problem(await found.post("commands/fly", {}), 404, "http")
        assert is_problem(await found.get("commands/hold"), 405, "http")


async def test_a_bug_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api(tmp_path) as found:
        with monkeypatch.context() as patched:
            patched.setattr("setpoint.control.control.require", _raise)
            response = await found.get("queries/whoami")
        assert is_problem(response, 500, "broken")
        assert "Traceback" not in response.text
        assert "secret detail" not in response.text


def _raise(*_: object) -> None:
    raise RuntimeError("secret detail")


async def test_queries_take_parameters_in_the_address_or_a_body(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        await found.post("commands/apply", files(STANDARD))
        by_get = await found.get("queries/history?kinds=released&kinds=finalized&limit=5")
        by_post = await found.post("queries/history", {"kinds": ["released", "finalized"], "limit": 5})
        assert by_get.status_code == by_post.status_code == 200
        assert by_get.json() == by_post.json()
        assert is_problem(await found.get("queries/history?limit=many"), 422, "malformed")


async def test_a_command_sent_twice_with_its_key_is_done_once(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        await found.post("commands/apply", files(STANDARD))
        payload = {"services": {"web": {"version": "1.0"}}}
        numbers = [
            (await found.post("commands/release", payload, **{"Idempotency-Key": "k"})).json()["release"] for _ in range(2)
        ]
        assert numbers == [1, 1]


async def test_health_is_told_to_anybody_and_tells_nothing_else(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        response = await found.http.get("/healthz")
        assert (response.status_code, set(response.json())) == (200, {"status", "version"})


async def test_the_openapi_document_describes_every_route(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        document = (await found.get("openapi.json")).json()
        for name in COMMANDS:
            body = document["paths"][f"/api/v1/commands/{name}"]["post"]["requestBody"]
            reference = body["content"]["application/json"]["schema"]["$ref"]
            assert reference.rpartition("/")[2] in document["components"]["schemas"]
        for name in QUERIES:
            assert {"get", "post"} <= document["paths"][f"/api/v1/queries/{name}"].keys()
        for name in STREAMS:
            assert "get" in document["paths"][f"/api/v1/{name}"]
        assert _dangling(document) == set()


def _dangling(document: dict) -> set[str]:  # type: ignore[type-arg]
    text = json.dumps(document)
    used = {piece.partition('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    return used - document["components"]["schemas"].keys()


async def test_a_key_with_another_payload_is_refused_as_a_problem(tmp_path: Path) -> None:
    async with api(tmp_path) as found:
        await found.post("commands/apply", files(STANDARD))
        key = {"Idempotency-Key": "one"}
        first = await found.post("commands/hold", {"target": "web@staging"}, **key)
        assert first.status_code == 200
        assert (await found.post("commands/hold", {"target": "web@staging"}, **key)).json() == first.json()
        assert is_problem(await found.post("commands/hold", {"target": "web@production"}, **key), 422, "key-reused")
        another = {"services": {"web": {"version": "1.0"}}}
        assert (await found.post("commands/release", another, "eve", **key)).status_code == 200
