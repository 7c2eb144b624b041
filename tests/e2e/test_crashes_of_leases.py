"""Kill -9 of the engine while two services want the one lease of their channel: never two at once, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.life import CrashingMachine
from tests.e2e.machine import copy_app
from tests.e2e.pair import MEMBERS, Pair
from tests.support.marks import some_nightly

pytestmark = pytest.mark.slow

CONFIGURATION = """
kind: Application
name: shop
channels: [{name: staging, limits: {maxConcurrent: 1}}]
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
---
kind: Runtime
name: local
local: {}
poll: {moving: 200ms, settled: 2s}
grace: 2s
"""
COMMITS = (3, 4, 5, 6, 7, 8)
"""Transactions until the engine dies: three or four come before the release, the second is through with the eleventh."""


class Rivals(Pair):
    """Only one of them deploys at a time."""

    def both_arrive(self) -> None:
        """One after the other, each told so once."""
        for member in MEMBERS:
            self.machine.settles(member, self.version)
            self.machine.runs(member, self.version, 1)
            self.story_has(member, {"attempt-started": 1, "target-moved": 1, "finalized": 1, "rolling-back": 0, "failed": 0})
        (_, first_left), (second_began, _) = sorted(self._deployed(member) for member in MEMBERS)
        assert first_left <= second_began, "both deployed at once"

    def _deployed(self, member: str) -> tuple[int, int]:
        """From when to when, in milliseconds: a lease is held until the rollout leaves deployment."""
        lines = self.lines(member)
        began = next(line["at"] for line in lines if line["kind"] == "target-moved")
        left = next(line["at"] for line in lines if line["kind"] in {"phase-entered", "finalized"} and line["at"] > began)
        return began, left


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rivals]:
    """One for many tests: a lease that a crash leaves behind would keep the next release from deploying."""
    machine = CrashingMachine(tmp_path_factory.mktemp("rivals"))
    try:
        copy_app(machine)
        made = Rivals(machine)
        machine.up()
        made.configure(CONFIGURATION)
        made.release()
        made.both_arrive()
        yield made
    finally:
        machine.close()


@pytest.mark.parametrize("commits", some_nightly(COMMITS, (3, 5, 7)))
@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
def test_no_lease_is_lost_or_given_twice_when_the_engine_is_killed(rivals: Rivals, point: str, commits: int) -> None:
    rivals.release(failpoint=f"{point}:{commits}")
    rivals.both_arrive()


@pytest.mark.parametrize("point", ["before-perform", "after-perform", "before-result", "after-result"])
@pytest.mark.parametrize("which", ["Apply:1", "Apply:2"])
def test_who_deploys_keeps_its_lease_when_the_engine_is_killed(rivals: Rivals, point: str, which: str) -> None:
    rivals.release(failpoint=f"{point}/{which}")
    rivals.both_arrive()
