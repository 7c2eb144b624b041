"""What the tests of runtimes share: specs, waiting for what real processes do, and a look at the process table from outside."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from tests.support.processes import words_of

from setpoint.model.observation import Observation
from setpoint.model.spec import RolloutSettings, Spec, Version, Workload
from setpoint.plugins.runtime import Runtime

APP = str(Path(__file__).with_name("app.py"))
INSTANCE = "shop/web@staging"
POLL = 0.02
"""Seconds between two looks."""


def spec(
    version: str = "1", *arguments: str, instance: str = INSTANCE, rollout: RolloutSettings | None = None, **options: Any
) -> Spec:
    options.setdefault("command", [sys.executable, APP, *arguments])
    options.setdefault("health", {"http": "/healthz", "interval": 100})
    rest = {name: options.pop(name) for name in ("env", "files") if name in options}
    options = {name: value for name, value in options.items() if value is not None}
    workload = Workload("process", options)
    return Spec(instance, "local", Version(version), workload, rollout=rollout or RolloutSettings(), **rest).sealed()


async def eventually(what: str, holds: Callable[[], Awaitable[Any]], within: float = 15.0) -> Any:
    """The first true value of ``holds``; fails by name when there is none in time."""
    deadline = time.monotonic() + within
    while not (found := await holds()):
        assert time.monotonic() < deadline, f"not in {within} s: {what}"
        await asyncio.sleep(POLL)
    return found


def is_settled(seen: Observation, expected: Spec) -> bool:
    well = all(o.healthy and o.digest == expected.digest for o in seen.objects)
    return seen.complete and well and not seen.difference


async def settled(runtime: Runtime, expected: Spec, within: float = 15.0) -> Observation:
    """Wait until just what is expected runs, is healthy, and nothing old is left."""
    last = Observation()

    async def look() -> bool:
        nonlocal last
        last = await runtime.observe(expected.instance, expected)
        return is_settled(last, expected)

    try:
        await eventually("settled", look, within)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None
    return last


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process of a home: marked by its identity, or its supervisor."""
    identity = home / "runtimes" / "local" / "id"
    mark = identity.read_text() if identity.exists() else None
    found = []
    for process in psutil.process_iter():
        try:
            ours = is_supervisor(process, home) or (
                mark is not None and process.environ().get("SETPOINT_RUN", "").startswith(mark)
            )
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def is_supervisor(process: psutil.Process, home: Path) -> bool:
    line = words_of(process)
    return "setpoint.runtimes.process.supervisor" in line and str(home) in line


def supervision_of(home: Path) -> tuple[psutil.Process, psutil.Process]:
    """The guardian and the supervisor that serves."""
    found = {process.pid: process for process in processes_of(home) if is_supervisor(process, home)}
    serving = int((home / "runtimes" / "local" / "serving.lock").read_text())
    [guardian] = [process for pid, process in found.items() if pid != serving]
    return guardian, found[serving]


def run_processes_of(home: Path) -> list[psutil.Process]:
    """Every process of a home but the supervisor and its guardian."""
    return [process for process in processes_of(home) if not is_supervisor(process, home)]


def leaders_of(home: Path) -> list[psutil.Process]:
    """The replicas themselves: processes of the app started by the supervisor, without their children."""
    return [p for p in processes_of(home) if APP in words_of(p)]
