"""From inside of what was deployed: the data directory, the processes of the engine and their sockets are closed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import httpx2
import pytest
from tests.e2e.machine import Machine, copy_app
from tests.e2e.shop import FAST
from tests.runtimes.helpers import supervision_of
from tests.support.users import PYTHON, USER, needs_users, open_place

pytestmark = pytest.mark.slow

SHOP = """
kind: Application
name: shop
channels: [{name: staging}]
---
kind: Service
application: shop
name: web
process: {command: [PYTHON, inside.py], directory: app, health: {http: /}USER}
"""


class Reached(AssertionError):  # noqa: N818 - a test fails by it
    """Attempts that should have been refused."""


SAME_USER = pytest.mark.xfail(strict=True, raises=Reached, reason="without `user` a version runs as the Unix user of the engine")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Its data directory lies where other users come near."""
    with open_place() as place:
        made = Machine(place)
        copy_app(made)
        try:
            yield made
        finally:
            made.close()


def deployed(machine: Machine, user: str, *more: str) -> None:
    machine.up()
    text = SHOP.replace("PYTHON", PYTHON if user else sys.executable).replace("USER", f", user: {user}" if user else "")
    machine.write(text + FAST + "".join(more))
    machine.apply()
    machine.release("web=1.0.0")
    machine.settles("shop/web@staging", "1.0.0")


def attempts(machine: Machine) -> list[tuple[str, str]]:
    """Everything that would make a version an administrator."""
    assert machine.engine is not None
    home, local = machine.home, machine.home / "runtimes" / "local"
    guardian, supervisor = supervision_of(home)
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    assert {"admin.token", "server.json", "engine.lock", "supervisor.log"} <= {path.name for path in files}
    assert any(path.name.endswith(".db") for path in files)
    pids = (machine.engine.pid, supervisor.pid, guardian.pid)
    return [
        *(("list", str(path)) for path in (home, local, local / "logs", local / "instances")),
        *(("read", str(path)) for path in files),
        *(("write", str(path)) for path in (home, local, home.with_name("home.users"), home.parent)),
        ("connect", str(local / "supervisor.sock")),
        *((kind, f"/proc/{pid}/{what}") for pid in pids for kind, what in (("read", "environ"), ("list", "fd"), ("read", "mem"))),
        *(("signal", str(pid)) for pid in pids),
        ("request", json.loads((home / "server.json").read_text())["url"] + "/queries/status"),
    ]


def assert_closed(tried: list[tuple[str, str]], came_of: list[str]) -> None:
    assert len(came_of) == len(tried) > 20
    found = [f"{kind} {target}" for (kind, target), how in zip(tried, came_of, strict=True) if how == "open"]
    if found:
        raise Reached(found)


@pytest.mark.parametrize(
    "user", [pytest.param("", marks=SAME_USER), pytest.param(USER, marks=needs_users)], ids=["same", "other"]
)
def test_a_version_cannot_become_an_administrator(machine: Machine, user: str) -> None:
    deployed(machine, user)
    tried = attempts(machine)
    response = httpx2.post(machine.address("shop/web@staging"), json=tried, timeout=20, trust_env=False)
    assert_closed(tried, response.json())


@needs_users
def test_a_check_of_another_user_cannot_either(machine: Machine) -> None:
    deployed(machine, USER)
    tried = attempts(machine)
    program = json.dumps({"command": [PYTHON, "app/inside.py", json.dumps(tried)], "user": USER})
    checked = (machine.config / "setpoint.yaml").read_text().replace("{name: staging}", "{name: staging, protections: inside}")
    machine.write(f"{checked}---\nkind: Protection\nname: inside\nprogram: {program}\n")
    machine.apply()
    answer = json.loads(machine.cli("check", "inside", "--for", "shop/web@staging", "--output", "json"))
    assert_closed(tried, json.loads(answer["output"]))


@needs_users
def test_a_user_that_is_not_there_fails_the_deployment_with_the_reason(machine: Machine) -> None:
    machine.up()
    machine.write(SHOP.replace("PYTHON", PYTHON).replace("USER", ", user: no-such-user") + FAST)
    machine.apply()
    machine.release("web=1.0.0")
    machine.waits(
        "shop/web@staging", 'the user "no-such-user" does not exist on this machine: create the user, or correct `user`'
    )
