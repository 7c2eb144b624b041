"""Tries of tasks with real programs: never under way twice, whoever was killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.eventually import eventually
from tests.support.users import USER, needs_users

from setpoint.core.instructions import RunTask
from setpoint.engine.tasks import TaskRunner
from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.tasks import TaskDefinition, TaskEnd
from setpoint.model.time import SECOND
from setpoint.programs.procfs import RUN, members

ENTITY = "task:shop/migrate#instance:shop/web@production#7"


def shell(script: str, **more: Any) -> TaskDefinition:
    return TaskDefinition("migrate", "program", "attempt:shop/web@production", {"command": ["/bin/sh", "-c", script]}, **more)


def run(tasks: TaskRunner, definition: TaskDefinition, number: int = 1, entity: str = ENTITY):
    return tasks.run(entity, RunTask(f"{entity}/try/{number}", definition))


@pytest.fixture
def tasks(tmp_path: Path) -> TaskRunner:
    return TaskRunner(tmp_path, {})


def survivor(tasks: TaskRunner, script: str = "trap '' TERM; while :; do sleep 0.05; done") -> subprocess.Popen[bytes]:
    """A try whose engine was killed, with the process that supervised it."""
    mark = {RUN: tasks._mark(ENTITY), "PATH": os.defpath}
    return subprocess.Popen(["/bin/sh", "-c", script], env=mark, start_new_session=True)


def supervisors(tasks: TaskRunner) -> list[int]:
    pids = [identity.pid for identity in members(tasks._mark(ENTITY), None)]
    return [pid for pid in pids if b"subreaper" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_exit_0_is_success_and_the_last_line_says_more(tasks):
    result = await run(tasks, shell("echo preparing; echo 14 tables migrated"))
    assert (result.end, result.reason) == (TaskEnd.SUCCEEDED, "14 tables migrated")


async def test_any_other_exit_is_a_failure(tasks):
    result = await run(tasks, shell("echo the table is locked >&2; exit 3"))
    assert (result.end, result.reason) == (TaskEnd.FAILED, "exit 3: the table is locked")
    assert (await run(tasks, shell("exit 1"), 2)).reason == "exit 1"


async def test_one_that_hangs_is_ended_with_its_whole_group_and_its_output_is_kept(tasks):
    result = await run(tasks, shell("echo half; sleep 60 & sleep 60", timeout=SECOND // 2))
    assert (result.end, result.output) == (TaskEnd.FAILED, "half\n")
    assert result.reason == "timed out after 500ms and was ended; its last line: half"
    assert not members(tasks._mark(ENTITY), None)


async def test_one_that_cannot_be_started_says_what_to_do(tasks):
    definition = TaskDefinition("migrate", "program", "organization", {"command": ["no-such-program"]})
    result = await run(tasks, definition)
    assert result.end is TaskEnd.FAILED
    assert "no-such-program not found" in result.reason


@needs_users
async def test_one_runs_as_its_user_and_what_left_its_group_ends_with_it(tasks):
    definition = shell("setsid sleep 600 & id -un")
    definition = replace(definition, options={**definition.options, "user": USER})
    result = await run(tasks, definition)
    assert (result.end, result.reason) == (TaskEnd.SUCCEEDED, USER)
    assert not members(tasks._mark(ENTITY), None)


async def test_one_that_cannot_run_as_its_user_fails_with_the_reason(tasks):
    definition = TaskDefinition("migrate", "program", "organization", {"command": ["true"], "user": "no-such-user"})
    result = await run(tasks, definition)
    assert result.end is TaskEnd.FAILED
    assert 'the user "no-such-user" does not exist on this machine' in result.reason


async def test_the_operation_id_is_the_same_at_every_try(tasks):
    script = 'echo "$SETPOINT_OPERATION_ID"; exit 1'
    said = [(await run(tasks, shell(script), number)).output for number in (1, 2)]
    assert said == [f"{ENTITY}\n"] * 2


async def test_a_try_that_ended_before_anybody_was_told_is_not_run_again(tasks, tmp_path):
    definition = shell(f"echo x >> {tmp_path}/ran")
    await run(tasks, definition)
    again = await run(TaskRunner(tmp_path, {}), definition)
    assert again.end is TaskEnd.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_try_whose_end_nobody_saw_is_run_again(tasks, tmp_path):
    attempt = asyncio.create_task(run(tasks, shell(f"echo x >> {tmp_path}/ran; sleep 60")))
    await eventually((tmp_path / "ran").exists)
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)
    assert (await run(tasks, shell(f"echo x >> {tmp_path}/ran"))).end is TaskEnd.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "x\nx\n"


async def test_once_is_not_run_again_and_its_end_is_unknown(tasks, tmp_path):
    attempt = asyncio.create_task(run(tasks, shell(f"echo x >> {tmp_path}/ran; sleep 60", once=True)))
    await eventually((tmp_path / "ran").exists)
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)
    assert (await run(tasks, shell(f"echo x >> {tmp_path}/ran", once=True))).end is TaskEnd.UNKNOWN
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_process_that_outlived_its_engine_is_ended_before_the_next_try_starts(tasks, tmp_path):
    script = f"trap 'echo ended >> {tmp_path}/story; exit 0' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    old = survivor(tasks, script)
    await eventually((tmp_path / "ready").exists)
    await run(tasks, shell(f"echo started >> {tmp_path}/story"))
    old.wait(5)
    assert (tmp_path / "story").read_text().split() == ["ended", "started"]


async def test_one_that_ignores_sigterm_is_killed(tasks, monkeypatch):
    monkeypatch.setattr("setpoint.engine.tasks._TERM", 0.5)
    old = survivor(tasks)
    result = await run(tasks, shell("true"))
    assert result.end is TaskEnd.SUCCEEDED
    assert old.wait(5) == -signal.SIGKILL


async def test_what_a_lost_try_of_another_release_left_is_ended_as_well(tasks):
    old = survivor(tasks, "exec sleep 60")
    assert (await run(tasks, shell("true"), entity=ENTITY[:-1] + "8")).end is TaskEnd.SUCCEEDED
    assert old.wait(5) == -signal.SIGTERM


async def test_what_another_engine_runs_is_left_alone(tasks, tmp_path):
    other = TaskRunner(tmp_path / "other", {})
    old = survivor(other, "exec sleep 60")
    try:
        await run(tasks, shell("true"))
        assert old.poll() is None
    finally:
        old.kill()
        old.wait(5)


async def test_one_whose_supervisor_is_killed_has_an_unknown_end(tasks, tmp_path):
    attempt = asyncio.create_task(run(tasks, shell(f"echo x > {tmp_path}/ran; sleep 60")))
    await eventually((tmp_path / "ran").exists)
    for pid in supervisors(tasks):
        os.kill(pid, signal.SIGKILL)
    assert (await attempt).end is TaskEnd.UNKNOWN


async def test_the_output_of_the_last_try_can_be_had_over_restarts(tasks, tmp_path):
    await run(tasks, shell("echo one; exit 1"))
    await run(tasks, shell("echo two; exit 1"), 2)
    last = TaskRunner(tmp_path, {}).last(ENTITY)
    assert last is not None
    assert last.output == "two\n"
    assert tasks.last("task:shop/other#x#1") is None


async def test_old_records_are_dropped_but_not_those_of_tries_under_way(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr("setpoint.engine.tasks.KEPT", 2)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "open.json").write_text('{"operation":"x"}')
    os.utime(tmp_path / "tasks" / "open.json", (1, 1))
    for release in range(4):
        await run(tasks, shell("true"), entity=f"task:shop/migrate#k#{release}")
    names = {path.name for path in (tmp_path / "tasks").iterdir()}
    assert len(names) == 3
    assert "open.json" in names


class Adapter:
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.given: Any = None

    async def run(self, operation, check):
        self.given = (operation, check)
        return CheckResult(self.outcome, "said so")

    def validate(self, options):
        return []


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Outcome.PASSING, TaskEnd.SUCCEEDED),
        (Outcome.BLOCKING, TaskEnd.FAILED),
        (Outcome.MISCONFIGURED, TaskEnd.FAILED),
        (Outcome.UNAVAILABLE, TaskEnd.UNKNOWN),
    ],
)
async def test_other_adapters_of_protections_perform_tasks_too(tmp_path, outcome, end):
    adapter = Adapter(outcome)
    tasks = TaskRunner(tmp_path, {"http": adapter})
    result = await run(tasks, TaskDefinition("notify", "http", "organization", {"url": "http://x"}))
    assert (result.end, result.reason) == (end, "said so")
    assert adapter.given[1].options == {"url": "http://x"}


async def test_an_adapter_that_is_not_installed_is_named(tasks):
    result = await run(tasks, TaskDefinition("notify", "carrier-pigeon", "organization"))
    assert (result.end, result.reason) == (
        TaskEnd.FAILED,
        'adapter "carrier-pigeon" does not exist: install it or correct the name',
    )
