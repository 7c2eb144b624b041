"""Two services in one channel that are released again and again; the engine is killed at a failpoint while they are."""

from __future__ import annotations

import sys
import uuid
from collections import Counter
from typing import Any

from tests.e2e.life import CrashingMachine
from tests.e2e.machine import WITHIN
from tests.support.eventually import wait_until

from setpoint.server.client import ClientError

SERVICES = ("web", "worker")
MEMBERS = tuple(f"shop/{service}@staging" for service in SERVICES)


class Pair:
    """Drives the releases of ``web`` and ``worker``; subclasses know what must be true afterwards."""

    def __init__(self, machine: CrashingMachine) -> None:
        self.machine = machine
        self.number = 0

    @property
    def version(self) -> str:
        """Of the newest release."""
        return f"{self.number}.0.0"

    def configure(self, text: str) -> None:
        """Write and apply, with ROOT and PYTHON filled in."""
        self.machine.write(text.replace("ROOT", str(self.machine.root)).replace("PYTHON", sys.executable))
        self.machine.apply()

    def release(self, *, failpoint: str = "") -> None:
        """The next one, of both. At a failpoint the engine dies, maybe before it answers; the next one is told the same again."""
        self.number += 1
        request = uuid.uuid4().hex
        if not failpoint:
            self._tell(request)
            return
        self.machine.kill()
        self.machine.start(SETPOINT_FAILPOINT=failpoint)
        wait_until(lambda: self._told(request) or not self.machine.alive(), WITHIN, "the engine neither answers nor dies", 0.05)
        self.machine.died()
        self.machine.up()
        self._tell(request)

    def _told(self, request: str) -> bool:
        try:
            self._tell(request)
        except ClientError:
            return False
        return True

    def _tell(self, request: str) -> None:
        services = {name: {"version": self.version} for name in SERVICES}
        with self.machine.client() as client:
            answer = client.command("release", {"services": services, "why": "the next"}, request=request)
        assert answer["release"] == self.number

    def lines(self, member: str) -> list[dict[str, Any]]:
        """What history tells of the newest release there, oldest first."""
        return [line for line in self.machine.history(member) if line["release"] == self.number]

    def story_has(self, member: str, expected: dict[str, int]) -> None:
        """History has just so many lines of each of these kinds."""
        told = Counter(line["kind"] for line in self.lines(member))
        assert {kind: told[kind] for kind in expected} == expected, self.machine.story(member)
