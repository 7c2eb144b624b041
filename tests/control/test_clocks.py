"""A wall clock that is set, as people see it: what waits, waits no longer; what is shown is the wall clock (§10.17)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import RUNTIME, SERVICE, House, documents
from tests.engine.test_clocks import JUMPS, START, Machine
from tests.support.compilers import COMPILERS
from tests.support.eventually import eventually

from setpoint.model.time import DAY, HOUR, SECOND
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.assembly import running

SOAKING = documents(
    RUNTIME,
    SERVICE,
    """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: {channels: [staging], soak: 4h}}
""",
)


@asynccontextmanager
async def on(machine: Machine, home: Path) -> AsyncIterator[House]:
    clock: dict[str, Any] = {"clock": lambda: machine.wall, "monotonic": lambda: machine.monotonic, "clock_step": 10}
    async with running(home, runtimes={"fake": FakeRuntime}, compilers=COMPILERS, **clock) as control:
        yield House(control)


async def soaks_for(found: House, rest: int) -> None:
    """What is told of the soak, and when it ends by the clock on the wall."""
    row = await found.waits_for("web@production", "ordering-not-met")
    ends = found.services.clock() + rest
    assert (row.reason.recheck_at, row.next_look) == (ends, ends)
    assert f"for another {rest // HOUR}h" in row.reason.text


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize("restart", [False, True])
async def test_a_clock_set_in_the_middle_of_a_soak_makes_it_no_longer(tmp_path: Path, by: int, restart: bool) -> None:
    """Set back by a day in the middle, a window of 4 s had to pass "for another 23h 59m"; new releases, too."""
    machine = Machine()
    async with on(machine, tmp_path) as found:
        await found.apply(SOAKING)
        await found.release("1.0.0")
        await found.good("web@staging", "1.0.0")
        await soaks_for(found, 4 * HOUR)
        machine.pass_by(HOUR)
        if not restart:
            machine.set_by(by)
            await eventually(lambda: found.services.engine.clock.offset == by)
            await soaks_for(found, 3 * HOUR)
            machine.pass_by(3 * HOUR)
            await found.good("web@production", "1.0.0")
            return
    if by in {HOUR, DAY}:
        return  # nobody can tell a clock that is set forward from the time in which no engine ran
    machine.set_by(by)
    async with on(machine, tmp_path) as found:
        machine.pass_by(3 * HOUR)
        await found.good("web@production", "1.0.0")


async def test_a_new_release_after_the_clock_was_set_back_waits_no_longer(tmp_path: Path) -> None:
    machine = Machine()
    async with on(machine, tmp_path) as found:
        await found.apply(SOAKING)
        machine.pass_by(HOUR)
        machine.set_by(-DAY)
        await eventually(lambda: found.services.engine.clock.offset == -DAY)
        await found.release("1.0.0")
        await found.good("web@staging", "1.0.0")
        await soaks_for(found, 4 * HOUR)
        released = (await found.ask("releases", application="saas")).releases[0]
        assert released.at == machine.wall == START + HOUR - DAY
        lines = (await found.ask("history", target="web@staging")).events
        assert {line.at for line in lines} == {machine.wall}


@pytest.mark.parametrize(("by", "state"), [(-DAY, "warning"), (SECOND, "ok")])
async def test_doctor_shows_that_the_clock_was_set(tmp_path: Path, by: int, state: str) -> None:
    machine = Machine()
    async with on(machine, tmp_path) as found:
        await found.apply(SOAKING)
        machine.set_by(by)
        await eventually(lambda: found.services.engine.clock.offset == by)
        await found.release("1.0.0")
        clock = next(one for one in (await found.ask("doctor")).findings if one.name == "clock")
        assert (clock.state, "set 1d back" in clock.text) == (state, state == "warning")
        machine.pass_by(8 * DAY)
        assert next(one for one in (await found.ask("doctor")).findings if one.name == "clock").state == "ok"
