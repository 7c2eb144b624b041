"""Stories from a real engine: what was decided, told so that it can be decided again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.control.house import BOB, STANDARD, WITH_APPROVALS, House, house
from tests.engine.hosts import database_of

from setpoint.control.errors import NotFound, Unavailable
from setpoint.core.recording import trace
from setpoint.core.recording.canonical import canonical
from setpoint.store.sqlite.sums import select, sum_of


def read(answer: Any) -> trace.Trace:
    """As the command line writes it to a file, and reads it again."""
    return trace.read(trace.laid_out(answer.story))


async def test_the_story_of_an_instance_is_decided_again_as_it_was(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        answer = await found.ask("story", BOB, entity="web@production", about="the first release")
        told = read(answer)
        assert (told.entity, told.about, told.first) == ("instance:saas/web@production", "the first release", 1)
        assert answer.turns == len(told.turns) > 4
        assert answer.decided_otherwise == []
        assert trace.replay(told) == []
        assert told.ends == canonical(await found.state("web@production"))


async def test_every_entity_of_a_house_has_a_story(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", BOB, target="web@production", topic="release-manager")
        for kind in ("instance", "line", "topic", "scope"):
            entities = [entity for entity, _ in await found.services.engine.scan(kind)]
            assert entities or kind == "scope", kind
            for entity in entities:
                answer = await found.ask("story", entity=entity)
                assert answer.decided_otherwise == []
                assert trace.replay(read(answer)) == []


async def test_stories_outlive_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        before = read(await found.ask("story", entity="line:saas"))
    async with house(tmp_path) as found:
        assert read(await found.ask("story", entity="line:saas")) == before


@pytest.mark.parametrize(
    ("entity", "hint"),
    [("web@prodution", "web@production"), ("line:sas", "line:saas"), ("topic:nothing", "no entity of its kind")],
)
async def test_who_has_no_story_is_answered_with_the_nearest(tmp_path: Path, entity: str, hint: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        with pytest.raises(NotFound) as caught:
            await found.ask("story", entity=entity)
        assert hint in caught.value.hint


async def test_turns_that_are_decided_otherwise_today_are_named(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await _rewrite(found, "UPDATE turn SET digest = 0 WHERE number = 2")
        assert (await found.ask("story", entity="web@production")).decided_otherwise == [2]


async def test_a_story_that_this_version_cannot_read_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        nonsense = msgspec.msgpack.encode([msgspec.msgpack.encode({"type": "Miracle"})]).hex()
        await _rewrite(found, f"UPDATE turn SET facts = x'{nonsense}' WHERE number = 2")
        with pytest.raises(Unavailable, match="cannot be read by this version"):
            await found.ask("story", entity="web@production")


async def _rewrite(found: House, statement: str) -> None:
    """Turns as another version would have written them: whole, with a checksum that fits."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(statement)
        for row in connection.execute(select("turn")).fetchall():
            connection.execute("UPDATE turn SET sum = ? WHERE seq = ?", (sum_of("turn", row[:-1]), row[0]))

    await database_of(found.services.engine).write(work)


SECRET = "c4n4ry"
CHECKED = (
    STANDARD
    + f"""
---
kind: Application
name: other
channels:
  - name: production
    runtime: pretend
    protections:
      - use: http-probe
        with: {{url: "http://ann:{SECRET}@127.0.0.1:9/x?token={SECRET}", headers: {{X-Api-Key: {SECRET}}}}}
        at: {{pre-deployment: }}
      - use: sql-query
        with: {{url: "postgresql://ann:{SECRET}@127.0.0.1:9/shop", query: "SELECT 1", expect: 1}}
        at: {{pre-deployment: }}
---
kind: Service
application: other
name: api
fake: {{becomes: healthy}}
"""
)


async def test_no_story_shows_the_credentials_of_a_check(tmp_path: Path) -> None:
    async with house(tmp_path, CHECKED) as found:
        await found.do("release", application="other", services={"api": {"version": "1.0"}})
        await found.waits_for("api@production", "check-failing")
        for kind in ("instance", "attachment", "line"):
            for entity, _ in await found.services.engine.scan(kind):
                assert SECRET not in str((await found.ask("story", BOB, entity=entity)).story)
                assert trace.replay(read(await found.ask("story", entity=entity))) == []
