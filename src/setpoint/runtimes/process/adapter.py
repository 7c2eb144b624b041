"""The process runtime: real processes on this machine, kept by a supervisor that outlives the engine.

Rules worth knowing: a replica that ends is started again by the supervisor, with back-off, and until then an observation is
not complete – restarting is not drift. One that runs and is unhealthy gets no traffic and is left alone: the engine decides.
Gone with its supervisor, an instance is observed as what is left of it, and the next apply brings both back. An object counts as
active until it drains, also while it starts, so that an instance does not count as settled too early.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from setpoint.durable import files
from setpoint.durable.records import Damaged, OtherFormat
from setpoint.model.observation import Object, Observation
from setpoint.model.spec import Spec, digest
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.plugins.runtime import LoggedReplica, LogLine
from setpoint.programs.procfs import boot_id, runs_with
from setpoint.programs.users import Account, UserError, account_of, closed_to
from setpoint.runtimes.process import change_listener, client, logs
from setpoint.runtimes.process import options as workload
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.ports import LOOPBACK
from setpoint.runtimes.process.records import InstanceRecord, InstanceReport, ReplicaView, SupervisorRequest
from setpoint.runtimes.process.replicas.survivors import survivors_of
from setpoint.runtimes.process.trees import lay_out

UNSUPERVISED = "the supervisor of local processes does not run"
_SHUTDOWN = 20.0
"""Seconds that ending everything may take beyond the longest stop timeout."""


class Usage(msgspec.Struct, frozen=True):
    """What one replica uses, its descendants included. ``cpu``: percent of one processor since the last call (first: 0)."""

    replica: str
    cpu: float
    memory: int
    """Resident bytes."""


class ProcessRuntime:
    """``local`` on this machine; everything it keeps lies below ``home/runtimes/local``."""

    def __init__(self, options: dict[str, Any], home: Path) -> None:
        self.options = options
        self._home = Home(home)
        self._runs = asyncio.Event()
        """A supervisor answered since the last time that none was found."""
        self._measured: dict[tuple[str, str, int], tuple[float, float]] = {}

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        """What runs for ``instance``, also when no supervisor runs; raises Unreachable when it does not answer."""
        try:
            reply = await client.ask(self._home, SupervisorRequest("observe", instance=instance))
        except client.NotRunningError:
            view = await asyncio.to_thread(_view_of_survivors, self._home, instance)
            return _observation(view, expected, supervised=False)
        self._runs.set()
        return _observation(reply.view or InstanceReport(), expected, supervised=True)

    async def apply(self, operation: str, spec: Spec) -> None:
        """Hand ``spec`` over to the supervisor, which is started where there is none."""
        desired = workload.read(spec, await asyncio.to_thread(_working_directory, self._home, spec))
        request = SupervisorRequest("apply", operation=operation, instance=spec.instance, desired=desired)
        await self._have_done(request)

    async def remove(self, operation: str, instance: str) -> None:
        """Have every replica of ``instance`` ended; observations show them until they are."""
        if not self._home.record_of(instance).exists():
            return
        await self._have_done(SupervisorRequest("remove", operation=operation, instance=instance))

    def changes(self) -> AsyncIterator[str]:
        """Names of instances whose replicas, health, address or spec changed, from whichever supervisor runs; starts none."""
        return change_listener.changes(self._home, self._runs)

    def logs(self, instance: str, *, replica: str = "", lines: int = 100, follow: bool = False) -> AsyncIterator[LogLine]:
        """What the replicas wrote to standard output and error; no times are kept. One that is gone is read by its name."""
        directory = self._home.logs_of(instance)
        return logs.read(directory, lambda: self._names(instance, replica), lines=lines, follow=follow)

    async def logged(self, instance: str) -> tuple[LoggedReplica, ...]:
        """The replicas whose logs are kept: those that are gone, then those that there are."""
        record = await asyncio.to_thread(self._home.read, instance)
        if record is None:
            return ()
        gone = (LoggedReplica(one.name, one.version, running=False, ended=one.ended, at=one.at) for one in record.gone)
        present = (LoggedReplica(one.name, record.launches[one.digest].version, running=True) for one in record.replicas)
        return (*gone, *present)

    async def usage(self, instance: str) -> tuple[Usage, ...]:
        """Processor and memory of each replica that runs; not part of observations, which change only when something does."""
        try:
            reply = await client.ask(self._home, SupervisorRequest("usage", instance=instance))
        except client.NotRunningError:
            return ()
        view = reply.view or InstanceReport()
        return tuple(self._usage(instance, replica) for replica in view.replicas if replica.running)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """What is wrong with the options of a ``process`` workload."""
        return workload.problems_of(options)

    async def close(self) -> None:
        """Nothing is held open between two calls, ``changes`` aside: its consumer ends that one."""

    async def _have_done(self, request: SupervisorRequest) -> None:
        reply = await client.ask_or_start(self._home, request)
        self._runs.set()
        if reply.error:
            raise (TerminalError if reply.error == "terminal" else TransientError)(reply.text)

    def _names(self, instance: str, replica: str) -> list[str]:
        """The replicas that there are, or else those there were; of a name only if one of them has it: it becomes a path."""
        record = self._home.read(instance)
        if record is None:
            return []
        present, gone = [one.name for one in record.replicas], [one.name for one in record.gone]
        return [name for name in (*gone, *present) if name == replica] if replica else present or gone

    def _usage(self, instance: str, replica: ReplicaView) -> Usage:
        key, now = (instance, replica.name, replica.pid), time.monotonic()
        before, cpu = self._measured.get(key, (now, replica.cpu))
        self._measured[key] = (now, replica.cpu)
        percent = 100 * (replica.cpu - cpu) / (now - before) if now > before else 0.0
        return Usage(replica.name, round(max(0.0, percent), 1), replica.memory)


async def shutdown(home: Path) -> None:
    """End everything that the process runtime runs for ``home``, its supervisor last; what ran is remembered for the next apply.

    Raises:
        TransientError: it cannot be done now. Unreachable: the supervisor does not answer.
    """
    place = Home(home)
    if not place.instances.is_dir():
        return
    try:
        patience = _SHUTDOWN + await asyncio.to_thread(place.longest_stop)
    except OtherFormat as error:
        raise TransientError(str(error)) from error
    try:
        await client.ask(place, SupervisorRequest("shutdown"), patience=patience)
    except client.NotRunningError:
        # What outlived its supervisor is ended as gracefully: by a supervisor that starts nothing.
        if not await asyncio.to_thread(runs_with, place.identity()):
            return
        await client.start(place, "--halted")
        await client.ask(place, SupervisorRequest("shutdown"), patience=patience)
    await client.wait_until_ended(place)


def _working_directory(home: Home, spec: Spec) -> str:
    """An absolute directory is used as it is; a relative one is a place among the version's own files, which are laid out first.

    Raises:
        TerminalError: it does not exist, a file is missing, or nothing can run as ``user``, or there.
        TransientError: the disk does not take the files.
    """
    given, user = Path(spec.workload.options.get("directory") or "."), spec.workload.options.get("user", "")
    try:
        account = account_of(user) if user else None
        if given.is_absolute():
            return _existing(given, account)
        tree = home.tree_of(spec.instance, spec.digest, account)
        lay_out(spec.files, home.files, tree)
        return str(_made_in(tree, given, 0o755 if account else 0o700))
    except UserError as error:
        raise TerminalError(str(error)) from error
    except OSError as error:
        raise TransientError(f"the directory of {spec.instance} cannot be made: {error}") from error


def _existing(directory: Path, account: Account | None) -> str:
    if not directory.is_dir():
        raise TerminalError(f'process.directory "{directory}" does not exist')
    if account is not None and (closed := closed_to(account, directory)) is not None:
        raise UserError(f'the user "{account.name}" may not enter {closed}, on the way to process.directory: change its mode')
    return str(directory)


def _made_in(tree: Path, directory: Path, mode: int) -> Path:
    place = (tree / directory).resolve()
    if not place.is_relative_to(tree.resolve()):
        raise TerminalError(f'process.directory "{directory}" does not lie below the root of its configuration')
    files.make_directory(place, mode)
    return place


def _record(home: Home, instance: str) -> InstanceRecord | None:
    """Raises Unreachable where it cannot be read and something runs that may be its own."""
    try:
        return home.read(instance)
    except OtherFormat as error:
        raise Unreachable(str(error)) from error
    except Damaged as error:
        if runs_with(home.identity()):
            raise Unreachable(f"{error}: which replicas are its own is unknown until the next apply") from error
        return None


def _view_of_survivors(home: Home, instance: str) -> InstanceReport:
    record = _record(home, instance)
    if record is None:
        return InstanceReport()
    living = survivors_of(record, runs_with(home.identity()), boot_id())
    replicas = tuple(
        ReplicaView(
            name=replica.name,
            digest=replica.digest,
            version=record.launches[replica.digest].version,
            running=True,
            stopping=replica.stopping,
            message=UNSUPERVISED,
            pid=living[replica.run].pid,
            port=replica.port,
        )
        for replica in record.replicas
        if replica.run in living
    )
    return InstanceReport(replicas=replicas)


def _observation(view: InstanceReport, expected: Spec | None, *, supervised: bool) -> Observation:
    links = {"address": f"http://{LOOPBACK}:{view.port}"} if view.port else {}
    objects = tuple(_object(replica) for replica in view.replicas)
    if expected is None:
        return Observation(objects=objects, message=view.message, links=links)
    difference, why = _difference(view, expected, supervised=supervised)
    missing = "" if difference else _missing(view)
    return Observation(
        objects=objects,
        complete=not difference and not missing,
        difference=digest(difference) if difference else "",
        message=why or missing or view.message,
        links=links,
    )


def _object(replica: ReplicaView) -> Object:
    return Object(
        name=replica.name,
        digest=replica.digest,
        version=replica.version,
        healthy=replica.healthy,
        active=not replica.stopping,
        message="is draining" if replica.stopping else replica.message,
    )


def _difference(view: InstanceReport, expected: Spec, *, supervised: bool) -> tuple[list[str], str]:
    """What no restart and no replacement under way will put right: only an apply can."""
    if not view.digest and not view.replicas:
        return ["absent"], "nothing runs"
    if not supervised:
        return ["unsupervised"], UNSUPERVISED
    if not view.digest:
        return ["ending"], "it is being taken down"
    if view.digest != expected.digest:
        return ["spec", view.digest], f"is to run {view.version} by another spec than the one expected"
    return [], ""


def _missing(view: InstanceReport) -> str:
    """Why the replicas are not yet those of the expected spec; empty when they are, healthy or not."""
    current = [replica for replica in view.replicas if replica.digest == view.digest and not replica.stopping]
    running = sum(replica.running for replica in current)
    former = sum(replica.digest != view.digest and not replica.stopping for replica in view.replicas)
    if running < view.wanted:
        return f"{running} of {view.wanted} replicas run"
    if not view.port:
        return view.message or "its address is not there yet"
    return f"{former} replicas of another version still serve" if former else ""
