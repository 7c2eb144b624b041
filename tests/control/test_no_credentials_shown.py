"""No one is shown the credentials of a configuration: a canary in each field that may hold some is found in no result, no log.

Only the trace that an administrator exports has them, for it must be decided again as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.control.fields import OPERATIONS, payload_of
from tests.control.house import ADMIN, EVE, RUNTIME, House, files, house

from setpoint.config.documents import KINDS
from setpoint.config.policies.builtins import BUILTINS
from setpoint.control.errors import ControlError
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS
from setpoint.model.people import Person

READERS = re.compile("read_url|_read_http_url|_read_header")
"""Readers of the fields that may hold an address of the web, or a header."""
CREDENTIAL_HEADERS = ("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "X-Auth", "Private-Token")
SQL = ("sql-query", "db-migrated")
"""Built-ins with the address of a database."""
DOCUMENTS = """
LINKS(Runtime)
---
kind: Organization
name: acme
LINKS(Organization)
---
kind: Application
name: saas
LINKS(Application)
channels:
  - {name: staging, runtime: pretend, LINKS(Application.channels)}
---
kind: Channel
application: saas
name: production
runtime: pretend
tasks: [{use: announce}]
LINKS(Channel)
---
kind: Service
application: saas
name: web
fake: {becomes: healthy}
env: {VERSION: "${version}", DATABASE_URL: URL(Service.env), DB_PASSWORD: SECRET(Service.env)}
LINKS(Service)
protections:
  - {use: probe, at: {pre-deployment: }}
  - {use: alerts-not-firing, at: {pre-deployment: }, with: {WITH(alerts-not-firing)}}
  - {use: http-probe, at: {pre-deployment: }, with: {WITH(http-probe)}}
  - {use: prometheus-query, at: {pre-deployment: }, with: {WITH(prometheus-query), query: up, min: 1}}
  - {use: slo-burn, at: {pre-deployment: }, with: {WITH(slo-burn), objective: 99.9%, errors: e, total: t}}
  - {use: sql-query, at: {pre-deployment: }, with: {URLS(sql-query), query: SELECT 1, expect: 1}}
  - {use: db-migrated, at: {pre-deployment: }, with: {URLS(db-migrated), directory: migrations}}
---
kind: Protection
name: probe
LINKS(Protection)
http: {WITH(Protection.http)}
---
kind: Task
name: announce
LINKS(Task)
http: {WITH(Task.http)}
---
kind: Calendar
name: office
LINKS(Calendar)
open: [{days: mon-thu, hours: 09:00-16:00}]
---
kind: Policy
name: strict
select: application=saas
LINKS(Policy)
---
kind: Invariant
name: one
select: application=saas
require: {notBad: true}
LINKS(Invariant)
"""


class Canaries:
    """Gives each place a text of its own, so that what leaks names its place."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self.places: list[str] = []

    def configuration(self) -> str:
        """A configuration with a canary in each of the fields."""
        return RUNTIME + re.sub(r"([A-Z]{3,})\(([A-Za-z.-]+)\)", lambda match: self._field(*match.groups()), DOCUMENTS)

    def found_in(self, text: str) -> list[str]:
        """Places whose canary is in a text, of any generation."""
        return sorted({self.places[int(number) - 1] for number in re.findall(r"c4n4ry\dx(\d+)x", text)})

    def _field(self, what: str, place: str) -> str:
        match what:
            case "LINKS":
                return f"links: {{dashboard: {self._url(f'{place}.links')}}}"
            case "WITH":
                return f"url: {self._url(f'{place}.url')}, headers: {self._headers(f'{place}.headers')}"
            case "URLS":
                return f"url: {self._url(f'{place}.url')}"
            case "URL":
                return self._url(place)
        return self._secret(place)

    def _url(self, place: str) -> str:
        scheme = "postgresql" if place.startswith(("Service.env", *SQL)) else "http"
        return f'"{scheme}://ann:{self._secret(place)}@127.0.0.1:9/x?access_token={self._secret(place)}"'

    def _headers(self, place: str) -> str:
        return "{" + ", ".join(f"{name}: {self._secret(place)}" for name in CREDENTIAL_HEADERS) + "}"

    def _secret(self, place: str) -> str:
        self.places.append(place)
        return f"c4n4ry{self._generation}x{len(self.places)}x"


def fields(kind: str, model: type[BaseModel], prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Each field of a document that may hold a URL or a header, such as ``Protection.http.url``."""
    for name, field in model.model_fields.items():
        place = f"{prefix}{field.alias or name}"
        if READERS.search(repr(field.annotation) + repr(field.metadata)):
            yield f"{kind}.{place}"
        for inner in models_in(field.annotation) if depth < 4 else ():
            yield from fields(kind, inner, f"{place}.", depth + 1)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def builtin_fields() -> set[str]:
    return {f"{name}.{field}" for name, one in BUILTINS.items() for field in one.arguments if field in {"url", "headers"}}


def test_each_field_that_may_hold_a_credential_has_a_canary() -> None:
    canaries = Canaries(1)
    canaries.configuration()
    known = {field for kind, model in KINDS.items() for field in fields(kind, model)}
    assert known | builtin_fields() <= set(canaries.places)
    assert {"Protection.http.headers", "Application.channels.links", "sql-query.url"} <= known | builtin_fields()


async def test_no_result_and_no_log_shows_a_credential(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first, second = Canaries(1), Canaries(2)
    sent, changed = (files(one.configuration(), **{"migrations/env.py": ""}) for one in (first, second))
    results: dict[str, str] = {}
    async with house(tmp_path) as found:
        await collect(results, "first preview", found.ask("preview", **sent))
        await collect(results, "first apply", found.do("apply", **sent))
        await found.release("1.0")
        await found.waits_for("web@production", "check-failing")
        await every(found, results, "after a release", EVE)
        preview = await collect(results, "difference", found.ask("preview", **changed))
        assert {"env.DB_PASSWORD", "env.DATABASE_URL"} <= {one.path for one in preview.changes}, "a change is shown all the same"
        await collect(results, "apply", found.do("apply", **changed, expect=preview.plan))
        await every(found, results, "after a change", ADMIN)
    leaks = {name: first.found_in(text) for name, text in results.items() if first.found_in(text)}
    assert not leaks
    assert not first.found_in(caplog.text)
    assert first.places == second.places


@pytest.mark.parametrize("wrong", ["htp://", "http:/", "", "http://"])
async def test_no_mistake_of_a_configuration_quotes_a_credential(tmp_path: Path, wrong: str) -> None:
    canaries = Canaries(1)
    text = canaries.configuration().replace("http://", wrong).replace("select: application=saas", "select: applicaton=saas")
    async with house(tmp_path) as found:
        for name in ("validate", "preview"):
            results: dict[str, str] = {}
            await collect(results, name, found.ask(name, **files(text)))
            assert len(results[name]) > 500
            assert not canaries.found_in(results[name])


async def collect(results: dict[str, str], name: str, asked: Any) -> Any:
    """Await a result or an error, and keep its text."""
    try:
        answer = await asked
        results[name] = answer.model_dump_json()
    except ControlError as error:
        answer = None
        results[name] = " ".join([error.message, error.hint, *error.details])
    return answer


async def every(found: House, results: dict[str, str], when: str, person: Person) -> None:
    """Each query, dry run and stream; the traces as a person who is not an administrator."""
    for name in sorted(QUERIES.keys() - {"story", "validate", "preview", "schema"}):
        await collect(results, f"{name} {when}", found.ask(name, person, **payload_of(OPERATIONS[name].request)))
    for name in sorted(name for name, one in COMMANDS.items() if one.rehearsable):
        asked = found.control.rehearse(name, payload_of(OPERATIONS[name].request), person)
        await collect(results, f"dry run of {name} {when}", asked)
    for name in STREAMS:
        request = OPERATIONS[name].request
        payload = payload_of(request) | ({"after": 0} if "after" in request.model_fields else {})
        results[f"{name} {when}"] = await bits(found, name, payload, person)
    for kind in ("instance", "attachment", "line", "topic", "scope"):
        for entity, _ in await found.services.engine.scan(kind):
            await collect(results, f"trace of {entity} {when}", found.ask("story", EVE, entity=entity))
    await collect(results, f"check {when}", found.do("check", gate="probe", target="web@staging"))


async def bits(found: House, name: str, payload: dict[str, Any], person: Person) -> str:
    """What a stream has at its beginning."""
    texts = []
    with contextlib.suppress(TimeoutError, ControlError):
        async with asyncio.timeout(0.05):
            async for bit in await found.control.stream(name, payload, person):
                texts.append(bit.model_dump_json())  # noqa: PERF401 - what came before the time is over counts
    return "\n".join(texts)
