"""What is kept beside the actors: content, configurations, records, history. All of it outlives the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.engine.test_embedded import make
from tests.engine.toy import Outside, tell
from tests.support.eventually import eventually

from setpoint.model.spec import Spec, Version, Workload
from setpoint.store.content import Content, sha256_of
from setpoint.store.database import Database
from setpoint.store.documents import Documents
from setpoint.store.records import Records


class Token(msgspec.Struct, frozen=True):
    name: str
    groups: tuple[str, ...] = ()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "setpoint.db")
    database.open()
    yield database
    database.close()


def reopened(database: Database) -> Database:
    """As after a restart."""
    again = Database(database.path)
    again.open()
    return again


def spec_of(instance: str) -> Spec:
    return Spec(instance, "local", Version("1.0"), Workload("process", {"command": ["web"]})).sealed()


async def test_specs_and_files_are_kept_by_what_they_contain(database: Database) -> None:
    spec = spec_of("saas/web@production")
    await Content(database).put([spec, spec], [b"#!/bin/sh\n", b"#!/bin/sh\n"])
    await Content(database).put([spec], [b"#!/bin/sh\n"])
    again = reopened(database)
    content = Content(again)
    assert await content.spec(spec.digest) == spec
    assert await content.spec(spec.digest) is await content.spec(spec.digest), "decoded once"
    assert await content.file(sha256_of(b"#!/bin/sh\n")) == b"#!/bin/sh\n"
    assert await content.spec("0000") is None
    assert await content.file("0000") is None
    again.close()


async def test_a_spec_that_is_not_sealed_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="saas/web@x has no digest"):
        await Content(database).put([Spec("saas/web@x", "local", Version("1"), Workload("fake"))])


async def test_a_configuration_is_saved_as_a_revision_and_the_same_one_is_not_saved_again(database: Database) -> None:
    documents = Documents(database)
    assert await documents.newest() is None
    first = await documents.save({"a.yaml": b"a: 1\n", "b/c.yaml": b"c: 1\n"}, at=1, person="ada")
    same = await documents.save({"b/c.yaml": b"c: 1\n", "a.yaml": b"a: 1\n"}, at=2, person="bob")
    second = await documents.save({"a.yaml": b"a: 2\n"}, at=3, person="bob")
    assert (first.number, same, second.number) == (1, first, 2)
    again = reopened(database)
    documents = Documents(again)
    assert await documents.newest() == second
    assert await documents.revisions() == [second, first]
    assert await documents.load(1) == {"a.yaml": b"a: 1\n", "b/c.yaml": b"c: 1\n"}
    assert await documents.load(9) == {}
    again.close()


async def test_records_are_replaced_as_a_whole_and_listed_in_order(database: Database) -> None:
    records = Records(database)
    await records.put("token", "b", Token("bob"))
    await records.put("token", "a", Token("ada"))
    await records.put("token", "b", Token("bob", ("ops",)))
    await records.put("other", "a", {"free": [1, 2]})
    again = reopened(database)
    records = Records(again)
    assert await records.all("token", Token) == {"a": Token("ada"), "b": Token("bob", ("ops",))}
    assert await records.get("other", "a", dict) == {"free": [1, 2]}
    assert await records.get("token", "c", Token) is None
    assert await records.delete("token", "a")
    assert not await records.delete("token", "a")
    again.close()


async def test_a_log_is_read_from_its_newest_line_backwards(database: Database) -> None:
    records = Records(database)
    numbers = [await records.append("audit", at, {"command": f"c{at}"}) for at in range(5)]
    await records.append("other", 9, {})
    assert numbers == sorted(set(numbers))
    newest = await records.tail("audit", dict, limit=2)
    assert newest == [(numbers[4], 4, {"command": "c4"}), (numbers[3], 3, {"command": "c3"})]
    older = await records.tail("audit", dict, before=newest[-1][0])
    assert [at for _, at, _ in older] == [2, 1, 0]


async def test_a_transaction_that_raises_leaves_nothing_behind(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO record VALUES ('k', 'a', x'00', 0)")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await database.write(work)
    assert await Records(database).get("k", "a", dict) is None


async def test_history_is_asked_by_entity_application_and_time_page_by_page(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        for number in range(6):
            for entity in ("instance:saas/web@a", "instance:saas/api@a", "line:shop"):
                fact = msgspec.structs.replace(tell("m", ("record", f"{entity} {number}")), at=number + 1)
                await engine.post(entity, fact)
        await eventually(lambda: not engine.health().queued)
        history = engine.history
        assert len(await history.lines()) == 18
        assert [line.event.text for line in await history.lines(entities=["line:shop"], limit=2)] == [
            "line:shop 5",
            "line:shop 4",
        ]
        saas = await history.lines(application="saas")
        assert {line.entity for line in saas} == {"instance:saas/web@a", "instance:saas/api@a"}
        page = await history.lines(application="saas", limit=5)
        rest = await history.lines(application="saas", before=page[-1].seq)
        assert page + rest == saas
        assert [line.at for line in await history.lines(prefixes=["line:sh"], since=2, until=4)] == [3, 2]
        assert [line.seq for line in await history.lines(after=15)] == [16, 17, 18]
        assert await history.last() == 18


async def test_whoever_follows_history_is_let_go_when_the_engine_ends(tmp_path: Path) -> None:
    async with make(tmp_path, Outside()) as engine:
        following = engine.subscribe_events(after=0)
        await engine.post("toy:a", tell("m", ("record", "one")))
        assert (await anext(following)).event.text == "one"
    with pytest.raises(StopAsyncIteration):
        await anext(following)
