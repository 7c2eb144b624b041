"""A whole house in one process: engine, control and rehearsed runtime on a data directory of the test's own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.compilers import COMPILERS
from tests.support.eventually import eventually

from setpoint.control.context import RequestContext, Services
from setpoint.control.control import Control
from setpoint.control.reading.states import state_of
from setpoint.core.instance.state import InstanceState
from setpoint.model.people import Person
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.assembly import running

ADMIN = Person("admin", (), admin=True)
ANN = Person("ann", ("release-managers",))
BOB = Person("bob", ("release-managers", "on-call"))
EVE = Person("eve")
OPS = Person("ops", ("release-managers",), admin=True)
"""An administrator with a name of his own."""

RUNTIME = """
kind: Runtime
name: pretend
fake: {}
poll: {moving: 20ms, settled: 200ms}
"""
SERVICE = """
kind: Service
application: saas
name: web
fake: {becomes: healthy}
env: {VERSION: "${version}"}
"""
PLAIN = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: staging}
"""
APPROVED = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: production
    runtime: pretend
    after: staging
    approvals: [{topic: release-manager, from: "group:release-managers", min: 2}]
  - {name: globex, runtime: pretend, mirror: production}
"""


def documents(*texts: str) -> str:
    """One file of several documents."""
    return "\n---\n".join(texts)


STANDARD = documents(RUNTIME, SERVICE, PLAIN)
WITH_APPROVALS = documents(RUNTIME, SERVICE, APPROVED)


def files(text: str, **more: str) -> dict[str, Any]:
    """What `apply`, `preview` and `validate` take."""
    named = {"app.setpoint.yaml": text, **more}
    return {"files": {path: base64.b64encode(content.encode()).decode() for path, content in named.items()}, "root": "/config"}


class House:
    """Control, with words for what tests do often."""

    def __init__(self, control: Control) -> None:
        self.control = control

    @property
    def services(self) -> Services:
        """What its requests share."""
        return self.control.services

    async def do(self, name: str, person: Person = ADMIN, *, request: str = "", **payload: Any) -> Any:
        """One command."""
        return await self.control.command(name, payload, person, request=request)

    async def ask(self, name: str, person: Person = ADMIN, **payload: Any) -> Any:
        """One query."""
        return await self.control.query(name, payload, person)

    async def apply(self, text: str) -> Any:
        """Put a configuration into force."""
        return await self.do("apply", **files(text))

    async def release(self, version: str, person: Person = ADMIN, **more: Any) -> Any:
        """Release web."""
        return await self.do("release", person, services={"web": {"version": version, **more.pop("web", {})}}, **more)

    async def state(self, instance: str) -> InstanceState:
        """Of ``web@staging``."""
        return await state_of(RequestContext(self.services, ADMIN, 0, ""), f"saas/{instance}")

    async def row(self, instance: str) -> Any:
        """Its row in the status."""
        status = await self.ask("status", target=instance)
        return status.applications[0].instances[0]

    async def good(self, instance: str, version: str) -> Any:
        """Wait until this version is good there."""
        return await self._until(
            instance, lambda row: row.good and row.good.version == version and row.settled, f"{version} good"
        )

    async def comes_to(self, instance: str, condition: str) -> Any:
        """Wait for a condition."""
        return await self._until(instance, lambda row: row.condition == condition, condition)

    async def waits_for(self, instance: str, code: str) -> Any:
        """Wait until its headline has this code."""
        return await self._until(instance, lambda row: row.reason and row.reason.code == code, code)

    async def waits_until_release(self, instance: str, release: int) -> Any:
        """Wait until this release is good there."""
        return await self._until(instance, lambda row: row.good and row.good.release == release, f"release {release}")

    async def _until(self, instance: str, holds: Any, what: str) -> Any:
        seen: list[Any] = []

        async def look() -> Any:
            seen[:] = [await self.row(instance)]
            return seen[0] if holds(seen[0]) else None

        return await eventually(look, 10, lambda: f"{instance} did not come to {what}: {seen}")


@asynccontextmanager
async def house(home: Path, configuration: str = "", *, runtimes: Mapping[str, Any] | None = None) -> AsyncIterator[House]:
    """A serving house, with a configuration applied if one is given."""
    async with running(home, runtimes=runtimes or {"fake": FakeRuntime}, compilers=COMPILERS) as control:
        found = House(control)
        if configuration:
            await found.apply(configuration)
        yield found
