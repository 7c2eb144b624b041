"""What a version that failed wrote is found after its rollback: in explain, and by version among the logs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, House, documents, house
from tests.runtimes.helpers import APP, eventually, processes_of

from setpoint.control.errors import NotFound
from setpoint.control.queries.logs import LogLineView
from setpoint.runtimes.process import ProcessRuntime, shutdown

PROGRAM = f"""
import os, runpy, sys
if os.environ["SETPOINT_VERSION"] == "2.0":
    print("2.0 lacks its database")
    sys.exit(7)
sys.argv = ["app"]
runpy.run_path({APP!r}, run_name="__main__")
"""
CONFIGURATION = documents(
    """
kind: Application
name: saas
channels: [{name: staging}]
""",
    f"""
kind: Service
application: saas
name: web
progressDeadline: 8s
env: {{RELEASED: "${{version}}"}}
process:
  command: [{sys.executable}, -c, {json.dumps(PROGRAM)}]
  health: {{http: /healthz, interval: 100ms}}
""",
)


async def lines(shop: House, **request: Any) -> list[str]:
    stream = await shop.control.stream("logs", {"target": "web@staging", **request}, ADMIN)
    return [line.text async for line in stream if isinstance(line, LogLineView)]


async def test_a_version_that_failed_is_explained_by_what_it_wrote(tmp_path: Path) -> None:
    try:
        async with house(tmp_path, CONFIGURATION, runtimes={"process": ProcessRuntime}) as shop:
            await shop.release("1.0")
            await shop.good("web@staging", "1.0")
            assert (await shop.ask("explain", target="web@staging")).failed_output is None
            await shop.release("2.0")

            async def explained() -> Any:
                return (await shop.ask("explain", target="web@staging")).failed_output

            found = await eventually("the output of the failed version is shown", explained, within=40)
            assert (found.version, found.ended) in {("2.0", "exited with 7"), ("2.0", "")}
            assert found.lines[-1] == "2.0 lacks its database"
            assert found.command == "setpoint logs web@staging --version 2.0"

            async def gone() -> bool:
                kept = (await shop.ask("replicas", target="web@staging")).replicas
                return [(one.version, one.kind) for one in kept if one.kind == "gone"] == [("2.0", "gone")]

            await eventually("its replica is listed", gone)
            assert set(await lines(shop, version="2.0")) == {"2.0 lacks its database"}
            assert await lines(shop, kind="gone") == await lines(shop, version="2.0")
            assert "1.0 starts" in await lines(shop)
            for wrong in ({"replica": "web-99"}, {"replica": "../../../engine"}, {"version": "9"}, {"kind": "dead"}):
                with pytest.raises(NotFound) as refused:
                    await lines(shop, **wrong)
                assert refused.value.hint
                assert wrong.get("kind") or any("version 2.0, gone" in one for one in refused.value.details)
    finally:
        await shutdown(tmp_path)
    assert processes_of(tmp_path) == []


async def test_an_unknown_kind_of_event_is_an_error_and_a_quiet_one_is_not(tmp_path: Path) -> None:
    async with house(tmp_path, CONFIGURATION, runtimes={"process": ProcessRuntime}) as shop:
        assert (await shop.ask("history", target="web@staging", kinds=["violated"])).events == []
        with pytest.raises(NotFound, match="finalised") as refused:
            await shop.ask("history", target="web@staging", kinds=["finalised"])
        assert "finalized" in refused.value.hint
