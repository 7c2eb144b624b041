"""Kill -9 of the engine while two services move as one, with a task before them: both move or neither, and the task is done.

Setpoint's promise for tasks is *at least once*: a try whose end nobody saw is run again, but never two at a time.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.e2e.life import CrashingMachine
from tests.e2e.machine import copy_app
from tests.e2e.pair import MEMBERS, SERVICES, Pair
from tests.support.eventually import wait_until
from tests.support.marks import some_nightly
from tests.support.processes import words_of

pytestmark = pytest.mark.slow

POINTS = ("before-perform", "after-perform", "before-result", "after-result")
KNOWN = {
    "RunTask:1": {"after-result": 1},
    "RunTask:2": {"before-result": 1, "after-result": 2},
    "Apply:1": dict.fromkeys(POINTS, 2),
    "Apply:2": dict.fromkeys(POINTS, 2),
}
"""How many tasks are known to have ended at a point."""

MIGRATION = """
import fcntl, os, pathlib, sys, time

diary, version, service = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def note(word):
    with open(diary, "a") as file:
        file.write(f"{word} {service} {version}\\n")

lock = os.open(diary.with_suffix(f".{service}"), os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    note("overlaps")
note("begins")
while not diary.with_suffix(".go").exists():
    time.sleep(0.02)
time.sleep(0.2)
note("ends")
"""
CONFIGURATION = """
kind: Application
name: shop
together: [[web, worker]]
channels: [{name: staging, tasks: [migrate]}]
---
kind: Task
name: migrate
program: {command: [PYTHON, ROOT/migrate.py, ROOT/diary, "${version}", "${service.name}"]}
once: false
---
kind: Protection
name: fine
program: {command: [test, -e, ROOT/fine]}
interval: 200ms
---
kind: Service
application: shop
name: web
process: {command: [PYTHON, web.py, --version, "${version}"], directory: app, health: {http: /healthz, interval: 200ms}}
---
kind: Service
application: shop
name: worker
process: {command: [PYTHON, web.py, --version, "${version}"], directory: app, health: {http: /healthz, interval: 200ms}}
protections: [{use: fine, at: {post-deployment: {for: 500ms}}}]
---
kind: Runtime
name: local
local: {}
poll: {moving: 200ms, settled: 2s}
grace: 2s
"""


class Set(Pair):
    """They move as one, and a task runs before each."""

    def __init__(self, machine: CrashingMachine) -> None:
        super().__init__(machine)
        self.good = ""
        self.fine = machine.root / "fine"
        self.diary = machine.root / "diary"
        self.go = machine.root / "diary.go"

    def task(self, service: str) -> Counter[str]:
        """How often the task of the newest release at a service ``begins``, ``ends``, ``overlaps``."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return Counter(line.split()[0] for line in lines if line.split()[1:] == [service, self.version])

    def tasks_alive(self) -> bool:
        """Whether a program of the task runs."""
        return any(str(self.diary) in words_of(process) for process in self.machine.processes())

    def moves(self) -> None:
        """Both end at the newest release, each told so once."""
        for member in MEMBERS:
            self.machine.settles(member, self.version)
            self.machine.runs(member, self.version, 1)
            self.story_has(member, {"attempt-started": 1, "target-moved": 1, "finalized": 1, "rolling-back": 0, "failed": 0})
        self.good = self.version

    def goes_back(self) -> None:
        """Both end at what they ran before, each told so once."""
        for member in MEMBERS:
            wait_until(lambda m=member: self._rolled_back(m), 30, lambda m=member: self.machine.story(m))  # type: ignore[misc]  # mypy infers no lambda that has defaults
            self.machine.runs(member, self.good, 1)
            assert self.machine.target(member) == self.machine.good(member) == self.good
            self.story_has(member, {"attempt-started": 1, "target-moved": 1, "finalized": 0, "rolling-back": 1, "rolled-back": 1})

    def _rolled_back(self, member: str) -> bool:
        return any(line["kind"] == "rolled-back" for line in self.lines(member))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    """One for many tests: nothing that a crash leaves behind may matter to the next release."""
    root = tmp_path_factory.mktemp("pair")
    machine = CrashingMachine(root)
    try:
        copy_app(machine)
        (root / "migrate.py").write_text(textwrap.dedent(MIGRATION))
        made = Set(machine)
        made.fine.touch()
        made.go.touch()
        machine.up()
        made.configure(CONFIGURATION)
        made.release()
        made.moves()
        yield made
    finally:
        machine.close()


@pytest.mark.parametrize("which", some_nightly(KNOWN, ("RunTask:1", "Apply:1")))
@pytest.mark.parametrize("point", POINTS)
def test_a_set_whose_engine_is_killed_moves_as_one(pair: Set, point: str, which: str) -> None:
    pair.release(failpoint=f"{point}/{which}")
    pair.moves()
    tasks = [pair.task(service) for service in SERVICES]
    for task in tasks:
        assert task["overlaps"] == 0
        assert 1 <= task["ends"] <= task["begins"] <= 2
    assert sum(task["begins"] == 1 for task in tasks) >= KNOWN[which].get(point, 0), "one whose end is known is run again"


@pytest.mark.parametrize("which", some_nightly(("Apply:3", "Apply:4"), ("Apply:3",)))
@pytest.mark.parametrize("point", POINTS)
def test_a_set_whose_engine_is_killed_goes_back_as_one(pair: Set, point: str, which: str) -> None:
    pair.fine.unlink()
    try:
        pair.release(failpoint=f"{point}/{which}")
        pair.goes_back()
    finally:
        pair.fine.touch()


def test_a_task_whose_engine_is_killed_ends_with_it_and_is_run_again(pair: Set) -> None:
    _killed_in_the_tasks(pair)
    pair.moves()
    for service in SERVICES:
        assert pair.task(service) == {"begins": 2, "ends": 1}


def test_a_task_that_must_never_run_twice_asks_a_person_after_a_kill(pair: Set) -> None:
    pair.configure(CONFIGURATION.replace("once: false", "once: true"))
    _killed_in_the_tasks(pair)
    for member in MEMBERS:
        pair.machine.waits(member, "it must not run twice")
        pair.machine.do("retry", target=member, succeeded=True, why="it was done by hand")
    pair.moves()
    for service in SERVICES:
        assert pair.task(service) == {"begins": 1}


def _killed_in_the_tasks(pair: Set) -> None:
    pair.go.unlink()
    try:
        pair.release()
        for service in SERVICES:
            wait_until(lambda of=service: pair.task(of)["begins"], 20, "the task never began", 0.02)  # type: ignore[misc]  # mypy infers no lambda that has defaults
        pair.machine.kill()
        wait_until(lambda: not pair.tasks_alive(), 20, "a task outlives its engine")
    finally:
        pair.go.touch()
    pair.machine.up()
