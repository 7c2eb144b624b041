"""``db-migrated``, Alembic and PostgreSQL for real: each channel waits until a person has migrated its own database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.components.postgresql import PASSWORD, QUOTED_PASSWORD, PostgreSQL, postgresql
from tests.e2e.machine import Machine
from tests.e2e.shop import configure
from tests.protections.test_migrations import Scripts

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgresql")]

STAGING, PRODUCTION = "shop/web@staging", "shop/web@production"
APPLICATION = """
kind: Application
name: shop
protections: [{use: db-migrated, per: channel, interval: 1s, with: {directory: project/migrations, url: "URL"}}]
channels: [{name: staging}, {name: production, after: staging}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


def upgrade(project: Path, url: str) -> None:
    """``alembic upgrade head`` as a person types it."""
    escaped = url.replace("postgresql:", "postgresql+psycopg:").replace("%", "%%")
    (project / "alembic.ini").write_text(f"[alembic]\nscript_location = migrations\nsqlalchemy.url = {escaped}\n")
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (project / "alembic.ini").unlink()


def test_a_deployment_waits_until_its_database_is_migrated(machine: Machine, server: PostgreSQL) -> None:
    urls = {channel: server.new_database(channel) for channel in ("staging", "production")}
    scripts = Scripts(machine.config / "project")
    scripts.add("1a2b")
    machine.up()
    configure(machine, APPLICATION.replace("URL", server.url("${channel.name}")))

    machine.release("web=1.0.0")
    machine.waits(
        STAGING, "check `db-migrated` failed: database at base (no migration yet), scripts at 1a2b: run `alembic upgrade head`"
    )
    assert not machine.replicas(STAGING)
    upgrade(scripts.root, urls["staging"])
    machine.settles(STAGING, "1.0.0")
    machine.runs(STAGING, "1.0.0", 2)
    machine.waits(PRODUCTION, "database at base (no migration yet)")
    assert not machine.replicas(PRODUCTION)
    upgrade(scripts.root, urls["production"])
    machine.settles(PRODUCTION, "1.0.0")

    scripts.add("3c4d", "1a2b")
    machine.apply()
    machine.release("web=2.0.0")
    machine.waits(STAGING, "database at 1a2b, scripts at 3c4d: run `alembic upgrade head`")
    machine.runs(STAGING, "1.0.0", 2)
    upgrade(scripts.root, urls["staging"])
    machine.settles(STAGING, "2.0.0")
    machine.waits(PRODUCTION, "database at 1a2b, scripts at 3c4d")
    machine.runs(PRODUCTION, "1.0.0", 2)
    _nobody_was_told_the_password(machine)


def _nobody_was_told_the_password(machine: Machine) -> None:
    told = [machine.cli("explain", "web@production"), machine.cli("history", "web@staging"), machine.tail()]
    for text in told:
        assert PASSWORD not in text
        assert QUOTED_PASSWORD not in text
