"""The program of ``db-migrated``: compares the heads of Alembic's scripts with those that the database is at."""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from setpoint.model.checks import Outcome
from setpoint.protections.programs.database import parse_url, reading
from setpoint.protections.programs.verdict import CheckError, answer, read_job


def main() -> None:
    """Run the job on standard input."""
    job = read_job()
    try:
        config = configuration(job)
        wanted, known = script_revisions(config)
        outcome, reason = judge(database_heads(job, config), wanted, known)
    except CheckError as error:
        outcome, reason = error.outcome, error.reason
    answer(outcome, reason)


def configuration(job: dict[str, Any]) -> Config:
    """Alembic's configuration, with the working directory set to where a person would run it.

    Raises:
        CheckError: a path that is not there.
    """
    path = Path(job.get("config") or job["directory"])
    if job.get("config") and not path.is_file():
        raise CheckError(Outcome.MISCONFIGURED, f"the file {path} does not exist")
    if not job.get("config") and not (path / "versions").is_dir() and not (path / "env.py").is_file():
        problem = "does not hold Alembic's scripts (env.py, versions/)" if path.is_dir() else "does not exist"
        raise CheckError(Outcome.MISCONFIGURED, f"the directory {path} {problem}")
    os.chdir(path.parent)
    sys.path.insert(0, str(path.parent))
    if job.get("config"):
        return Config(str(path))
    config = Config()
    config.set_main_option("script_location", str(path).replace("%", "%%"))
    return config


def script_revisions(config: Config) -> tuple[set[str], set[str]]:
    """The newest revisions of the scripts, and all of them; loading them runs the users' code.

    Raises:
        CheckError: scripts that cannot be loaded.
    """
    try:
        scripts = ScriptDirectory.from_config(config)
        return set(scripts.get_heads()), {script.revision for script in scripts.walk_revisions()}
    except CommandError as error:
        raise CheckError(Outcome.MISCONFIGURED, f"Alembic cannot read its scripts: {error}") from error
    except (Exception, SystemExit) as error:  # a users' script may raise anything
        raise CheckError(
            Outcome.MISCONFIGURED, f"a migration script cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def database_heads(job: dict[str, Any], config: Config) -> set[str]:
    """Return the revisions that the database is at; empty before the first migration.

    Raises:
        CheckError: no address, or no server there.
    """
    try:
        text = job.get("url") or config.get_main_option("sqlalchemy.url")
    except configparser.Error:
        raise CheckError(
            Outcome.MISCONFIGURED, "sqlalchemy.url in the alembic.ini cannot be read: write % as %%, or give url here"
        ) from None
    if not text:
        raise CheckError(Outcome.MISCONFIGURED, "url is missing: add it here, or as sqlalchemy.url in the alembic.ini")
    options = {
        "version_table": job.get("versionTable") or "alembic_version",
        "version_table_schema": job.get("versionSchema") or None,
    }
    url = parse_url(str(text))
    try:
        with reading(url, job["timeout"]) as connection:
            return set(MigrationContext.configure(connection, opts=options).get_current_heads())
    except CheckError as error:
        if "does not exist" in error.reason and url.get_backend_name() == "sqlite":
            raise CheckError(error.outcome, f"{error.reason}: `alembic upgrade head` makes it") from None
        raise


def judge(current: set[str], wanted: set[str], known: set[str]) -> tuple[Outcome, str]:
    """Whether the database is where the scripts are."""
    if strange := current - known:
        reason = f"database at {_named(strange)}, which the scripts (at {_named(wanted)}) do not know: are they of this version?"
        return Outcome.BLOCKING, reason
    if current == wanted:
        return Outcome.PASSING, f"database at {_named(current)}, as the scripts" if wanted else "no migrations exist"
    command = "alembic upgrade heads" if len(wanted) > 1 else "alembic upgrade head"
    return Outcome.BLOCKING, f"database at {_named(current)}, scripts at {_named(wanted)}: run `{command}`"


def _named(revisions: set[str]) -> str:
    return " + ".join(sorted(revisions)) or "base (no migration yet)"


if __name__ == "__main__":
    main()
