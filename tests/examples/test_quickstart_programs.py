"""The quickstart's own programs: its versions, its migrations and its monitoring."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.support.eventually import wait_until
from tests.support.ports import free_port

from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.protections.alerts import AlertsNotFiring
from setpoint.protections.migrations import DbMigrated

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
VERSIONS = ("1.0.0", "2.0.0", "3.0.0", "3.0.1")
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str) -> tuple[int, str]:
    try:
        with OPENER.open(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextmanager
def running(program: Path, *arguments: str, url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, program, *arguments], env=os.environ | environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: fetch(url)[0] == 200, 10, f"{url} did not come up")
            yield process
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def web(version: str, database: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"PORT": str(port), "CHANNEL": "staging", "DATABASE": str(database)}
    with running(QUICKSTART / "web" / "app.py", "--version", version, url=f"{url}/healthz", **environment) as process:
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, "it ends by itself when it is asked to"


def migrate(database: Path, version: str) -> None:
    config = str(QUICKSTART / "schema" / f"{version}.ini")
    command = [sys.executable, "-m", "alembic", "-c", config, "-x", f"url=sqlite:///{database}", "upgrade", "head"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_tells_who_answers_once_its_migration_is_done(tmp_path, version):
    database = tmp_path / "staging.db"
    migrate(database, version)
    with web(version, database) as url:
        status, page = fetch(f"{url}/?name=Ada")
        assert (status, page.splitlines()[0]) == (200 if version != "3.0.0" else 500, f"web {version} in staging")


def test_version_2_needs_the_second_migration_and_version_1_goes_on_working_beside_it(tmp_path):
    database = tmp_path / "staging.db"
    migrate(database, "1.0.0")
    with web("2.0.0", database) as url:
        assert fetch(url)[0] == 500
        migrate(database, "2.0.0")
        assert fetch(url)[0] == 200
    with web("1.0.0", database) as url:
        assert fetch(url)[0] == 200


def test_version_3_is_healthy_and_answers_errors(tmp_path):
    database = tmp_path / "staging.db"
    migrate(database, "3.0.0")
    with web("3.0.0", database) as url:
        statuses = [fetch(url)[0] for _ in range(10)]
        assert 500 in statuses
        assert fetch(f"{url}/healthz") == (200, "web 3.0.0 in staging\nok\n")


async def test_db_migrated_holds_version_2_until_the_migration_is_done(tmp_path):
    database = tmp_path / "staging.db"
    migrate(database, "1.0.0")
    options = {"config": str(QUICKSTART / "schema" / "2.0.0.ini"), "url": f"sqlite:///{database}"}
    check = CheckDefinition(protection="db-migrated", use="db-migrated", subject="s", options=options)
    assert (await DbMigrated().run("1", check)).outcome is Outcome.BLOCKING
    migrate(database, "2.0.0")
    assert (await DbMigrated().run("2", check)).outcome is Outcome.PASSING


class TestMonitoring:
    @pytest.fixture
    def watched(self, tmp_path):
        database = tmp_path / "staging.db"
        migrate(database, "3.0.0")
        with web("3.0.0", database) as url:
            yield url

    @pytest.fixture
    def monitoring(self, tmp_path, watched):
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        nobody = f"production=http://127.0.0.1:{free_port()}"
        arguments = ["--port", str(port), "--log", str(tmp_path / "alerts.log"), f"staging={watched}", nobody]
        with running(QUICKSTART / "alerts.py", *arguments, url=f"{base}/api/v2/status"):
            wait_until(lambda: fetch(f"{base}/api/v2/alerts")[1] != "[]", 15, "no alert fires")
            yield base

    async def test_the_built_in_sees_the_alert_of_its_channel_only(self, monitoring, tmp_path):
        for channel, outcome in (("staging", Outcome.BLOCKING), ("production", Outcome.PASSING)):
            options = {"url": monitoring, "matchers": {"channel": channel}}
            check = CheckDefinition(protection="alerts-not-firing", use="alerts-not-firing", subject="s", options=options)
            assert (await AlertsNotFiring().run("1", check)).outcome is outcome
        events = [json.loads(line) for line in (tmp_path / "alerts.log").read_text().splitlines()]
        assert [event["channel"] for event in events if event["event"] == "firing"] == ["staging"]
        assert {event["status"] for event in events if event.get("channel") == "production"} == {0}

    def test_filters_are_read_as_alertmanager_reads_them(self, monitoring):
        def firing(*filters: str) -> int:
            query = "&".join(f"filter={quote(one)}" for one in filters)
            return len(json.loads(fetch(f"{monitoring}/api/v2/alerts?{query}")[1]))

        assert firing('channel="staging"', 'severity=~"page|warn"') == 1
        assert firing('channel!="staging"') == firing('alertname!~"High.*"') == 0
        assert fetch(f"{monitoring}/api/v2/alerts?filter=nonsense")[0] == 400
        assert fetch(f"{monitoring}/api/v2/alerts?active=false") == (200, "[]")


def test_the_second_migration_can_be_taken_back(tmp_path):
    database = tmp_path / "staging.db"
    migrate(database, "2.0.0")
    config = str(QUICKSTART / "schema" / "2.0.0.ini")
    command = [sys.executable, "-m", "alembic", "-c", config, "-x", f"url=sqlite:///{database}", "downgrade", "0001"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    connection = sqlite3.connect(database)
    assert [column[1] for column in connection.execute("pragma table_info(visit)")] == ["id", "at"]
    connection.close()
