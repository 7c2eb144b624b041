"""Kill -9 of the engine at every failpoint and at random instants of each phase; of the supervisor, and of both; during a check.

After each kill the next engine goes on by itself: no replica is started twice, no signal that was answered is lost, each decision
is told once, and the address answers all along (but where its own process is killed).
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.life import AFTER, APPROVAL, BACK, BEFORE, DEPLOYMENT, WEB, CrashingMachine, Hold, Life
from tests.e2e.machine import Machine, copy_app
from tests.e2e.shop import configure
from tests.support.eventually import wait_until
from tests.support.marks import some_nightly
from tests.support.processes import words_of

pytestmark = pytest.mark.slow

SEED = 20_240_611
KILLS, MANY_KILLS = 4, 20
"""In each phase, for every change and nightly."""
LONGEST = {APPROVAL: 0.4, BEFORE: 0.5, DEPLOYMENT: 0.7, AFTER: 0.6, BACK: 0.8}
"""Seconds after which the kill comes at the latest: about as long as what happens in the phase takes."""
COMMITS = (1, 2, 4, 8, 12)
OPERATIONS = ("Apply:1", "RunCheck:1", "RunCheck:3")


@contextmanager
def living(root: Path, *, clients: bool) -> Iterator[Life]:
    """One machine for many tests: nothing that a crash leaves behind may matter to the next release."""
    machine = CrashingMachine(root)
    life = Life(machine, clients=clients)
    try:
        copy_app(machine)
        life.begin()
        yield life
    finally:
        life.end()
        machine.close()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """With clients that must always get an answer."""
    with living(tmp_path_factory.mktemp("crashes"), clients=True) as made:
        yield made


@pytest.fixture(scope="module")
def quiet_life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Without."""
    with living(tmp_path_factory.mktemp("crashes"), clients=False) as made:
        yield made


FAILPOINTS = [
    *(f"{name}:{count}" for name in ("before-commit", "after-commit") for count in COMMITS),
    *(
        f"{name}/{operation}"
        for name in ("before-perform", "after-perform", "before-result", "after-result")
        for operation in OPERATIONS
    ),
]
OFTEN = {failpoint for failpoint in FAILPOINTS if failpoint.endswith((":1", ":4", ":12"))}


@pytest.mark.parametrize("failpoint", some_nightly(FAILPOINTS, OFTEN))
def test_an_engine_killed_at_a_failpoint_is_resumed(life: Life, failpoint: str) -> None:
    before = life.kills
    life.machine.kill()
    life.machine.start(SETPOINT_FAILPOINT=failpoint)
    life.release()
    life.finish()
    assert life.kills == before + 1, "the failpoint was never reached"


@pytest.mark.parametrize(
    "failpoint", [f"{name}/Apply:2" for name in ("before-perform", "after-perform", "before-result", "after-result")]
)
def test_an_engine_killed_at_a_failpoint_of_a_rollback_is_resumed(life: Life, failpoint: str) -> None:
    before = life.kills
    life.machine.kill()
    life.machine.start(SETPOINT_FAILPOINT=failpoint)
    life.release()
    life.finish(back=True)
    assert life.kills == before + 1, "the failpoint was never reached"


@pytest.mark.parametrize("kills", some_nightly((KILLS, MANY_KILLS), (KILLS,)))
@pytest.mark.parametrize("phase", [APPROVAL, BEFORE, DEPLOYMENT, AFTER, BACK])
def test_an_engine_killed_at_random_instants_of_a_phase_is_resumed(life: Life, phase: str, kills: int) -> None:
    life.random.seed(f"{SEED}/{phase}")
    hit = 0
    while hit < kills:
        life.release()
        life.go_to(phase)
        for _ in range(5):
            hit += _crash_in(life, phase)
            if hit == kills or life.phase() != phase:
                break
        life.finish(back=phase is BACK)


def _crash_in(life: Life, phase: str) -> bool:
    """Kill at a random instant, with a signal on its way; whether the phase was still under way then."""
    wait = life.random.uniform(0, LONGEST[phase])
    hold = Hold(life, life.random.uniform(0, wait))
    time.sleep(wait)
    at = time.time()
    life.crash()
    hold.check()
    hit = at < life.left(phase)
    print(f"{phase} of {life.version}: killed after {wait:.3f} s, {'under way' if hit else 'too late'}")  # shown when it fails
    return hit


def test_every_signal_is_there_after_a_kill_that_follows_its_answer(life: Life) -> None:
    row = life.machine.row
    life.release()
    life.crash()
    assert row(WEB)["desired"]["version"] == life.version
    life.go_to(APPROVAL)
    life.tell("hold", target=WEB, why="a signal to keep")
    life.crash()
    assert row(WEB)["held_by"]
    life.tell("resume", target=WEB, why="the hold is over")
    life.crash()
    assert not row(WEB)["held_by"]
    life.approve()
    life.crash()
    life.reach(BEFORE)
    life.tell("skip", target=WEB, gate="ready", why="a gate to skip")
    life.crash()
    life.finish(ready=False)
    life.tell("pin", target=WEB, version=life.version, why="a version to keep")
    life.crash()
    assert row(WEB)["pinned"] == life.version
    life.tell("unpin", target=WEB, why="the pin is over")
    life.crash()
    assert not row(WEB)["pinned"]
    life.nothing_lost()


def _supervisors(machine: Machine) -> tuple[int, int]:
    """The guardian and the supervisor."""
    found = {each.pid: each for each in machine.processes() if "setpoint.runtimes.process.supervisor" in words_of(each)}
    (supervisor,) = (pid for pid, each in found.items() if each.ppid() in found)
    return found[supervisor].ppid(), supervisor


@pytest.mark.parametrize("engine", [False, True], ids=["", "and engine"])
@pytest.mark.parametrize("guardian", [False, True], ids=["supervisor", "supervisor and guardian"])
def test_a_rolling_replacement_goes_on_when_its_supervisor_is_killed(quiet_life: Life, guardian: bool, engine: bool) -> None:
    life = quiet_life
    life.random.seed(f"{SEED}/{guardian}/{engine}")
    for _ in range(2):
        life.release()
        life.go_to(DEPLOYMENT)
        time.sleep(life.random.uniform(0, 1))
        guarding, supervising = _supervisors(life.machine)
        for pid in ([guarding] if guardian else []) + [supervising]:
            os.kill(pid, signal.SIGKILL)
        if engine:
            life.crash()
        life.finish()


PROGRAM = """
import os, sys, time
from pathlib import Path
with Path(sys.argv[1], "began").open("a") as began:
    began.write(f"{os.getpid()}\\n")
if os.fork() == 0:
    os.setsid()
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.02)
"""


def test_a_check_whose_engine_is_killed_leaves_nothing_behind_and_is_run_again(machine: Machine) -> None:
    program = machine.root / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    command = f"[{sys.executable}, {program}, {machine.root}]"
    machine.up()
    configure(
        machine,
        "kind: Application\nname: shop\nchannels: [{name: staging, protections: [long]}]\n",
        f"---\nkind: Protection\nname: long\nprogram: {{command: {command}}}\ninterval: 300ms\ntimeout: 60s\n",
    )
    machine.release("web=1.0.0")
    wait_until(lambda: len(_running(machine, program)) == 2, 20, "the check never began")
    machine.kill()
    wait_until(lambda: not _running(machine, program), 10, "orphans of the check live on")
    assert len((machine.root / "began").read_text().split()) == 1
    machine.up()
    wait_until(lambda: len(_running(machine, program)) == 2, 20, "the check was not run again")
    assert len((machine.root / "began").read_text().split()) == 2
    (machine.root / "go").touch()
    machine.settles("shop/web@staging", "1.0.0")


def _running(machine: Machine, program: Path) -> list[int]:
    return [each.pid for each in machine.processes() if words_of(each)[1:2] == [str(program)]]
