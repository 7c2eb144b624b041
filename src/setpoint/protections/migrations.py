"""The built-in ``db-migrated``: the database is at the newest migration. Loads users' scripts, so it is a program of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.options import Options, unresolved
from setpoint.protections.programs.verdict import run_module

_PATHS = ("directory", "config")
_LATER = ("flyway", "django", "sql")


class DbMigrated:
    """Options: ``tool`` (``alembic``) · ``directory`` of its scripts, or ``config``, its alembic.ini · ``url`` of the database,
    unless the alembic.ini has it · ``versionTable`` (alembic_version), ``versionSchema``.

    Relative paths start at the engine's working directory. As when Alembic runs by hand, the scripts (and a relative
    SQLite path) see the folder of alembic.ini, or the one that ``directory`` lies in, as working directory and import path.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - looking twice changes nothing
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, "; ".join(wrong))
        return await run_module("setpoint.protections.programs.migrations", _with_absolute_paths(check.options), check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"tool", "directory", "config", "url", "versionTable", "versionSchema"})
        tool = read.text("tool", "alembic")
        if tool in _LATER:
            read.wrong.append(f'tool "{tool}" comes later: alembic is known now')
        elif tool != "alembic" and not unresolved(tool):
            read.wrong.append(f'tool is "{tool}": write alembic')
        directory, config = read.text("directory"), read.text("config")
        if bool(directory) == bool(config):
            read.wrong.append("write either directory (the scripts) or config (the alembic.ini)")
        read.text("url", required=bool(directory) and not config)
        read.text("versionTable")
        read.text("versionSchema")
        return read.wrong


def _with_absolute_paths(options: dict[str, Any]) -> dict[str, Any]:
    return options | {name: str(Path(str(options[name])).absolute()) for name in _PATHS if options.get(name)}
