"""The contract of runtimes, and lives of supervisors, while the disk refuses one call after the other.

Each scenario runs again and again: the first time its first call to the disk fails, then the second, until it has gone through
all of them. What is requested is requested again, as the engine does; in the end nothing is lost, and nothing was half-taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.runtimes import helpers
from tests.runtimes.contract import RuntimeContract
from tests.runtimes.helpers import settled, spec
from tests.runtimes.process.pretended import FAILING, Supervised, connect, pretend
from tests.support.eventually import eventually
from tests.support.faults import ERRORS, faults

from setpoint.model.spec import Spec
from setpoint.programs.procfs import Identity
from setpoint.runtimes.process.ports import free_port
from setpoint.runtimes.process.records import InstanceRecord, SupervisorRequest

Scenario = Callable[[Supervised], Awaitable[None]]
INSTANCE = spec().instance


def runs(version: str = "1", **options: Any) -> Spec:
    return spec(version, command=["serve"], health=None, **options)


class _Contract(RuntimeContract):
    __test__ = False

    def healthy(self, version: str) -> Spec:
        return runs(version)

    def failing(self, version: str) -> Spec:
        return spec(version, command=[FAILING], health=None)


async def replaced(runtime: Supervised) -> None:
    """Version 1, then 2, then back to 1, with the supervisor killed after each: what it accepted is on the disk."""
    for operation, version in enumerate(("1", "2", "1")):
        await runtime.apply(f"op/{operation}", runs(version, replicas=2))
        await runtime.restart()
        await settled(runtime, runs(version, replicas=2))


async def moved(runtime: Supervised) -> None:
    """The address moves to a port that is asked for: nothing of a failed apply keeps it."""
    await runtime.apply("op/1", runs())
    await settled(runtime, runs())
    port = free_port(set())
    await runtime.apply("op/2", runs("2", port=port))
    seen = await settled(runtime, runs("2", port=port))
    assert seen.links["address"].endswith(f":{port}")


async def removed(runtime: Supervised) -> None:
    """Removed, it is gone with its record, and the supervisor's death does not bring it back."""
    await runtime.apply("op/1", runs())
    await settled(runtime, runs())
    await runtime.remove("op/2", INSTANCE)
    await eventually(lambda: not runtime.processes.alive and not runtime.place.record_of(INSTANCE).exists())
    await runtime.restart()
    assert (await runtime.observe(INSTANCE, None)).objects == ()


async def halted(runtime: Supervised) -> None:
    """Taken down with everything, it stays down until the next apply; one that was refused takes nothing down for ever."""
    await runtime.apply("op/1", runs())
    await settled(runtime, runs())
    for _ in range(8):
        reply = await runtime.answer(SupervisorRequest("shutdown"))
        if not reply.error:
            break
    assert not reply.error
    assert not runtime.processes.alive
    await runtime.restart()
    assert (await runtime.observe(INSTANCE, None)).objects == ()
    await runtime.apply("op/2", runs())
    await settled(runtime, runs())


_OTHERS = ("closing", "mistakes", "nobody", "should_run", "not_there", "changes_nothing", "same_difference", "done_once")
"""They write nothing, or compare messages, which tell of the failed write."""
CONTRACT = [
    name
    for name, _ in inspect.getmembers(RuntimeContract, inspect.iscoroutinefunction)
    if name.startswith("test_") and not any(part in name for part in _OTHERS)
]
LIVES: list[Scenario] = [replaced, moved, removed, halted]


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.nightly), 3])
@pytest.mark.parametrize("name", CONTRACT)
async def test_the_contract_holds_whichever_write_fails(
    name: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(runtime: Supervised) -> None:
        await getattr(_Contract(), name)(runtime)

    assert await _through_every_write(scenario, count, tmp_path, monkeypatch) > count, "it wrote something"


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.nightly), 3])
@pytest.mark.parametrize("scenario", LIVES, ids=lambda scenario: scenario.__name__)
async def test_no_write_that_fails_is_half_taken(
    scenario: Scenario, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _through_every_write(scenario, count, tmp_path, monkeypatch) > count, "it wrote something"


async def _through_every_write(scenario: Scenario, count: int, where: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many calls to the disk there are."""
    first, calls = 1 - count, 1
    monkeypatch.setattr(helpers, "POLL", 0.002)
    while first < calls:
        first += count
        table = pretend(monkeypatch)
        runtime = Supervised(where / str(first), table)
        connect(monkeypatch, runtime)
        with faults(first, count, ERRORS[first % len(ERRORS)]) as disk:
            try:
                await scenario(runtime)
                await eventually(partial(_at_rest, runtime), every=0.002)
            except Exception as error:
                raise AssertionError(f"after {disk.failed}: {error!r}") from error
            finally:
                await runtime.kill()
        calls = disk.calls
        table.send_all([Identity(pid, pid) for pid in table.alive], 9)
    return calls


def _at_rest(runtime: Supervised) -> bool:
    """Memory and disk are the same, and whatever runs is on record: nothing was half-taken."""
    known = runtime.supervisor._instances.values() if runtime.supervisor else ()
    recorded = {record.instance: record for record, _ in runtime.place.read_all() if record is not None}
    alive = {run for run, _ in runtime.processes.alive.values()}
    return all(_same(one.record, recorded.get(one.record.instance)) for one in known if not one.ended.is_set()) and alive <= {
        replica.run for record in recorded.values() for replica in record.replicas
    }


def _same(memory: InstanceRecord, disk: InstanceRecord | None) -> bool:
    return disk is not None and (memory.desired, memory.halted, memory.operations, memory.port) == (
        disk.desired,
        disk.halted,
        disk.operations,
        disk.port,
    )
