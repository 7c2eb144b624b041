"""Tasks: what is run once in an attempt, for whom, and which checks wait for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import difference
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.policy import Phase, Policy, TaskUse

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
MIGRATE = """
---
kind: Task
name: migrate
program: {command: [alembic, upgrade, "${with.to}"], env: {WHERE: "${channel.name}"}}
parameters: {to: {required: true}}
with: {to: head}
"""


def policy(configure: Configure, text: str) -> Policy:
    return configure(text + MIGRATE).policy("shop/web@staging")


def the_task(configure: Configure, text: str) -> TaskUse:
    (found,) = policy(configure, text).tasks
    return found


def test_a_task_on_a_service_runs_once_for_each_instance_before_the_deployment(configure: Configure, shop: str) -> None:
    task = the_task(configure, shop + "tasks: migrate")
    assert (task.name, task.phase, task.retries, task.on_fail, task.key) == ("migrate", Phase.PRE_DEPLOYMENT, 3, "wait", "")
    assert task.task.subject == "instance:shop/web@staging"
    assert task.task.options["command"] == ["alembic", "upgrade", "head"]
    assert task.task.env["WHERE"] == "staging"
    assert (task.task.timeout, task.task.once, task.task.irreversible) == (600_000, False, False)


def test_what_looks_up_the_version_is_of_the_attempt(configure: Configure, shop: str) -> None:
    task = the_task(configure, shop + 'tasks: [{use: migrate, with: {to: "${version}"}}]').task
    assert task.subject == "attempt:shop/web@staging"
    assert task.options["command"] == ["alembic", "upgrade", "${version}"]


def test_a_task_of_a_channel_is_shared_by_everything_in_it(configure: Configure, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging, tasks: [migrate]}")
    assert the_task(configure, text).key == "channel:shop/staging"


def test_a_key_says_who_shares_a_run_and_may_speak_of_the_attempt(configure: Configure, shop: str) -> None:
    task = the_task(configure, shop + 'tasks: [{use: migrate, key: "${application.name}-${version}"}]')
    assert task.key == "shop-${version}"


@pytest.mark.parametrize("phase", ["deployment", "post-deployment"])
def test_from_the_deployment_on_a_task_that_fails_fails_the_attempt(configure: Configure, shop: str, phase: str) -> None:
    task = the_task(configure, shop + f"tasks: [{{use: migrate, at: {phase}, retries: 0}}]")
    assert (task.on_fail, task.retries) == ("fail", 0)


def test_tasks_run_in_the_order_of_their_nodes_and_as_written(configure: Configure, shop: str) -> None:
    text = shop.replace(
        "channels: [{name: staging}", "tasks: {use: migrate, per: instance}\nchannels: [{name: staging, tasks: migrate}"
    )
    names = [task.name for task in policy(configure, text + "tasks: [{use: migrate, name: last}, migrate]").tasks]
    assert names == ["migrate", "migrate.channel", "last"]  # the last one is the first one again


def test_a_check_may_wait_for_a_task_of_its_phase(configure: Configure, shop: str) -> None:
    text = shop + "tasks: migrate\nprotections: [{use: always, after: migrate, at: [pre-deployment, deployment]}, "
    checks = policy(configure, text + "{use: always, name: before}]").checks
    assert [(check.name, check.phase, check.after) for check in checks] == [
        ("always", "pre-deployment", "migrate"),
        ("always", "deployment", ""),
        ("before", "pre-deployment", ""),
    ]


def test_a_check_waits_for_the_task_of_its_own_node_first(configure: Configure, shop: str) -> None:
    text = shop.replace(
        "channels: [", "protections: [{use: always, after: migrate}]\ntasks: {use: migrate, per: channel}\nchannels: ["
    )
    checks = policy(configure, text + "tasks: migrate\nprotections: [{use: always, name: own, after: migrate}]").checks
    assert {check.name: check.after for check in checks} == {"always": "migrate.service", "own": "migrate.service"}


def test_a_task_that_never_applies_is_not_waited_for(configure: Configure, shop: str) -> None:
    text = shop + "tasks: [{use: migrate, when: channel=production}]\nprotections: [{use: always, after: migrate}]"
    found = policy(configure, text)
    assert found.tasks == ()
    assert found.checks[0].after == ""


def test_the_list_of_tasks_merges_by_name(configure: Configure, shop: str) -> None:
    text = shop + "tasks: migrate\nperChannel: {staging: {tasks: [{name: migrate, retries: 9}]}}"
    assert the_task(configure, text).retries == 9
    gone = shop + "tasks: migrate\nperChannel: {staging: {tasks: [{name: migrate, remove: true}]}}"
    assert policy(configure, gone).tasks == ()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('with: {to: "${channel.nme}"}', "`${channel.nme}` is not defined"),
        ('key: "${service.label}"', "`${service.label}` is not defined"),
    ],
)
def test_what_a_task_looks_up_must_be_there(mistakes: Mistakes, shop: str, field: str, message: str) -> None:
    (problem,) = mistakes(f"{shop}tasks: [{{use: migrate, {field}}}]{MIGRATE}")
    assert message in problem.message


def test_a_task_that_comes_is_one_line_of_the_difference(configure: Configure, shop: str) -> None:
    changes = difference(configure(shop + MIGRATE), configure(shop + "tasks: migrate" + MIGRATE))
    assert [(change.what, change.path, change.new) for change in changes if change.instance == "shop/web@staging"] == [
        ("policy", "tasks.migrate@pre-deployment", "instance:shop/web@staging")
    ]


def test_a_program_and_a_process_have_the_user_that_is_written(configure: Configure, shop: str) -> None:
    text = shop.replace("process: {", "process: {user: web, ") + "tasks: migrate\nprotections: checked\n"
    text += "perChannel: {production: {process: {user: web.live}}}\n"
    checked = "\n---\nkind: Protection\nname: checked\nprogram: {command: [/bin/true], user: probe, mutable: true}\n"
    configuration = configure(text + MIGRATE.replace("program: {", "program: {user: db_1, ") + checked)
    policy = configuration.policy("shop/web@staging")
    assert (policy.tasks[0].task.options["user"], policy.checks[0].check.options["user"]) == ("db_1", "probe")
    assert not any(
        "user" in one.task.options for one in configure(shop + "tasks: migrate" + MIGRATE).policy("shop/web@staging").tasks
    )
    users = {at: configuration.compile(f"shop/web@{at}", "1", {}).workload.options["user"] for at in ("staging", "production")}
    assert users == {"staging": "web", "production": "web.live"}
