"""Each mutant in a fork of a process that has collected the tests: those that reach it are asked first, then simulated worlds."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pickle
import resource
import select
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.mutation import swapping
from tests.mutation.operators import Mutant
from tests.mutation.reach import Reached, choose, reached

from setpoint.simulate import search

NOBODY = ""
TIME = "time"
"""Who caught a mutant that does not come to an end."""
CONTRADICTION = "invalid"
"""Not a mutant at all: the change cannot be compiled or exchanged."""


@dataclass(frozen=True)
class Bounds:
    """How long one mutant may take. Processor time, so that a busy machine catches none by itself."""

    seeds: int = 20
    """Simulated worlds for those that no test notices."""
    seconds: int = 20
    """Beside ten times what its tests take; a mutant that takes longer is caught."""
    memory: int = 4 << 30


class Told(Protocol):
    """Who is told what became of each mutant."""

    def __call__(self, mutant: Mutant, by: str) -> None:
        """``by``: see Result."""


class Hunt:
    """A pytest plugin that runs mutants instead of tests."""

    def __init__(
        self,
        folder: Path,
        package: str,
        mutants: list[Mutant],
        survived: dict[str, tuple[set[str], int]],
        told: Told,
        bounds: Bounds,
        jobs: int,
    ) -> None:
        self.folder, self.package, self.mutants, self.survived, self.told = folder, package, mutants, survived, told
        self.bounds, self.jobs = bounds, jobs
        self.sources = {mutant.file: (folder / mutant.file).read_bytes() for mutant in mutants}
        self.problem = ""
        self.killers: dict[str, Counter[str]] = defaultdict(Counter)
        """File -> tests that noticed mutants of it: they are asked first."""

    def pytest_configure(self) -> None:
        _quiet_hypothesis()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            self.problem = "the tests cannot be collected"
            return True
        reach = _reach(session, {str(self.folder / name): name for name in self.sources})
        if isinstance(reach, str):
            self.problem = f"{reach} fails without any mutant"
            return True
        gc.collect()
        gc.freeze()
        self._all(session, reach)
        return True

    def _all(self, session: pytest.Session, reach: list[Reached]) -> None:
        took = {each.test: each.seconds for each in reach}
        waiting, running = list(reversed(self.mutants)), list[_Child]()
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    mutant = waiting.pop()
                    tests = self._to_ask(mutant, choose(reach, mutant.file, mutant.lines))
                    limit = self.bounds.seconds + int(10 * sum(took[test] for test in tests))
                    running.append(_Child(mutant, partial(self._one, session, mutant, tests), limit, self.bounds.memory))
                for child in _ended(running):
                    running.remove(child)
                    by = child.answer()
                    self.killers[child.mutant.file][by] += 1
                    self.told(child.mutant, by)
        finally:
            for child in running:
                child.kill()

    def _to_ask(self, mutant: Mutant, tests: list[str]) -> list[str]:
        """Not those that it has survived; those first that noticed others in its file."""
        survived, _ = self.survived[mutant.key]
        counts = self.killers[mutant.file]
        return sorted((test for test in tests if test.partition("::")[0] not in survived), key=lambda test: -counts[_name(test)])

    def _one(self, session: pytest.Session, mutant: Mutant, tests: list[str]) -> str:
        """In the child: who notices this mutant."""
        try:
            self._become(mutant)
        except (SyntaxError, LookupError, ValueError):
            return CONTRADICTION
        gc.disable()
        items = {item.nodeid: item for item in session.items}
        for test in tests:
            if not _passes(session, items[test]):
                return _name(test)
        for seed in range(self.survived[mutant.key][1], self.bounds.seeds):
            if not _survives(seed):
                return f"seed {seed}"
        return NOBODY

    def _become(self, mutant: Mutant) -> None:
        name = ".".join((self.package, *Path(mutant.file).with_suffix("").parts)).removesuffix(".__init__")
        swapping.swap(importlib.import_module(name), mutant.function, mutant.applied(self.sources[mutant.file]))
        swapping.forget_answers(self.package.partition(".")[0])


def _name(test: str) -> str:
    return test.rpartition("::")[2]


def _passes(session: pytest.Session, item: pytest.Item) -> bool:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return not session.testsfailed


def _survives(seed: int) -> bool:
    try:
        return not search.one(seed).broken
    except Exception:
        return False


def _reach(session: pytest.Session, files: dict[str, str]) -> list[Reached] | str:
    """What each test reaches, found out in a child so that every item is still fresh; or the test that fails."""

    def all_of_them() -> list[Reached] | str:
        found = []
        for item in session.items:
            found.append(reached(item.nodeid, files, partial(_passes, session, item)))
            if session.testsfailed:
                return item.nodeid
        return found

    reading, child = _fork(lambda: pickle.dumps(all_of_them()))
    with os.fdopen(reading, "rb") as answer:
        data = answer.read()
    os.waitpid(child, 0)
    return pickle.loads(data) if data else "the process that runs the tests"


def _fork(work: Callable[[], bytes], limit: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Do some work in a child; its answer can be read from the descriptor."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    code = 1
    try:
        os.close(reading)
        _silence()
        limit()
        data = work()
        with os.fdopen(writing, "wb") as answer:
            answer.write(data)
        code = 0
    finally:
        os._exit(code)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Child:
    """One mutant in a process of its own."""

    def __init__(self, mutant: Mutant, work: Callable[[], str], seconds: int, memory: int) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        self.mutant = mutant
        self.deadline = time.monotonic() + 20 * seconds
        self.reading, self.pid = _fork(lambda: json.dumps(work()).encode(), limit)

    def answer(self) -> str:
        """Who noticed; a child without an answer took too long, or died of the mutant."""
        with os.fdopen(self.reading, "rb") as file:
            data = file.read()
        _, status = os.waitpid(self.pid, 0)
        if data:
            return str(json.loads(data))
        return TIME if os.WIFSIGNALED(status) else "death"

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _ended(running: list[_Child]) -> Iterator[_Child]:
    """Those whose end can be read; one that sleeps past its time is killed."""
    ready, _, _ = select.select([child.reading for child in running], [], [], 5)
    for child in list(running):
        if child.reading in ready:
            yield child
        elif time.monotonic() > child.deadline:
            child.kill()


def hunt(plugin: Hunt, tests: list[str], root: Path) -> int:
    """Collect the tests once and let the plugin run its mutants. Returns what pytest does."""
    options: list[Any] = ["-q", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
    with contextlib.redirect_stdout(sys.stderr):
        return int(pytest.main([*options, f"--rootdir={root}", *tests], plugins=[plugin]))


def _quiet_hypothesis() -> None:
    """The same examples for every mutant, and none made smaller: it only matters whether one fails."""
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=40,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")
