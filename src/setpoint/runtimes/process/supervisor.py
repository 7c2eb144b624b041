"""The supervisor: a small process that outlives the engine, is the parent of all replicas of one home, and owns their addresses.

``python -m setpoint.runtimes.process.supervisor HOME`` starts one in the background and returns when it serves, or when another
one already holds the home. When it is killed, its guardian starts the next one immediately, which takes over what runs; the
addresses stay open meanwhile. SIGTERM hands over to the next one, without a request lost; SIGTERM to the guardian ends both, and
what runs goes on. A guardian that is killed is started again from here, and so is an engine in the background (``keeping``).
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import msgspec

from setpoint.durable import files
from setpoint.durable.bounded_logs import limit_repeats, rotate
from setpoint.durable.records import Damaged, OtherFormat
from setpoint.programs.environment import deployment_environment
from setpoint.programs.kernel import become_subreaper, close_process
from setpoint.programs.procfs import boot_id, children_of, read_stat, runs_with, send, send_all
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.logs import rotate_all
from setpoint.runtimes.process.proxy.clients import Clients, most_clients
from setpoint.runtimes.process.reaper import Reaper
from setpoint.runtimes.process.records import InstanceRecord, InstanceReport, Reply, SupervisorRequest
from setpoint.runtimes.process.replicas.instance import ProcessInstance
from setpoint.runtimes.process.replicas.listeners import Listeners
from setpoint.runtimes.process.replicas.replica import Host
from setpoint.runtimes.process.replicas.survivors import survivors_of
from setpoint.runtimes.process.supervision.change_feed import ChangeFeed
from setpoint.runtimes.process.supervision.daemon import detach, hold_lock, in_background
from setpoint.runtimes.process.supervision.guarded import GUARD, Guarded
from setpoint.runtimes.process.supervision.guardian import FAILED, HELD, Guardian, Inheritance
from setpoint.runtimes.process.supervision.keeping import EngineKeeper

IDLE = 5.0
"""Seconds without an instance and without a request after which a supervisor ends."""
_TICK = 1.0
_LAST_WORDS, _LAST_WORDS_OF_A_HANDOVER = 0.5, 0.05
_LOCK = 2.0
"""Seconds within which a predecessor that hands over lets go of the lock."""
_HALTED = "--halted"
_TREE_AGE = 60.0
"""Seconds for which a directory of a version that nothing uses is kept: an apply may just have made it."""
_LINE = 16 * 1024 * 1024
_CREDENTIALS = struct.Struct("=iII")
"""Process, user and group of a peer: unix(7)."""
_log = logging.getLogger(__name__)


class Supervisor:
    """Everything one home runs; made inside a running loop, holding the lock of the home."""

    def __init__(self, home: Home, inheritance: Inheritance) -> None:
        self._home = home
        reaper = Reaper()
        self._guarded = Guarded(home, inheritance, reaper, self._end)
        self._listeners = Listeners(inheritance.kept, self._guarded.keep, self._guarded.drop)
        environment, clients = deployment_environment(os.environ), Clients(most_clients())
        self._host = Host(home, home.identity(), boot_id(), reaper, environment, set(), self._listeners, clients)
        self._engine = EngineKeeper(home.base, reaper, self._guarded.keep)
        self._inherited = inheritance.kept
        self._instances: dict[str, ProcessInstance] = {}
        self._feed = ChangeFeed(lambda: self._instances, self._view)
        self._done = asyncio.Event()
        self._asked = time.monotonic()
        self._ending = False
        self._handing_over = False
        self._guardian = os.getppid()
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, *, halted: bool) -> None:
        """Take over what runs and serve requests until the end or a handover."""
        serving = await self._lock_serving()
        if serving is None:
            await self._guarded.end(HELD)
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._hand_over)
        for number in (signal.SIGINT, signal.SIGHUP):  # handled, not ignored: what is ignored stays so in replicas
            loop.add_signal_handler(number, _log.warning, "%s means nothing here; SIGTERM hands over", number.name)
        self._take_over(halted=halted)
        self._home.clear_socket()
        with self._home.socket_path() as path:
            server = await asyncio.start_unix_server(self._connected, path, limit=_LINE)
            files.restrict(Path(path), 0o600)
        self._guarded.ready()
        self._engine.inherit(self._inherited)
        ticking = asyncio.create_task(self._tick())
        await self._done.wait()
        ticking.cancel()
        server.close()
        self._feed.close()
        await self._leave(serving)

    async def _lock_serving(self) -> int | None:
        """Of two supervisors one serves, whatever was killed while one handed over to the other."""
        deadline = time.monotonic() + _LOCK
        while (held := hold_lock(self._home.serving)) is None and time.monotonic() < deadline:  # noqa: ASYNC110 - a lock of processes sets no event
            await asyncio.sleep(0.02)
        return held

    async def _leave(self, serving: int) -> None:
        """Look after nothing any more, then have the next one started or the guardian end; clients are served to their end."""
        self._engine.close()
        for instance in self._instances.values():
            await instance.detach()
        await self._hang_up()
        os.close(serving)
        if self._handing_over:
            await self._guarded.hand_over()
        else:
            await self._guarded.end()
        await asyncio.gather(*(instance.let_go(finish=self._handing_over) for instance in self._instances.values()))

    def _hand_over(self) -> None:
        if not self._done.is_set():
            self._handing_over = True
            self._done.set()

    def _end(self) -> None:
        self._handing_over = False
        self._done.set()

    async def _hang_up(self) -> None:
        """Finish the responses under way; a client that waits for more than that sends its request to the next supervisor."""
        if self._connections:
            patience = _LAST_WORDS_OF_A_HANDOVER if self._handing_over else _LAST_WORDS
            _, waiting = await asyncio.wait(self._connections, timeout=patience)
            for connection in waiting:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _take_over(self, *, halted: bool) -> None:
        """Recognise replicas that outlived an earlier supervisor; end what has our mark and is none."""
        found = runs_with(self._host.identity)
        for record in self._readable_records():
            record.halted = record.halted or halted
            survivors = survivors_of(record, found, self._host.boot)
            for run in survivors:
                found.pop(run, None)
            self._add(record).begin(survivors)
        for strays in found.values():
            send_all((stat.identity for stat in strays), signal.SIGKILL)

    def _readable_records(self) -> list[InstanceRecord]:
        records = []
        for record, path in self._home.read_all():
            if record is not None:
                records.append(record)
                continue
            _log.error("%s is damaged and set aside", path)
            self._home.set_aside(path)
        return records

    def _add(self, record: InstanceRecord) -> ProcessInstance:
        instance = ProcessInstance(self._host, record, self._feed.touched)
        self._instances[record.instance] = instance
        return instance

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            line = b"" if _is_foreign(writer) else await reader.readline()
            if line:
                self._asked = time.monotonic()
                await self._converse(line, reader, writer)
        except ConnectionError:
            _log.info("a client disconnected before it received its response")
        finally:
            writer.close()

    async def _converse(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = _read(line)
        reply = request if isinstance(request, Reply) else await self._answer(request)
        reply = msgspec.structs.replace(reply, pid=os.getpid())
        if isinstance(request, SupervisorRequest) and request.do == "changes":
            if request.engine is not None:
                self._engine.reported(request.engine)
            await self._feed.serve(reader, writer, reply)
        else:
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()

    async def _answer(self, request: SupervisorRequest) -> Reply:
        try:
            return await self._perform(request)
        except OSError as error:
            return Reply(error="transient", text=str(error))
        except OtherFormat as error:
            return Reply(error="terminal", text=str(error))

    async def _perform(self, request: SupervisorRequest) -> Reply:
        match request.do:
            case "apply":
                await self._apply(request)
            case "remove":
                await self._remove(request)
            case "observe" | "usage":
                return Reply(view=self._view(request.instance, with_usage=request.do == "usage"))
            case "handover":
                self._end()
            case "shutdown":
                await self._shutdown()
            case "ping" | "changes":
                pass
        return Reply()

    def _view(self, name: str, *, with_usage: bool = False) -> InstanceReport:
        instance = self._instances.get(name)
        return InstanceReport() if instance is None or instance.ended.is_set() else instance.view(with_usage=with_usage)

    async def _apply(self, request: SupervisorRequest) -> None:
        if request.desired is None or self._ending:
            raise OSError("the supervisor of local processes is ending")
        instance = await self._present(request.instance)
        if instance is None:
            record = self._remembered(request.instance) or InstanceRecord(instance=request.instance)
            instance = ProcessInstance(self._host, record, self._feed.touched)
            instance.apply(request.operation, request.desired)
            self._instances[request.instance] = instance
            instance.begin({})
        else:
            instance.apply(request.operation, request.desired)

    def _remembered(self, name: str) -> InstanceRecord | None:
        try:
            return self._home.read(name)
        except Damaged as error:
            _log.error("%s, and set aside", error)
            self._home.set_aside(self._home.record_of(name))
            return None

    async def _present(self, name: str) -> ProcessInstance | None:
        """The instance, unless it is just going away: then after it went."""
        instance = self._instances.get(name)
        if instance is not None and instance.closing:
            await instance.ended.wait()
        if instance is not None and instance.ended.is_set():
            self._instances.pop(name, None)
            return None
        return instance

    async def _remove(self, request: SupervisorRequest) -> None:
        instance = await self._present(request.instance)
        if instance is not None:
            instance.remove(request.operation)
        else:
            self._home.forget(request.instance)

    async def _shutdown(self) -> None:
        """End everything, also orphans that bear no mark: here, whatever is a child of ours is."""
        instances = list(self._instances.values())
        for instance in instances:
            instance.halt()
        self._ending = True
        await asyncio.gather(*(instance.ended.wait() for instance in instances))
        for _ in range(100):
            left = [stat.identity for pid in self._orphans() if (stat := read_stat(pid)) and not stat.dead]
            left += [stat.identity for strays in runs_with(self._host.identity).values() for stat in strays]
            if not left:
                break
            for identity in left:
                send(identity, signal.SIGKILL)
            await asyncio.sleep(0.02)
        self._end()

    def _orphans(self) -> list[int]:
        """Our children, and those of the guardian, which gets the orphans of a supervisor; not the engine, nor a guardian."""
        guarded = os.getppid() == self._guardian
        ours = (*children_of(os.getpid()), *(children_of(self._guardian) if guarded else ()))
        return [pid for pid in ours if pid not in {os.getpid(), self._guarded.pid, self._engine.pid}]

    async def _tick(self) -> None:
        """Housekeeping, once a second."""
        while True:
            await asyncio.sleep(_TICK)
            self._listeners.close_unclaimed()
            for name, instance in list(self._instances.items()):
                if instance.ended.is_set():
                    del self._instances[name]
            try:
                self._tidy(_TREE_AGE)
            except OSError as error:
                _log.warning("logs and old versions could not be tidied: %s", error)
            if not self._instances and time.monotonic() - self._asked > IDLE:
                self._tidy(IDLE)
                self._end()

    def _tidy(self, age: float) -> None:
        rotate(self._home.journal)
        for name in self._instances:
            rotate_all(self._home.logs_of(name))
        used = {tree for instance in self._instances.values() for tree in instance.directories()}
        for tree in self._home.all_trees():
            old = time.time() - tree.stat().st_mtime > age
            if old and not any(Path(path).is_relative_to(tree) for path in used):
                files.remove_tree(tree)


def _is_foreign(writer: asyncio.StreamWriter) -> bool:
    """Whether a process of another user, root excepted, is at the other end of a connection."""
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return user not in {0, os.geteuid()}


def _read(line: bytes) -> SupervisorRequest | Reply:
    try:
        return msgspec.json.decode(line, type=SupervisorRequest)
    except msgspec.DecodeError as error:
        return Reply(error="terminal", text=f"the supervisor of local processes does not understand the request: {error}")


def main(arguments: list[str]) -> int:
    """Start a supervisor for a home in the background; ``--halted``: one that only ends what runs.

    ``--guard CHANNEL LOCK`` becomes the guardian of one that serves already: its parent, which passed these descriptors on.
    """
    close_process()
    home = Home(Path(arguments[0]))
    if GUARD in arguments:
        channel, lock = (int(word) for word in arguments[2:4])
        os.set_inheritable(lock, False)
        in_background(home.journal)
        return Guardian(lambda inheritance: _run(home, inheritance, halted=False), lock).run(socket.socket(fileno=channel))
    home.prepare()
    try:
        for _ in home.read_all():
            pass
    except OtherFormat as error:
        print(error, file=sys.stderr)  # noqa: T201 - its starter shows this line
        return FAILED
    halted = _HALTED in arguments[1:]
    return detach(home.journal, home.lock, lambda inheritance: _run(home, inheritance, halted=halted))


def _run(home: Home, inheritance: Inheritance, *, halted: bool) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    limit_repeats()
    with contextlib.suppress(OSError):  # a full disk must not keep a supervisor from starting
        rotate(home.journal)  # one that is killed again and again as it starts may never do it later
    faulthandler.enable()  # a crash in native code leaves its stack in the log
    become_subreaper()
    asyncio.run(_serve(home, inheritance, halted=halted))
    return 0


async def _serve(home: Home, inheritance: Inheritance, *, halted: bool) -> None:
    await Supervisor(home, inheritance).serve(halted=halted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
