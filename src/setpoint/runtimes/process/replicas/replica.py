"""One replica: started, probed for its health, started again when it ends, and ended gracefully with all its descendants."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from typing import NamedTuple

from msgspec import structs

from setpoint.durable import files
from setpoint.programs.procfs import RUN, Identity, members, read_stat, send_all, usage
from setpoint.programs.users import UserError, account_of
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.logs import last_lines, log_file
from setpoint.runtimes.process.ports import LOOPBACK, free_port
from setpoint.runtimes.process.proxy.balancer import Target
from setpoint.runtimes.process.proxy.clients import Clients
from setpoint.runtimes.process.reaper import Reaper, describe_exit
from setpoint.runtimes.process.records import Launch, ReplicaRecord, ReplicaView
from setpoint.runtimes.process.replicas.listeners import Listeners
from setpoint.runtimes.process.replicas.ownership import ReplicaPort
from setpoint.runtimes.process.replicas.probes import ask

STARTING = 10.0
"""Seconds in which a replica that is not well yet is not called unhealthy."""
FAILURES = 3
"""Health checks in a row that make a healthy replica unhealthy."""
SETTLED = 1.0
"""Seconds that a replica without a health check must run to count as healthy."""
STEADY = 30.0
"""Seconds after which an end is no longer part of a crash loop."""
FIRST_DELAY, LONGEST_DELAY = 0.2, 30.0
"""Seconds before a replica that ended is started again: doubled with each end in a row."""
_DRAIN_SHARE = 0.75
_POLL = 0.05


class Host(NamedTuple):
    """What all replicas of one supervisor share."""

    home: Home
    identity: str
    boot: str
    reaper: Reaper
    base_env: dict[str, str]
    ports: set[int]
    listeners: Listeners
    clients: Clients


class Hooks(NamedTuple):
    """What a replica reports to its instance."""

    changed: Callable[[], None]
    """Its record or its health is another: to be written down soon, and looked at."""
    save: Callable[[ReplicaRecord], None]
    """Write its record down as it will be, before it is so; raises OSError."""


class Replica:
    """Lives in a task of its own from ``begin`` until ``stop`` was called and everything it ran has ended."""

    def __init__(self, host: Host, instance: str, record: ReplicaRecord, launch: Launch, hooks: Hooks) -> None:
        self.record = record
        self.launch = launch
        self.healthy: bool | None = None
        self.message = ""
        self.target: Target | None = None
        self._host = host
        self._instance = instance
        self._changed = hooks.changed
        self._save = hooks.save
        self._leader: Identity | None = None
        self._port: ReplicaPort | None = None
        self._streak = 0
        self._detached = False
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def gone(self) -> bool:
        """Whether it was stopped and nothing of it is left."""
        return self._life is not None and self._life.done()

    @property
    def running(self) -> bool:
        """False while it waits to be started again."""
        return self._leader is not None

    @property
    def serving(self) -> bool:
        """Whether it gets traffic."""
        return self.healthy is True and not self.record.stopping and self.target is not None

    def begin(self, survivor: Identity | None = None) -> None:
        """Start it, or take over a process that an earlier supervisor started."""
        self._life = asyncio.create_task(self._live(survivor))
        if self.record.stopping:
            self._stop.set()

    def stop(self) -> None:
        """Ask it to drain and end."""
        self.record.stopping = True
        self._stop.set()

    @property
    def fault(self) -> BaseException | None:
        """What broke its task off, once it is gone: a defect of this module."""
        return self._life.exception() if self._life is not None and self.gone and not self._life.cancelled() else None

    async def detach(self) -> None:
        """Look after it no longer; its process goes on."""
        self._detached = True
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    def view(self, *, with_usage: bool) -> ReplicaView:
        """How it is now."""
        cpu, memory = usage(self._leader) if with_usage and self._leader is not None else (0.0, 0)
        return ReplicaView(
            name=self.record.name,
            digest=self.launch.digest,
            version=self.launch.version,
            running=self.running,
            stopping=self.record.stopping,
            healthy=self.healthy,
            message=self.message,
            pid=self._leader.pid if self._leader is not None else 0,
            port=self.record.port,
            cpu=cpu,
            memory=memory,
        )

    async def _live(self, survivor: Identity | None) -> None:
        try:
            await self._keep_running(survivor)
        finally:
            if self._leader is not None and not self._detached:
                send_all(members(self.record.run, self._leader), signal.SIGKILL)
            self._leader = None
            self._changed()

    async def _keep_running(self, survivor: Identity | None) -> None:
        ended = self._adopt(survivor) if survivor is not None else None
        while ended is not None or not self._stop.is_set():
            ended = ended or self._spawn()
            if ended is not None:
                await self._watch(ended)
                if self._stop.is_set():
                    await self._end(ended)
                    self._leader = None
                    break
                self._note_exit(ended.result())
                await self._sweep()
                ended = None
            await self._back_off()

    def _adopt(self, survivor: Identity) -> asyncio.Future[int | None] | None:
        ended = self._host.reaper.adopt(survivor)
        if ended is not None:
            self._began(survivor)
            self.healthy = self.record.healthy or None
        return ended

    def _spawn(self) -> asyncio.Future[int | None] | None:
        """Start a process; None when it could not be started."""
        try:
            self._new_run()
            output = files.open_append(log_file(self._host.home.logs_of(self._instance), self.record.name))
            try:
                command, directory, user = list(self.launch.command), self.launch.directory, self.launch.user
                pid, ended = self._host.reaper.spawn(command, directory, self._env(), output, user=user)
            finally:
                os.close(output)
        except (OSError, ValueError) as error:
            self._note_failed_start(error)
            return None
        stat = read_stat(pid)
        if stat is not None:
            self._began(stat.identity)
        return ended

    def _new_run(self) -> None:
        """Write the run down before the start, so that its processes can be attributed to it. Raises OSError.

        The port is another one at every start: another process may have taken the last one between choice and use.
        """
        run = f"{self._host.identity}.{secrets.token_hex(8)}"
        port = free_port(self._host.ports)
        self._save(structs.replace(self.record, run=run, pid=0, start=0, port=port))
        self._host.ports.discard(self.record.port)
        self._host.ports.add(port)
        self.record.run, self.record.port = run, port
        self.record.pid = self.record.start = 0
        self.record.healthy = False

    def _env(self) -> dict[str, str]:
        """Raises UserError."""
        return {
            **self._base_env(),
            **self.launch.env,
            "PORT": str(self.record.port),
            "SETPOINT_INSTANCE": self._instance,
            "SETPOINT_VERSION": self.launch.version,
            "SETPOINT_REPLICA": self.record.name,
            RUN: self.record.run,
        }

    def _base_env(self) -> dict[str, str]:
        """With the home of the user, who may not enter the engine's directory for temporary files. Raises UserError."""
        if not self.launch.user:
            return self._host.base_env
        base = {name: value for name, value in self._host.base_env.items() if name != "TMPDIR"}
        return base | account_of(self.launch.user).environment

    def _began(self, leader: Identity) -> None:
        self._leader = leader
        self.record.pid, self.record.start = leader
        self._port = ReplicaPort(self.record.port, self.record.run, leader)
        self.target = Target(self.record.name, self.record.port, self._listens)
        self._changed()

    async def _watch(self, ended: asyncio.Future[int | None]) -> None:
        """Wait until it ends or is to end."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        probing = asyncio.create_task(self._probe_repeatedly())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            probing.cancel()
            stopping.cancel()
            await asyncio.gather(probing, stopping, return_exceptions=True)
        if loop.time() - began >= STEADY:
            self._streak = 0

    async def _probe_repeatedly(self) -> None:
        """Keep ``healthy`` equal to the result of the health check."""
        if self.launch.health.kind == "none":
            # In a crash loop it takes longer each time, so that the loop does not look like health between two ends.
            await asyncio.sleep(0.0 if self.healthy else max(SETTLED, self._delay()))
            while why := await self._why_unwell():
                self._set_health(healthy=False, message=why)
                await asyncio.sleep(SETTLED)
            self._set_health(healthy=True, message="")
            return
        failures, pause = 0, _POLL
        deadline = asyncio.get_running_loop().time() + STARTING
        while True:
            why = await self._why_unwell()
            failures = failures + 1 if why else 0
            late = asyncio.get_running_loop().time() >= deadline
            self._judge(why, failures, late=late)
            pause = min(pause * 1.5, self.launch.health.interval / 1000)
            await asyncio.sleep(pause if self.healthy is None else self.launch.health.interval / 1000)

    async def _why_unwell(self) -> str:
        """Empty when it is well, else why not. What another process would respond at its port counts for nothing."""
        port, health = self.record.port, self.launch.health
        try:
            state = await self._port.state() if self._port is not None else "free"
        except OSError as error:
            return f"the listening sockets of this machine cannot be read: {error}"
        if state == "taken":
            return f"port {port} is used by another process"
        if health.kind in {"http", "tcp"} and state == "free":
            return f"nothing listens at its port {port}"
        if health.kind == "none":
            return ""
        try:
            env = self._check_env() if health.kind == "command" else {}
        except UserError as error:
            return str(error)
        return await ask(self.launch, port, env, self._host.reaper)

    async def _listens(self) -> bool:
        """Whether it is the replica that listens at its port."""
        return self._port is not None and await self._port.state() == "own"

    def _check_env(self) -> dict[str, str]:
        return {**self._env(), "SETPOINT_ADDRESS": f"http://{LOOPBACK}:{self.record.port}"}

    def _judge(self, why: str, failures: int, *, late: bool) -> None:
        if not why:
            self._set_health(healthy=True, message="")
        elif self.healthy is None:
            self._set_health(healthy=False if late else None, message=why)
        elif not self.healthy or failures >= FAILURES:
            self._set_health(healthy=False, message=why)

    def _set_health(self, *, healthy: bool | None, message: str) -> None:
        if (healthy, message) != (self.healthy, self.message):
            self.healthy, self.message = healthy, message
            self.record.healthy = healthy is True
            self._changed()

    def _note_exit(self, code: int | None) -> None:
        self._ended_badly(describe_exit(code))
        lines = last_lines(self._host.home.logs_of(self._instance), self.record.name, 1)
        self.message += f"; its last line: {lines[0][:200]}" if lines else ""

    def _note_failed_start(self, error: OSError | ValueError) -> None:
        what = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        self._ended_badly(f"could not be started: {what}")

    def _ended_badly(self, what: str) -> None:
        self.record.restarts += 1
        self.record.ended = what
        self._streak += 1
        self._leader_gone()
        self.healthy = False
        times = "once" if self.record.restarts == 1 else f"{self.record.restarts} times"
        self.message = f"{what} ({times} so far)"
        self._changed()

    def _leader_gone(self) -> None:
        if self.target is not None:
            self.target.retire()
            self.target = None

    def _delay(self) -> float:
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._streak - 1)) if self._streak else 0.0

    async def _back_off(self) -> None:
        self._leader = None
        self._changed()
        try:
            async with asyncio.timeout(self._delay()):
                await self._stop.wait()
        except TimeoutError:
            # Health is unknown again; what went wrong stays readable until the next check has a result.
            self.healthy = None

    async def _end(self, ended: asyncio.Future[int | None]) -> None:
        """Drain, ask everything to end, and kill what is left when the time is up."""
        loop = asyncio.get_running_loop()
        allowed = self.launch.stop / 1000
        deadline = loop.time() + allowed
        self._changed()
        if self.target is not None:
            self.target.retire()
            await self._drain(self.target, ended, allowed * _DRAIN_SHARE)
        send_all(await self._members(), signal.SIGTERM)
        await asyncio.wait({ended}, timeout=max(0.0, deadline - loop.time()))
        while loop.time() < deadline and await self._members():  # noqa: ASYNC110 - processes end without an event
            await asyncio.sleep(_POLL)
        await self._sweep()

    async def _drain(self, target: Target, ended: asyncio.Future[int | None], allowed: float) -> None:
        drained = asyncio.create_task(target.drained())
        try:
            await asyncio.wait((drained, ended), timeout=allowed, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()

    async def _sweep(self) -> None:
        """Kill what is left of this run, also what is born while it is being killed."""
        while left := await self._members():
            send_all(left, signal.SIGKILL)
            await asyncio.sleep(_POLL)

    async def _members(self) -> set[Identity]:
        """In a thread: on a machine with thousands of processes the scan would hold up the address."""
        return await asyncio.to_thread(members, self.record.run, self._leader)
