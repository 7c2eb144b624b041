"""A configuration is compiled in a process with limits: what exceeds one is refused, and costs no other request anything."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import STANDARD, files, house
from tests.support.eventually import eventually

from setpoint.compilation.compilers import BusyError, Compilers, TooExpensiveError
from setpoint.compilation.jobs import Job, JobLimits
from setpoint.control.errors import Busy, TooExpensive
from setpoint.programs.kernel import living_descendants
from setpoint.server import problems

SMALL = Job({"setpoint.yaml": base64.b64encode(b"kind: Application\nname: saas\nchannels: [{name: a}]\n").decode()}, "/x", [])


def chain(number: int) -> bytes:
    """Legal, and the work of seconds when ``number`` is large."""
    channels = (f"  - {{name: c{n}{f', after: c{n - 1}' if n else ''}}}\n" for n in range(number))
    service = "---\n{kind: Service, application: saas, name: web, process: {command: [x]}}\n"
    return f"kind: Application\nname: saas\nchannels:\n{''.join(channels)}{service}".encode()


def job(content: bytes) -> Job:
    return Job({"setpoint.yaml": base64.b64encode(content).decode()}, "/x", [])


HEAVY_TEXT = chain(6000).decode()
HEAVY = job(HEAVY_TEXT.encode())


@asynccontextmanager
async def compilers(**given: Any) -> AsyncIterator[Compilers]:
    found = Compilers(JobLimits(**given.pop("limits", {})), **given)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.close)


def templates() -> set[int]:
    """Processes below this one that are templates or were forked from one."""
    return {pid for pid in living_descendants(os.getpid()) if b"setpoint.compilation" in _read(pid, "cmdline")}


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


async def gone(pids: set[int]) -> None:
    async def ended() -> bool:
        return not pids & templates()

    await eventually(ended, 10, lambda: f"{pids & templates()} still run")


@pytest.mark.parametrize(
    ("limits", "limit"),
    [({"cpu": 1}, "1 s of CPU time"), ({"deadline": 0.2}, "0.2 s"), ({"memory": 48 << 20}, "48 MiB of memory")],
    ids=["CPU", "deadline", "memory"],
)
async def test_what_takes_more_than_a_limit_is_refused_and_the_next_is_compiled(limits: dict[str, Any], limit: str) -> None:
    async with compilers(limits=limits) as found:
        with pytest.raises(TooExpensiveError, match=f"^{re.escape(limit)}$"):
            await found.report_on(HEAVY)
        assert "deadline" in limits or [one.code for one in (await found.report_on(SMALL)).problems] == []


async def test_one_that_is_expensive_does_not_hold_up_another() -> None:
    async with compilers(limits={"cpu": 5}) as found:
        heavy = asyncio.create_task(found.report_on(HEAVY))
        await asyncio.sleep(0.1)
        assert (await found.report_on(SMALL)).problems == []
        assert not heavy.done()


async def test_so_many_wait_and_one_more_is_refused() -> None:
    async with compilers(together=1, waiting=1) as found:
        tasks = [asyncio.create_task(found.report_on(SMALL)) for _ in range(3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in results].count(BusyError) == 1
        assert (await found.report_on(SMALL)).problems == []


async def test_a_template_that_was_killed_is_started_again() -> None:
    before = templates()
    async with compilers() as found:
        await found.report_on(SMALL)
        for pid in templates() - before:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.05)
        assert (await found.report_on(SMALL)).problems == []


async def test_a_job_ends_with_the_engine() -> None:
    before = templates()
    async with compilers() as found:
        heavy = asyncio.create_task(found.report_on(HEAVY))

        async def forked() -> bool:
            return len(templates() - before) == 2

        await eventually(forked, 10, lambda: f"{templates() - before}")
        ours = templates() - before
    await gone(ours)
    assert isinstance((await asyncio.gather(heavy, return_exceptions=True))[0], BaseException)


async def test_its_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    before = templates()
    monkeypatch.setenv("SETPOINT_TOKEN", "canary")
    monkeypatch.setenv("DATABASE_PASSWORD", "canary")
    async with compilers() as found:
        await found.report_on(SMALL)
        ours = templates() - before
        assert ours
        assert all(b"canary" not in _read(pid, "environ") and b"PATH=" in _read(pid, "environ") for pid in ours)


async def test_a_request_that_is_too_expensive_is_an_error_with_a_code(tmp_path: Path) -> None:
    async with house(tmp_path) as shop:
        limited = Compilers(JobLimits(cpu=1))
        shop.services.compilers = limited
        try:
            for ask in (lambda: shop.ask("validate", **files(HEAVY_TEXT)), lambda: shop.apply(HEAVY_TEXT)):
                with pytest.raises(TooExpensive, match="more than 1 s of CPU time"):
                    await ask()
            await shop.apply(STANDARD)
        finally:
            await asyncio.to_thread(limited.close)
    assert (TooExpensive.code, TooExpensive.status) == ("too-expensive", 422)


async def test_a_request_too_many_is_refused_until_later(tmp_path: Path) -> None:
    async with house(tmp_path) as shop:
        limited = Compilers(together=1, waiting=0)
        shop.services.compilers = limited
        try:
            results = await asyncio.gather(*(shop.ask("validate", **files(STANDARD)) for _ in range(2)), return_exceptions=True)
        finally:
            await asyncio.to_thread(limited.close)
    assert [type(one) for one in results].count(Busy) == 1
    assert problems.response(Busy.status, problems.body("busy", "", "")).headers["Retry-After"] == "5"


async def test_validating_costs_the_engine_next_to_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as shop:
        started = time.process_time()
        assert (await shop.ask("validate", **files(chain(1000).decode()))).problems == []
        assert time.process_time() - started < 0.2
