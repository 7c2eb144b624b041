"""Protections that are missing, hang, fork, ignore SIGTERM or print a gigabyte cost their own gates a reason, and nobody else."""

from __future__ import annotations

import sys
import threading
import time
from typing import Self

import psutil
import pytest
from tests.e2e.machine import Machine
from tests.e2e.shop import configure
from tests.support.eventually import wait_until
from tests.support.processes import words_of

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
HANGS = "import time\nprint('asking a database that does not answer', flush=True)\ntime.sleep(1000)\n"
DAEMONS = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
print("four daemons started", flush=True)
os._exit(1)
"""
DEAF = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("I end when I like", flush=True)
time.sleep(1000)
"""
LOUD = """
import os, time
block = (b"x" * 99 + b"\\n") * 10_000
for number in range(1_024):
    os.write(1, block)
os.write(1, b"that was a gigabyte\\n")
os._exit(1)
"""
PROGRAMS = {"hangs": HANGS, "daemons": DAEMONS, "deaf": DEAF, "loud": LOUD}
REASONS = {
    "missing": "missing could not run (misconfigured): no-such-check in the configuration not found: look for it on PATH",
    "hangs": "hangs could not run (unavailable): timed out after 3s and was ended; its last line: asking a database",
    "daemons": "check `daemons` failed: four daemons started",
    "deaf": "deaf could not run (unavailable): timed out after 3s and was ended; its last line: I end when I like",
    "loud": "check `loud` failed: that was a gigabyte",
}


def bad(machine: Machine, name: str, *, timeout: str = "3s", interval: str = "500ms") -> str:
    """A protection that behaves as its name says."""
    command = "[no-such-check]"
    if name in PROGRAMS:
        path = machine.root / "bad" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROGRAMS[name])
        command = f"[{sys.executable}, {path}]"
    return f"---\nkind: Protection\nname: {name}\nprogram: {{command: {command}}}\ninterval: {interval}\ntimeout: {timeout}\n"


def channels(*names: str) -> str:
    """One channel for each protection, named after it, and one without, called fine."""
    listed = ", ".join(f"{{name: {name}, protections: [{name}]}}" for name in names)
    return f"kind: Application\nname: shop\nchannels: [{listed}, {{name: fine}}]\n"


def of_checks(machine: Machine) -> list[psutil.Process]:
    """Living processes of the bad programs, whatever they became."""
    where = str(machine.root / "bad")
    return [process for process in machine.processes() if where in " ".join(words_of(process))]


def seconds_to_deploy(machine: Machine, version: str) -> float:
    """Of one release to the channel that has no protection."""
    start = time.monotonic()
    machine.release(f"web={version}", to="fine")
    machine.settles("shop/web@fine", version)
    return time.monotonic() - start


def test_bad_protections_cost_their_own_gates_a_reason_and_nobody_else_anything(machine: Machine) -> None:
    machine.up()
    names = [name for name in REASONS if name != "loud"]
    configure(machine, channels(*names), *(bad(machine, name) for name in names))
    alone = seconds_to_deploy(machine, "1.0.0")
    machine.release("web=2.0.0", to=names[0])
    for name in names[1:]:
        machine.release("web=2.0.0", to=name)
    wait_until(lambda: len(of_checks(machine)) >= 2, 20, "the bad checks do not run")
    beside = seconds_to_deploy(machine, "2.0.0")
    for name in names:
        machine.waits(f"shop/web@{name}", REASONS[name])
        assert not machine.replicas(f"shop/web@{name}")
    again = seconds_to_deploy(machine, "3.0.0")
    print(f"deployed in {alone:.1f} s alone, in {beside:.1f} s and {again:.1f} s beside {len(names)} bad protections")
    assert max(beside, again) < 2 * alone + 3
    configure(
        machine, f"kind: Application\nname: shop\nchannels: [{', '.join(f'{{name: {name}}}' for name in [*names, 'fine'])}]\n"
    )
    for name in names:
        machine.settles(f"shop/web@{name}", "2.0.0")
    wait_until(lambda: not of_checks(machine), 15, lambda: f"left: {[words_of(each) for each in of_checks(machine)]}", 0.2)


class Rss:
    """The highest resident memory of a process while the body runs, and what it was before (bytes)."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)

    @property
    def growth(self) -> float:
        """In megabytes."""
        return (self.peak - self.before) / MEGABYTE


def test_a_gigabyte_of_output_grows_the_engine_by_little_and_delays_nobody(machine: Machine) -> None:
    machine.up()
    configure(machine, channels("loud"), bad(machine, "loud", timeout="40s", interval="2s"))
    alone = seconds_to_deploy(machine, "1.0.0")
    assert machine.engine is not None
    with Rss(machine.engine.pid) as rss:
        start = time.monotonic()
        machine.release("web=2.0.0", to="loud")
        wait_until(lambda: of_checks(machine), 10, "it does not run")
        beside = seconds_to_deploy(machine, "2.0.0")
        machine.waits("shop/web@loud", REASONS["loud"])
        took = time.monotonic() - start
    print(f"1 GB in {took:.1f} s: the engine grew by {rss.growth:.1f} MB from {rss.before / MEGABYTE:.0f} MB")
    print(f"deployed in {alone:.1f} s alone, in {beside:.1f} s beside it")
    assert rss.growth <= 50
    assert beside < 2 * alone + 3
    assert not machine.replicas("shop/web@loud")


def test_checks_under_way_end_with_an_engine_that_is_killed_and_run_again_with_the_next(machine: Machine) -> None:
    machine.up()
    configure(machine, channels("hangs", "deaf"), bad(machine, "hangs"), bad(machine, "deaf"))
    machine.release("web=1.0.0")
    wait_until(lambda: len(of_checks(machine)) == 2, 20, "the checks do not run")
    machine.kill()
    wait_until(lambda: not of_checks(machine), 10, lambda: f"left: {[words_of(each) for each in of_checks(machine)]}", 0.1)
    machine.up()
    machine.waits("shop/web@hangs", REASONS["hangs"])
    machine.waits("shop/web@deaf", REASONS["deaf"])
    machine.settles("shop/web@fine", "1.0.0")
