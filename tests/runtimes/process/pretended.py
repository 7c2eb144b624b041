"""A supervisor in this process over a process table that is pretended, so that hundreds of its lives take seconds."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from setpoint.model.spec import Spec
from setpoint.plugins.errors import TransientError
from setpoint.programs.procfs import RUN, Identity, Stat
from setpoint.runtimes.process import ProcessRuntime, adapter, client, supervisor
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.records import Reply, SupervisorRequest
from setpoint.runtimes.process.replicas import instance, ownership, replica, survivors
from setpoint.runtimes.process.supervision.guardian import Inheritance
from setpoint.runtimes.process.supervisor import Supervisor

FAILING = "false"


class Processes:
    """Programs that run until they get a signal, or, when their command is ``false``, end with 1."""

    def __init__(self) -> None:
        self.alive: dict[int, tuple[str, asyncio.Future[int | None]]] = {}
        self._last = 1000

    # --- as the reaper

    def spawn(
        self, command: list[str], directory: str | None, env: dict[str, str], output: int, *, user: str
    ) -> tuple[int, asyncio.Future[int | None]]:
        assert user == "", "there is one user here"
        self._last += 1
        ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        os.write(output, b"started\n")
        if command[0] == FAILING:
            ended.set_result(1)
        else:
            self.alive[self._last] = env[RUN], ended
        return self._last, ended

    def adopt(self, identity: Identity) -> asyncio.Future[int | None] | None:
        return self.alive[identity.pid][1] if identity.pid in self.alive else None

    # --- as the kernel

    def read_stat(self, pid: int) -> Stat | None:
        return Stat(Identity(pid, pid), "S", 1, pid, 0.0, 0) if pid in self.alive else None

    def is_alive(self, identity: Identity) -> bool:
        return identity.pid in self.alive

    def run_of(self, pid: int) -> str:
        return self.alive[pid][0] if pid in self.alive else ""

    def members(self, run: str, leader: Identity | None) -> set[Identity]:
        return {Identity(pid, pid) for pid, (mark, _) in self.alive.items() if mark == run}

    def runs_with(self, prefix: str) -> dict[str, list[Stat]]:
        found: dict[str, list[Stat]] = {}
        for pid, (run, _) in self.alive.items():
            stat = self.read_stat(pid)
            if run.startswith(prefix) and stat is not None:
                found.setdefault(run, []).append(stat)
        return found

    def send_all(self, identities: Iterable[Identity], number: int) -> None:
        for identity in identities:
            _, ended = self.alive.pop(identity.pid, ("", None))
            if ended is not None and not ended.done():
                ended.set_result(-number)

    def send(self, identity: Identity, number: int) -> bool:
        self.send_all([identity], number)
        return True


class Guarded:
    """A guardian that keeps nothing: what is inherited is not the disk's."""

    pid = 0

    def __init__(self, *_: object) -> None:
        pass

    def keep(self, name: str, descriptor: int) -> None:
        pass

    def drop(self, name: str) -> None:
        pass


class Supervised(ProcessRuntime):
    """The runtime with its supervisor in this process: started when it is needed, killed and started again by the test.

    It retries what may go away by itself, as the engine does.
    """

    def __init__(self, home: Path, processes: Processes) -> None:
        super().__init__({}, home)
        self.processes = processes
        self.place = Home(home)
        self.supervisor: Supervisor | None = None
        self._channel = socket.socket()
        self._channel.close()

    async def answer(self, request: SupervisorRequest) -> Reply:
        if self.supervisor is None:
            if request.do in {"observe", "usage"}:
                raise client.NotRunningError
            return await self._start()._answer(request)
        return await self.supervisor._answer(request)

    def _start(self) -> Supervisor:
        self.place.prepare()
        found = Supervisor(self.place, Inheritance(self._channel, -1, {}))
        found._take_over(halted=False)
        self.supervisor = found
        return found

    async def kill(self) -> None:
        """Its memory is gone; what runs goes on, and what is on the disk is all that the next one knows."""
        if self.supervisor is not None:
            for one in self.supervisor._instances.values():
                await one.detach()
                await one.let_go(finish=False)  # as the kernel does
            self.supervisor = None

    async def restart(self) -> None:
        """Kill it; its guardian starts it again until it comes up."""
        await self.kill()
        while self.supervisor is None:
            with suppress(OSError):
                self._start()

    async def apply(self, operation: str, spec: Spec) -> None:
        await _retried(lambda: super(Supervised, self).apply(operation, spec))

    async def remove(self, operation: str, instance: str) -> None:
        await _retried(lambda: super(Supervised, self).remove(operation, instance))


async def _retried(call: Callable[[], Awaitable[None]]) -> None:
    for _ in range(8):
        try:
            return await call()
        except TransientError:
            await asyncio.sleep(0)
    return await call()


def pretend(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Replace processes, and the times that are waited for them."""
    table = Processes()
    monkeypatch.setattr(supervisor, "Reaper", lambda: table)
    for module in (supervisor, replica, ownership, survivors, adapter):
        for name in ("read_stat", "is_alive", "run_of", "members", "runs_with", "send_all", "send"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(table, name))
    monkeypatch.setattr(ownership, "listeners_at", lambda _: [])
    monkeypatch.setattr(supervisor, "Guarded", Guarded)
    monkeypatch.setattr(supervisor, "children_of", lambda _: [])
    for module, name in ((instance, "_RETRY"), (replica, "SETTLED"), (replica, "_POLL"), (replica, "FIRST_DELAY")):
        monkeypatch.setattr(module, name, 0.001)
    return table


def connect(monkeypatch: pytest.MonkeyPatch, runtime: Supervised) -> None:
    """What the runtime requests goes to its supervisor directly."""

    async def ask(_home: Home, request: SupervisorRequest, **_: object) -> Reply:
        try:
            return await runtime.answer(request)
        except OSError as error:
            raise TransientError(str(error)) from error

    monkeypatch.setattr(client, "ask", ask)
    monkeypatch.setattr(client, "ask_or_start", ask)
