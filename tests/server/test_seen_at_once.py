"""What happens to local processes is seen when it happens: here polling comes far too late to help."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.control.house import documents, house
from tests.runtimes.helpers import APP, eventually, leaders_of, processes_of, supervision_of

from setpoint.runtimes.process import ProcessRuntime, shutdown

CONFIGURATION = documents(
    """
kind: Runtime
name: local
local: {}
poll: {moving: 1h, settled: 1h}
""",
    """
kind: Application
name: saas
channels: [{name: staging}]
""",
    f"""
kind: Service
application: saas
name: web
process:
  command: [{sys.executable}, {APP}]
  health: {{http: /healthz, interval: 100ms}}
""",
)


async def test_a_release_goes_through_and_what_is_lost_comes_back_without_any_poll(tmp_path: Path) -> None:
    try:
        async with house(tmp_path, CONFIGURATION, runtimes={"process": ProcessRuntime}) as saas:
            await saas.release("1.0")
            await saas.good("web@staging", "1.0")
            await saas.release("2.0")
            await saas.good("web@staging", "2.0")
            supervision, [replica] = supervision_of(tmp_path), leaders_of(tmp_path)
            for process in (*supervision, replica):
                process.send_signal(signal.SIGKILL)

            async def replaced() -> bool:
                return any(process.pid != replica.pid for process in leaders_of(tmp_path))

            await eventually("another one runs", replaced)
            await saas.good("web@staging", "2.0")
    finally:
        await shutdown(tmp_path)
    assert processes_of(tmp_path) == []
