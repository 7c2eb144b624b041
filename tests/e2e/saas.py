"""The example ``saas`` on this machine: its programs, its alert source, its people, and an engine whose clock the test moves."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx2
import pytest
from tests.e2e.machine import Machine

from setpoint.server.client import ClientError

EXAMPLE = Path(__file__).parents[2] / "examples" / "saas"
CHANNELS = ("staging", "production", "acme", "globex")
REPLICAS = {"staging": 2, "production": 4, "acme": 2, "globex": 2}
OFFSET = "SETPOINT_CLOCK_OFFSET_FILE"
MINUTE = 60.0
NOTICED = 0.1
"""After so many real seconds an engine goes by the new time: what a person says from then on is said at that time."""
SOON = 0.25
"""Within so many real seconds an engine asks whatever is due."""


class Clock:
    """The engine's clock, which runs on from wherever it is put; the processes keep the real one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0.0

    def put(self, when: str, zone: str = "America/New_York") -> None:
        """To a wall-clock time such as ``2026-10-05 10:00``."""
        self._offset = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp() - time.time()
        self._write()
        time.sleep(NOTICED)

    def forward(self, seconds: float) -> None:
        """By so many seconds, and those that really went by."""
        self._offset += seconds
        self._write()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset

    def _write(self) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(str(int(self._offset * 1000)))
        temporary.replace(self.path)  # never half a number


@dataclass
class AlertSource:
    """Where it listens, and how often it was asked for alerts."""

    port: int = 0
    asked: int = 0


class Saas:
    """The example, brought up; ``told`` and ``runs`` look from outside."""

    def __init__(self, machine: Machine, source: AlertSource) -> None:
        self.machine = machine
        self.data = machine.root / "data"
        self.clock = Clock(machine.root / "offset")
        self._source = source
        self._addresses: dict[str, str] = {}
        self._http = httpx2.Client(timeout=10, trust_env=False, headers={"Connection": "close"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def configure(self) -> None:
        """The example as it is written, apart from where its data and its alerts are."""
        shutil.copytree(EXAMPLE, self.machine.config, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        text = (EXAMPLE / "setpoint.yaml").read_text()
        for old, new in (("127.0.0.1:18094", f"127.0.0.1:{self._source.port}"), ("/tmp/setpoint-saas", str(self.data))):
            assert old in text
            text = text.replace(old, new)
        self.machine.write(text)
        self.machine.apply()

    def migrate(self, channel: str, schema: int) -> None:
        """``./migrate``, as a person runs it."""
        environment = self.machine.environment(DATA=str(self.data))
        subprocess.run(
            [sys.executable, "migrate", channel, str(schema)], cwd=self.machine.config, env=environment, check=True, timeout=30
        )

    def goes_by(self, until: Callable[[], object], why: Callable[[], str], *, step: float = MINUTE, within: float = 90) -> None:
        """Let the engine's time go by in steps, each as soon as the alerts were asked about, until something is so."""
        deadline = time.monotonic() + within
        while not until():
            assert time.monotonic() < deadline, why()
            asked = self._source.asked
            self.clock.forward(step)
            give_up = time.monotonic() + SOON
            while self._source.asked == asked and time.monotonic() < give_up:
                time.sleep(0.01)

    def settles(self, channel: str, version: str) -> None:
        """Time goes by until a version is finalized there, and just that runs, seen from outside."""
        instance = f"saas/web@{channel}"

        def settled() -> bool:
            row = self.machine.row(instance)
            return bool(row["settled"]) and (row["good"] or {}).get("version") == version

        self.goes_by(settled, lambda: self.machine.story(instance))
        self.runs(**{channel: version})

    def runs(self, **versions: str) -> None:
        """What runs in these channels: all its processes, nothing else, and what the addresses answer. Empty: nothing."""
        for channel, version in versions.items():
            instance = f"saas/web@{channel}"
            self.machine.runs(instance, version, REPLICAS[channel] if version else 0)
            if version:
                assert self.says(channel) == f"web {version} in {channel}"

    def says(self, channel: str) -> str:
        """What the channel's stable address answers."""
        if channel not in self._addresses:
            self._addresses[channel] = self.machine.address(f"saas/web@{channel}")
        return self._http.get(self._addresses[channel]).text.strip()

    def waits(self, channel: str, words: str) -> None:
        """Until one of its reasons holds these words; only real time goes by."""
        self.machine.waits(f"saas/web@{channel}", words, within=20)

    def waits_until_asked(self, channel: str, topic: str) -> None:
        """Until a topic is open there."""
        self.waits(channel, f"waits for {topic}: approval by")

    def approve(self, channel: str, by: str) -> None:
        """A yes to whatever that person may answer there."""
        self.machine.do("approve", by=by, target=f"web@{channel}")

    def may_not_approve(self, channel: str, by: str, why: str) -> None:
        """It is refused, saying why."""
        with pytest.raises(ClientError, match=re.escape(why)):
            self.approve(channel, by)

    def rolled_out(self, channel: str) -> list[str]:
        """Every version that ever became target there, in order."""
        lines = self.machine.history(f"saas/web@{channel}", "target-moved")
        return [match[0] for line in lines if (match := re.search(r"\d+\.\d+\.\d+", line["text"]))]


@contextmanager
def saas(machine: Machine, begins: str) -> Iterator[Saas]:
    """Engine, alert source, configuration, people; the engine's clock begins at a time in New York."""
    (machine.root / "data").mkdir()
    with _alert_source(machine.root / "alerts") as source, Saas(machine, source) as made:
        made.clock.put(begins)
        machine.up(**{OFFSET: str(made.clock.path)})
        made.configure()
        machine.person("dana", "release-managers")  # releases, and may approve what others release
        machine.person("rita", "release-managers", admin=True)
        machine.person("ops@acme.example")
        yield made


@contextmanager
def _alert_source(alerts: Path) -> Iterator[AlertSource]:
    """The example's own, counting how often it was asked."""
    alerts.mkdir()
    api: Any = runpy.run_path(str(EXAMPLE / "alerts.py"))["Api"]
    source = AlertSource()

    class Counting(api):  # type: ignore[misc]  # a class of a program that is run, not imported
        def firing(self, filters: list[str]) -> None:
            super().firing(filters)
            source.asked += 1

    Counting.alerts = alerts
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        source.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield source
        finally:
            server.shutdown()
            thread.join()
