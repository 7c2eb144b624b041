"""In the programs of ``sql-query`` and ``db-migrated``: opens a database for reading, reports its errors without secrets."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from setpoint.model.checks import Outcome
from setpoint.model.time import SECOND, Duration
from setpoint.programs.text import printable
from setpoint.protections.programs.verdict import CheckError

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgresql+psycopg_async": "postgresql+psycopg",
    "sqlite+aiosqlite": "sqlite",
}
"""Applications' URLs may name a driver that is asynchronous or not installed here; the database is the same."""
_SECRET_PARAMETERS = ("pass", "secret", "token", "key")
_READ_ONLY_VIOLATED = "25006"
_SQLITE_ERROR, _SQLITE_READONLY, _SQLITE_AUTH = 1, 8, 23


def parse_url(text: str) -> URL:
    """The URL with a driver that blocks.

    Raises:
        CheckError: it is none; the text is not repeated, for it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise CheckError(
            Outcome.MISCONFIGURED, "url is not a database URL: write it as in postgresql://user:password@host/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


@contextmanager
def reading(url: URL, timeout: Duration) -> Iterator[Connection]:
    """A connection in a transaction that changes nothing; statements are given up after ``timeout`` milliseconds.

    Raises:
        CheckError: the database cannot be reached, or a statement failed.
    """
    engine = _engine(url, timeout)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise CheckError(Outcome.UNAVAILABLE, f"{place(url)} cannot be reached: {without_secrets(error, url)}") from None
    with connection:
        try:
            yield _restricted(connection, timeout)
        except DBAPIError as error:
            raise CheckError(_outcome_of(error), f"{place(url)}: {without_secrets(error, url)}") from None


def _engine(url: URL, timeout: Duration) -> Engine:
    seconds = max(1, math.ceil(timeout / SECOND))
    backend = url.get_backend_name()
    options: dict[str, Any] = {"poolclass": NullPool}
    if backend == "sqlite" and url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        options["creator"] = _sqlite_file(Path(url.database), seconds)
    elif backend in {"postgresql", "mysql", "mariadb"}:
        options["connect_args"] = {"connect_timeout": seconds}
    if url.drivername == "postgresql+psycopg":
        options["connect_args"]["prepare_threshold"] = 0  # what is prepared is one statement: none can end the transaction first
    try:
        return create_engine(url, **options)
    except (NoSuchModuleError, ImportError) as error:
        hint = ": pip install 'setpoint[postgresql]'" if backend == "postgresql" else ""
        raise CheckError(
            Outcome.MISCONFIGURED, f"no driver for {url.drivername} is installed{hint} ({printable(str(error), 80)})"
        ) from None
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise CheckError(Outcome.MISCONFIGURED, f"url cannot be used: {without_secrets(error, url)}") from None


def _sqlite_file(path: Path, seconds: int) -> Any:
    """Opens the file for reading, instead of making an empty one where it is missing."""
    if not path.is_file():
        raise CheckError(Outcome.UNAVAILABLE, f"the database file {path.absolute()} does not exist")
    return lambda: sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=seconds)


def _restricted(connection: Connection, timeout: Duration) -> Connection:
    backend = connection.dialect.name
    if backend == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(timeout)}")
    elif backend == "sqlite":
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - for the type checker: the dialect is sqlite
        driver.set_authorizer(_may_only_read)
    elif backend in {"mysql", "mariadb"}:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    return connection


_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_ALSO_READING = {
    sqlite3.SQLITE_TRANSACTION: {"BEGIN", "ROLLBACK"},
    sqlite3.SQLITE_PRAGMA: {"table_info", "table_xinfo"},
}


def _may_only_read(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """A file that is open for reading can still be copied (``VACUUM INTO``), attached to others, and extended by code."""
    if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
        return sqlite3.SQLITE_DENY
    allowed = action in _READING or first in _ALSO_READING.get(action, ())
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _outcome_of(error: DBAPIError) -> Outcome:
    """A statement that is wrong stays wrong until it is changed; a database in trouble may recover."""
    original = error.orig
    if isinstance(original, sqlite3.Error):
        number = getattr(original, "sqlite_errorcode", None)
        lasting = number is None or number & 0xFF in {_SQLITE_ERROR, _SQLITE_READONLY, _SQLITE_AUTH}
    else:
        state = str(getattr(original, "sqlstate", None) or "")
        lasting = state == _READ_ONLY_VIOLATED or type(error).__name__ in {"ProgrammingError", "DataError", "NotSupportedError"}
    return Outcome.MISCONFIGURED if lasting else Outcome.UNAVAILABLE


def place(url: URL) -> str:
    """The database for people: without user, password and parameters."""
    return printable(
        URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database).render_as_string(), 120
    )


def without_secrets(error: Exception, url: URL) -> str:
    """Return the message of a driver, in one line, without the secrets of the URL."""
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    parameters = [value for name, value in url.query.items() if any(part in name.lower() for part in _SECRET_PARAMETERS)]
    secrets = [url.password, *parameters]
    for secret in (str(one) for one in secrets if one):
        for form in {secret, quote(secret), quote(secret, safe="")}:
            message = message.replace(form, "***")
    return printable(message, 200)
