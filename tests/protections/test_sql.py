"""sql-query, against a real PostgreSQL and SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.components.postgresql import PASSWORD, QUOTED_PASSWORD, PostgreSQL, postgresql
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.ports import free_port

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import SECOND
from setpoint.protections.programs import sql as program
from setpoint.protections.sql import SqlQuery

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def ask(url: str, query: str, **options: Any) -> CheckResult:
    return await run(SqlQuery(), definition("sql-query", {"url": url, "query": query} | options))


@pytest.fixture
def file(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE jobs (name TEXT, done INT); INSERT INTO jobs VALUES ('a', 1), ('b%', 0), (NULL, 0)"
        )
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


class TestSqlite(ProtectionContract, MayTakeLong):
    protection = SqlQuery()

    @pytest.fixture
    def passing(self, file: str) -> CheckDefinition:
        return definition("sql-query", {"url": file, "query": "SELECT count(*) FROM jobs", "max": 3})

    @pytest.fixture
    def blocking(self, file: str) -> CheckDefinition:
        return definition("sql-query", {"url": file, "query": "SELECT count(*) FROM jobs", "expect": 0})

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> CheckDefinition:
        return definition("sql-query", {"url": f"sqlite:///{tmp_path}/none.db", "query": "SELECT 1", "expect": 1})

    @pytest.fixture
    def misconfigured(self, file: str) -> CheckDefinition:
        return definition("sql-query", {"url": file, "query": "SELEC 1", "expect": 1})

    @pytest.fixture
    def hanging(self, file: str) -> CheckDefinition:
        return definition("sql-query", {"url": file, "query": SLOW, "expect": 1})


@pytest.mark.needs("postgresql")
class TestPostgreSQL(ProtectionContract, MayTakeLong):
    protection = SqlQuery()

    @pytest.fixture
    def passing(self, server: PostgreSQL) -> CheckDefinition:
        return definition(
            "sql-query",
            {"url": server.url(), "query": "SELECT count(*) FROM pg_database WHERE datname LIKE 'post%'", "expect": "1"},
        )

    @pytest.fixture
    def blocking(self, server: PostgreSQL) -> CheckDefinition:
        return definition(
            "sql-query", {"url": server.url(scheme="postgresql+asyncpg"), "query": "SELECT 1 WHERE false", "rows": 1}
        )

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        url = f"postgresql://setpoint:{QUOTED_PASSWORD}@127.0.0.1:{free_port()}/shop"
        return definition("sql-query", {"url": url, "query": "SELECT 1", "expect": 1})

    @pytest.fixture
    def misconfigured(self, server: PostgreSQL) -> CheckDefinition:
        return definition("sql-query", {"url": server.url(), "query": "SELECT 1 FROM no_such_table", "expect": 1})

    @pytest.fixture
    def hanging(self, server: PostgreSQL) -> CheckDefinition:
        return definition("sql-query", {"url": server.url(), "query": "SELECT 1 FROM pg_sleep(1000)", "expect": 1})

    async def test_it_cannot_write(self, server: PostgreSQL) -> None:
        server.execute("CREATE TABLE precious (x int)")
        for statement in ("DELETE FROM precious RETURNING 1", "DROP TABLE precious", "CREATE TABLE more (x int)"):
            result = await ask(server.url(), statement, rows=0)
            assert result.outcome is Outcome.MISCONFIGURED, result
            assert "read-only" in result.reason

    async def test_it_takes_one_statement(self, server: PostgreSQL) -> None:
        """Else the first one could end the transaction that may only read."""
        server.execute("CREATE TABLE treasured (x int)")
        for query in (
            "COMMIT; DROP TABLE treasured",
            "SELECT 1; COMMIT; DROP TABLE treasured",
            "SET TRANSACTION READ WRITE; DROP TABLE treasured",
            "ROLLBACK; BEGIN READ WRITE; INSERT INTO treasured VALUES (1); COMMIT; SELECT 1",
        ):
            result = await ask(server.url(), query, expect=1)
            assert result.outcome is Outcome.MISCONFIGURED, (query, result)
        found = await ask(server.url(), "SELECT count(*) FROM treasured", expect=0)
        assert found.outcome is Outcome.PASSING, found

    async def test_a_wrong_password_is_unavailable_and_not_shown(self, server: PostgreSQL) -> None:
        result = await ask(server.url().replace(QUOTED_PASSWORD, "wr0ng"), "SELECT 1", expect=1)
        assert result.outcome is Outcome.UNAVAILABLE
        assert "cannot be reached" in result.reason
        assert "wr0ng" not in result.reason + result.output

    async def test_a_password_in_an_error_is_blotted_out(self, server: PostgreSQL) -> None:
        result = await ask(server.url(), f"SELECT '{PASSWORD}'::int", expect=1)
        assert result.outcome is Outcome.MISCONFIGURED
        assert "***" in result.reason
        assert PASSWORD not in result.reason + result.output


CASES: list[tuple[str, dict[str, Any], Outcome, str]] = [
    ("SELECT 2", {"expect": 2}, Outcome.PASSING, "query yields 2"),
    ("SELECT 2.0", {"expect": 2}, Outcome.PASSING, "query yields 2.0"),
    ("SELECT '2'", {"expect": 2}, Outcome.PASSING, "query yields 2"),
    ("SELECT 'ok'", {"expect": "ok"}, Outcome.PASSING, "query yields ok"),
    ("SELECT NULL", {"expect": None}, Outcome.PASSING, "query yields null"),
    ("SELECT NULL", {"expect": 0}, Outcome.BLOCKING, "query yields null, 0 expected"),
    ("SELECT 5", {"max": 4}, Outcome.BLOCKING, "query yields 5, above the max of 4"),
    ("SELECT 5", {"min": 5.5}, Outcome.BLOCKING, "query yields 5, below the min of 5.5"),
    ("SELECT 5", {"min": 5, "max": 5}, Outcome.PASSING, "query yields 5"),
    ("SELECT NULL", {"max": 5}, Outcome.BLOCKING, "query yields null, above the max of 5"),
    ("SELECT 'x'", {"max": 5}, Outcome.MISCONFIGURED, "query yields x, which is not a number to compare with max"),
    ("SELECT name FROM jobs WHERE name = 'nobody'", {"expect": 1}, Outcome.BLOCKING, "query yields no row to compare"),
    ("SELECT name FROM jobs WHERE done = 0", {"rows": 2}, Outcome.PASSING, "query yields 2 rows as expected"),
    ("SELECT name FROM jobs", {"rows": 2}, Outcome.BLOCKING, "query yields more than 2 rows, 2 expected"),
    (
        "SELECT name FROM jobs WHERE name LIKE 'b%' OR name = ':x'",
        {"expect": "b%", "rows": 1},
        Outcome.PASSING,
        "query yields b%",
    ),
]


@pytest.mark.parametrize(("query", "expected", "outcome", "reason"), CASES)
def test_what_is_expected(file: str, query: str, expected: dict[str, Any], outcome: Outcome, reason: str) -> None:
    job = {"url": file, "query": query, "timeout": 5 * SECOND, **expected}
    assert program.judge(program.ask(job), job) == (outcome, reason)


async def test_sqlite_cannot_be_written_and_no_file_is_made(file: str, tmp_path: Path) -> None:
    result = await ask(file, "DELETE FROM jobs RETURNING 1", rows=0)
    assert result.outcome is Outcome.MISCONFIGURED
    assert (await ask(file, "SELECT count(*) FROM jobs", expect=3)).outcome is Outcome.PASSING
    assert "does not exist" in (await ask(f"sqlite:///{tmp_path}/none.db", "SELECT 1", expect=1)).reason
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "query",
    [
        "VACUUM INTO '{copy}'",
        "ATTACH '{copy}' AS more",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('{copy}')",
        "CREATE TEMP TABLE more AS SELECT 1",
        "SELECT 1; VACUUM INTO '{copy}'",
        "COMMIT",
    ],
)
@pytest.mark.parametrize("memory", [False, True], ids=["file", "memory"])
async def test_sqlite_does_nothing_but_read(file: str, tmp_path: Path, query: str, *, memory: bool) -> None:
    result = await ask("sqlite:///:memory:" if memory else file, query.format(copy=tmp_path / "copy.db"), rows=0)
    assert result.outcome in {Outcome.MISCONFIGURED, Outcome.UNAVAILABLE}, result
    assert files(tmp_path) == ["shop.db"]


def files(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("no url at all", "not a database URL"),
        ("nosuch://u:hunter2@h/d", "no driver for nosuch"),
        ("mysql+nosuch://u:hunter2@h/d", "no driver"),
    ],
)
async def test_a_url_that_cannot_be_is_misconfigured(url: str, sentence: str) -> None:
    result = await ask(url, "SELECT 1", expect=1)
    assert result.outcome is Outcome.MISCONFIGURED
    assert sentence in result.reason
    assert "hunter2" not in result.reason


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"query": "SELECT 1", "expect": 1}, "url is missing"),
        ({"url": "sqlite://", "expect": 1}, "query is missing"),
        ({"url": "sqlite://", "query": "SELECT 1"}, "the expected result is missing"),
        ({"url": "sqlite://", "query": "SELECT 1", "max": "many"}, "max must be a number"),
        ({"url": "sqlite://", "query": "SELECT 1", "min": 2, "max": 1}, "min is above max"),
        ({"url": "sqlite://", "query": "SELECT 1", "rows": -1}, "rows must be a whole number"),
        ({"url": "sqlite://", "query": "SELECT 1", "expect": [1]}, "expect must be one value"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    mistakes = SqlQuery().validate(options)
    assert len(mistakes) == 1
    assert sentence in mistakes[0]
