"""db-migrated, with real Alembic scripts on real databases."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from tests.components.postgresql import PostgreSQL, postgresql
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.ports import free_port

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.migrations import DbMigrated

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool
engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = {revision!r}, {before!r}
def upgrade():
    op.create_table("t{revision}", sa.Column("x", sa.Integer))
def downgrade():
    op.drop_table("t{revision}")
"""


class Scripts:
    """A project's migrations, as Alembic keeps them."""

    def __init__(self, root: Path) -> None:
        self.root, self.directory = root, root / "migrations"
        (self.directory / "versions").mkdir(parents=True)
        (self.directory / "env.py").write_text(ENV)
        (self.directory / "script.py.mako").write_text("")

    def add(self, revision: str, before: str | None = None, code: str = "") -> None:
        text = textwrap.dedent(REVISION.format(revision=revision, before=before))
        (self.directory / "versions" / f"{revision}.py").write_text(code + text)

    def upgrade(self, url: str, revision: str = "heads") -> None:
        """As a person runs `alembic upgrade`."""
        config = Config()
        config.set_main_option("script_location", str(self.directory))
        config.set_main_option("sqlalchemy.url", url.replace("postgresql:", "postgresql+psycopg:").replace("%", "%%"))
        command.upgrade(config, revision)

    def check(self, url: str, **options: Any) -> CheckDefinition:
        return definition("db-migrated", {"directory": str(self.directory), "url": url} | options)


async def ask(check: CheckDefinition) -> CheckResult:
    return await run(DbMigrated(), check)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    scripts = Scripts(tmp_path / "project")
    scripts.add("1a2b")
    scripts.add("3c4d", "1a2b")
    return scripts


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


class Contract(ProtectionContract, MayTakeLong):
    protection = DbMigrated()

    @pytest.fixture
    def migrated(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def behind(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def passing(self, scripts: Scripts, migrated: str) -> CheckDefinition:
        scripts.upgrade(migrated)
        return scripts.check(migrated)

    @pytest.fixture
    def blocking(self, scripts: Scripts, behind: str) -> CheckDefinition:
        scripts.upgrade(behind, "1a2b")
        return scripts.check(behind)

    @pytest.fixture
    def misconfigured(self, scripts: Scripts, migrated: str) -> CheckDefinition:
        scripts.add("5e6f", "3c4d", code="raise RuntimeError('half written')\n")
        return scripts.check(migrated)

    @pytest.fixture
    def hanging(self, scripts: Scripts, migrated: str) -> CheckDefinition:
        scripts.add("5e6f", "3c4d", code="import time; time.sleep(1000)\n")
        return scripts.check(migrated)


class TestSqlite(Contract):
    @pytest.fixture
    def migrated(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'migrated.db'}"

    @pytest.fixture
    def behind(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'behind.db'}"

    @pytest.fixture
    def unavailable(self, scripts: Scripts, tmp_path: Path) -> CheckDefinition:
        return scripts.check(f"sqlite:///{tmp_path / 'none.db'}")


@pytest.mark.needs("postgresql")
class TestPostgreSQL(Contract):
    @pytest.fixture
    def migrated(self, server: PostgreSQL, tmp_path: Path) -> str:
        return server.new_database(f"migrated-{tmp_path.name}")

    @pytest.fixture
    def behind(self, server: PostgreSQL, tmp_path: Path) -> str:
        return server.new_database(f"behind-{tmp_path.name}")

    @pytest.fixture
    def unavailable(self, scripts: Scripts) -> CheckDefinition:
        return scripts.check(f"postgresql://setpoint:hunter2@127.0.0.1:{free_port()}/shop")

    async def test_it_holds_until_the_migration_is_done(self, scripts: Scripts, migrated: str) -> None:
        check = scripts.check(migrated)
        assert (await ask(check)).reason == "database at base (no migration yet), scripts at 3c4d: run `alembic upgrade head`"
        scripts.upgrade(migrated, "1a2b")
        assert (await ask(check)).reason == "database at 1a2b, scripts at 3c4d: run `alembic upgrade head`"
        scripts.upgrade(migrated)
        assert await ask(check) == CheckResult(Outcome.PASSING, "database at 3c4d, as the scripts")
        scripts.add("5e6f", "3c4d")
        assert (await ask(check)).outcome is Outcome.BLOCKING

    async def test_a_database_that_went_away_is_unavailable_and_comes_back(
        self, scripts: Scripts, migrated: str, server: PostgreSQL
    ) -> None:
        scripts.upgrade(migrated)
        server.stop()
        try:
            result = await ask(scripts.check(migrated))
            assert result.outcome is Outcome.UNAVAILABLE
            assert "cannot be reached" in result.reason
        finally:
            server.start()
        assert (await ask(scripts.check(migrated))).outcome is Outcome.PASSING

    async def test_the_password_shows_nowhere(self, scripts: Scripts) -> None:
        result = await ask(scripts.check(f"postgresql://setpoint:hunter2@127.0.0.1:{free_port()}/shop"))
        assert "hunter2" not in result.reason + result.output


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.db'}"


async def test_several_heads_are_all_needed(scripts: Scripts, url: str) -> None:
    scripts.add("9f9f", "1a2b")
    scripts.upgrade(url, "3c4d")
    assert (await ask(scripts.check(url))).reason == "database at 3c4d, scripts at 3c4d + 9f9f: run `alembic upgrade heads`"
    scripts.upgrade(url)
    assert (await ask(scripts.check(url))).outcome is Outcome.PASSING


async def test_a_database_ahead_of_the_scripts_is_told_apart(scripts: Scripts, url: str) -> None:
    scripts.upgrade(url)
    (scripts.directory / "versions" / "3c4d.py").unlink()
    result = await ask(scripts.check(url))
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKING,
        "database at 3c4d, which the scripts (at 1a2b) do not know: are they of this version?",
    )


async def test_an_alembic_ini_tells_scripts_and_url(scripts: Scripts, url: str) -> None:
    scripts.upgrade(url)
    ini = scripts.root / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = {url}\nprepend_sys_path = .\n")
    assert (await ask(definition("db-migrated", {"config": str(ini)}))).outcome is Outcome.PASSING
    ini.write_text("[alembic]\nscript_location = migrations\n")
    missing = await ask(definition("db-migrated", {"config": str(ini)}))
    assert (missing.outcome, "url is missing" in missing.reason) == (Outcome.MISCONFIGURED, True)


async def test_scripts_may_import_the_project_and_print_what_they_like(scripts: Scripts, url: str) -> None:
    (scripts.root / "project_models.py").write_text("")
    scripts.add("5e6f", "3c4d", code="import project_models\nprint('loading\\nmodels')\n")
    result = await ask(scripts.check(url))
    assert "does not exist" in result.reason
    assert "models" in result.output


@pytest.mark.parametrize(
    "code", ["import os; os._exit(0)\n", "print('x'); import os; os._exit(1)\n", "import os; os.kill(os.getpid(), 9)\n"]
)
async def test_a_script_that_ends_the_check_cannot_make_it_pass_or_fail(scripts: Scripts, url: str, code: str) -> None:
    scripts.add("5e6f", "3c4d", code=code)
    assert (await ask(scripts.check(url))).outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize("code", ["raise SystemExit(0)\n", "def broken(:\n", "import no_such_module\n"])
async def test_a_script_that_cannot_be_loaded_is_misconfigured(scripts: Scripts, url: str, code: str) -> None:
    scripts.add("5e6f", "3c4d", code=code)
    result = await ask(scripts.check(url))
    assert result.outcome is Outcome.MISCONFIGURED
    assert "cannot be loaded" in result.reason


async def test_directories_that_are_not_there_or_hold_no_scripts(tmp_path: Path, url: str) -> None:
    for place, sentence in ((tmp_path / "gone", "does not exist"), (tmp_path, "does not hold Alembic's scripts")):
        result = await ask(definition("db-migrated", {"directory": str(place), "url": url}))
        assert result.outcome is Outcome.MISCONFIGURED
        assert sentence in result.reason


async def test_another_version_table(scripts: Scripts, url: str) -> None:
    scripts.upgrade(url)
    assert (await ask(scripts.check(url, versionTable="other"))).outcome is Outcome.BLOCKING


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "either directory (the scripts) or config"),
        ({"directory": "a", "config": "b", "url": "x"}, "either directory (the scripts) or config"),
        ({"directory": "a"}, "url is missing"),
        ({"config": "a", "tool": "flyway"}, "comes later"),
        ({"config": "a", "tool": "rails"}, "write alembic"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    mistakes = DbMigrated().validate(options)
    assert len(mistakes) == 1
    assert sentence in mistakes[0]
