"""Idempotency keys (§10.12): of one person and one command, bound to the payload, durable and bounded."""

from __future__ import annotations

import asyncio
import dataclasses
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.control.house import ADMIN, STANDARD, House, house

from setpoint.control.errors import InFlight, KeyReused, Malformed, Refused, Unavailable
from setpoint.control.registry import COMMANDS, Answer
from setpoint.engine.errors import EngineDegraded
from setpoint.model.people import Person

OTHER = Person("other", (), admin=True)
VALUES: dict[Any, Any] = {str: "x", int: 1, bool: True, list: [], dict: {}}


class Stub:
    """A command's handler that counts, and waits where it is told to."""

    def __init__(self, answer: type[Answer]) -> None:
        self.answer = answer
        self.runs: list[tuple[str, str]] = []
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, act: Any, _: Any) -> Answer:
        self.runs.append((act.person.name, act.request))
        self.entered.set()
        await self.go_on.wait()
        return sample(self.answer, len(self.runs))


def sample(model: type[Any], number: int = 1) -> Any:
    """A valid request or answer; its texts show the number."""
    return model.model_validate({name: value(field.annotation, number) for name, field in fields(model)})


def fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    return ((name, field) for name, field in model.model_fields.items() if field.is_required())


def value(annotation: Any, number: int) -> Any:
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return sample(annotation, number).model_dump()
    kind = typing.get_origin(annotation) or annotation
    if kind is types.UnionType:
        return value(typing.get_args(annotation)[0], number)
    if kind is dict and typing.get_args(annotation)[1] is not str:
        return {f"x{number}": value(typing.get_args(annotation)[1], number)}
    return f"x{number}" if kind is str else VALUES[kind]


@pytest.fixture(params=sorted(COMMANDS))
def command(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Stub]:
    """A command whose handler is a stub."""
    stub = Stub(COMMANDS[request.param].answer)
    monkeypatch.setitem(COMMANDS, request.param, dataclasses.replace(COMMANDS[request.param], handler=stub))
    return request.param, stub


def payloads(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two requests that differ in one field; the last one of the model, for a digest of only some would miss it."""
    model = COMMANDS[name].request
    first = sample(model).model_dump()
    last, field = next(reversed(model.model_fields.items()))
    if typing.get_origin(field.annotation) is typing.Literal:
        return first, {**first, last: typing.get_args(field.annotation)[-1]}
    other = {bool: not first[last], str: f"{first[last]}y", int: 7, list: ["y"], dict: {"y": "eQ=="}}[type(first[last])]
    return first, {**first, last: other}


async def test_a_key_of_every_command_is_bound_to_person_and_payload(tmp_path: Path, command: tuple[str, Stub]) -> None:
    name, stub = command
    first, other = payloads(name)
    async with house(tmp_path) as found:
        answer = await found.do(name, ADMIN, request="key", **first)
        with pytest.raises(KeyReused) as caught:
            await found.do(name, ADMIN, request="key", **other)
        assert caught.value.status == 422
        if COMMANDS[name].secret:
            with pytest.raises(Refused, match="only once"):
                await found.do(name, ADMIN, request="key", **first)
        else:
            assert await found.do(name, ADMIN, request="key", **first) == answer
        assert len(stub.runs) == 1
        await found.do(name, OTHER, request="key", **other)
        await found.do(name, ADMIN, request="other key", **other)
        assert [person for person, _ in stub.runs] == ["admin", "other", "admin"]
        assert len({identity for _, identity in stub.runs}) == 3
        outcomes = [one.outcome for one in (await found.ask("audit")).entries if one.act == "command"]
    assert outcomes == ["done", "done", "refused" if COMMANDS[name].secret else "done", "key-reused", "done"]


async def test_the_same_request_of_every_command_while_the_first_is_in_flight(tmp_path: Path, command: tuple[str, Stub]) -> None:
    name, stub = command
    first, other = payloads(name)
    stub.go_on.clear()
    async with house(tmp_path) as found:
        running = asyncio.create_task(found.do(name, ADMIN, request="key", **first))
        await stub.entered.wait()
        for payload in (first, other):
            with pytest.raises(InFlight) as caught:
                await found.do(name, ADMIN, request="key", **payload)
            assert caught.value.status == 409
        beside = asyncio.create_task(found.do(name, OTHER, request="key", **first))
        stub.go_on.set()
        await asyncio.gather(running, beside)
        assert [person for person, _ in stub.runs] == ["admin", "other"]


async def test_one_key_of_two_commands_is_two_keys(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("hold", request="key", target="web@staging")
        await found.do("resume", request="key", target="web@staging")
        assert not (await found.state("web@staging")).life.hold


async def test_one_key_of_two_people_is_two_releases(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        wanted = {"services": {"web": {"version": "1.0"}}}
        numbers = [(await found.do("release", person, request="key", **wanted)).release for person in (ADMIN, OTHER, ADMIN)]
    assert numbers == [1, 2, 1]


async def test_a_key_outlives_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        first = await found.do("hold", request="key", target="web@staging")
    async with house(tmp_path) as found:
        assert await found.do("hold", request="key", target="web@staging") == first
        with pytest.raises(KeyReused):
            await found.do("hold", request="key", target="web@production")


async def test_a_command_that_could_not_end_is_tried_again_under_the_same_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, STANDARD) as found:
        await _fails_after_it_was_taken(found, monkeypatch)
        await found.do("hold", request="key", target="web@staging", why="first")
        held = (await found.ask("history", kinds=["signal"])).events
    assert len(held) == 1


async def _fails_after_it_was_taken(found: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = found.services.engine.ask

    async def lost(*given: Any, **more: Any) -> None:
        await ask(*given, **more)
        raise EngineDegraded("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(found.services.engine, "ask", lost)
        with pytest.raises(Unavailable):
            await found.do("hold", request="key", target="web@staging", why="first")


async def test_a_request_whose_token_is_lost_makes_no_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as found:
        with monkeypatch.context() as patch:

            async def lost(*_: Any) -> None:
                raise EngineDegraded("the disk is full")

            patch.setattr(found.services.stores.requests, "finish", lost)
            with pytest.raises(EngineDegraded):
                await found.do("token-create", request="key", user="ann")
        with pytest.raises(Refused, match="made token"):
            await found.do("token-create", request="key", user="ann")
        assert [one.user for one in (await found.ask("tokens")).tokens] == ["admin", "ann"]


async def test_a_refused_command_stays_bound_and_may_be_tried_again(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(Refused):
            await found.do("resume", request="key", target="web@staging")
        await found.do("hold", target="web@staging")
        with pytest.raises(KeyReused):
            await found.do("resume", request="key", target="staging")
        await found.do("resume", request="key", target="web@staging")
        assert not (await found.state("web@staging")).life.hold


@pytest.mark.parametrize("key", ["x" * 256, "ü", "a\tb"])
async def test_a_key_that_is_not_valid_is_refused(tmp_path: Path, key: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(Malformed, match="255 printable ASCII"):
            await found.do("hold", request=key, target="web@staging")
