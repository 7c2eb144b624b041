"""Errors of SQLite and of the disk as errors of the port, with what a person can do."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from setpoint.store.port import RecoveryDecision, StoreDamaged, StoreError, StoreLost, StoreUnavailable

_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class MalformedError(Exception):
    """The file is not a database that this Setpoint can use."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise errors of SQLite and of the disk as StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError, MalformedError) as error:  # a message may quote damaged text
        raise _as_store_error(path, error) from error


def lost(path: Path, what: str) -> StoreLost:
    """The database of a data directory is gone, or is not the one that it had."""
    return StoreLost(f"the database {path} {what}. Nothing was changed, and services go on running. {_recovery_of(path)}")


def _as_store_error(path: Path, error: Exception) -> StoreError:
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
        remedy = "another process holds a lock on it: end that process, such as a backup or a shell of SQLite"
        return StoreUnavailable(str(error), remedy)
    if isinstance(error, sqlite3.OperationalError | OSError):
        return StoreUnavailable(f"{error} ({_free(path)})", "make room or repair it")
    return StoreDamaged(f"the journal {path} cannot be used: {error}. It was not touched. {_recovery_of(path)}")


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free // 1024:,} KB are free there"
    except OSError as error:
        return f"its directory cannot be looked at: {error.strerror}"


def _recovery_of(path: Path) -> str:
    home = path.parent
    return (
        f"Either put the newest backup in its place and run `setpoint up --{RecoveryDecision.RESTORED} --home {home}`; or begin "
        f"without it with `setpoint up --{RecoveryDecision.EMPTY} --home {home}`: releases, approvals, history and tokens are "
        "then lost, what runs is kept, and `setpoint adopt` takes it on after the next `setpoint apply`"
    )
