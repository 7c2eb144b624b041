"""The saas example's own programs: a check of the user's own, its migration, alerts by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.examples.test_quickstart_programs import fetch, running
from tests.support.ports import free_port

from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.protections.alerts import AlertsNotFiring
from setpoint.protections.program import ProgramProtection

SAAS = Path(__file__).parents[2] / "examples" / "saas"


def migrate(data: Path, channel: str, number: int) -> None:
    environment = os.environ | {"DATA": str(data)}
    subprocess.run([sys.executable, SAAS / "migrate", channel, str(number)], env=environment, check=True, timeout=30)


async def test_the_check_holds_a_major_until_its_migration_is_done(tmp_path):
    async def asked(version: str) -> tuple[Outcome, str]:
        command, codes = [str(SAAS / "check-migrations"), "staging", version], {"fail": [10]}
        options = {"command": command, "directory": str(SAAS), "exitCodes": codes}
        check = CheckDefinition(protection="p", use="program", subject="s", options=options, env={"DATA": str(tmp_path)})
        result = await ProgramProtection().run("1", check)
        return result.outcome, result.reason

    assert await asked("1.0.0") == (Outcome.BLOCKING, "staging has schema none, web 1.0.0 needs 1: run ./migrate staging 1")
    migrate(tmp_path, "staging", 1)
    assert await asked("1.4.0") == (Outcome.PASSING, "staging has schema 1, web 1.4.0 needs 1")
    assert (await asked("2.0.0"))[0] is Outcome.BLOCKING
    migrate(tmp_path, "staging", 2)
    assert (await asked("2.0.0"))[0] is Outcome.PASSING


async def test_a_file_is_an_alert(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    check = CheckDefinition(protection="a", use="a", subject="s", options={"url": url, "matchers": {"channel": "production"}})
    with running(SAAS / "alerts.py", "--port", str(port), "--alerts", str(tmp_path), url=f"{url}/api/v2/status"):
        assert (await AlertsNotFiring().run("1", check)).outcome is Outcome.PASSING
        (tmp_path / "staging").touch()
        assert (await AlertsNotFiring().run("2", check)).outcome is Outcome.PASSING
        (tmp_path / "production").touch()
        assert (await AlertsNotFiring().run("3", check)).outcome is Outcome.BLOCKING


@pytest.mark.parametrize("version", ["1.0.0", "2.3.4-rc.1"])
def test_the_product_tells_its_version(version):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["--version", version]
    with running(SAAS / "web" / "app.py", *arguments, url=f"{url}/healthz", PORT=str(port), CHANNEL="acme"):
        assert fetch(url) == (200, f"web {version} in acme\n")
