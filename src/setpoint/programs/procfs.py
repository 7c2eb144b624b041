"""Processes of this machine: which they are, whose they are, what they use, where they listen.

A process is never recognised by its number alone. An ``Identity`` adds the time it was started at; a *run* – a random name given
to each start of a replica, in its environment as ``SETPOINT_RUN`` and so in that of all its descendants – shows to which replica
a process belongs even after it left the process group or lost its parent. Source of the fields: proc(5).

psutil has the same facts at ten times the cost, and no handle by which a process can be signalled safely.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from setpoint.programs import kernel

RUN = "SETPOINT_RUN"
_RUN_BYTES = RUN.encode() + b"="
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


_LISTENING = "0A"
_NO_PROCESS = (FileNotFoundError, ProcessLookupError)


class Identity(NamedTuple):
    """A process that cannot be confused with a later one of the same number; ``start`` is in clock ticks since boot."""

    pid: int
    start: int


class Stat(NamedTuple):
    """The part of ``/proc/PID/stat`` that matters here."""

    identity: Identity
    state: str
    parent: int
    session: int
    cpu: float
    """Seconds of processor time."""
    memory: int
    """Resident bytes."""

    @property
    def dead(self) -> bool:
        """A zombie has ended; only its parent has not reaped it yet."""
        return self.state in "ZX"


class Listener(NamedTuple):
    """A TCP socket that listens; ``user`` made it."""

    inode: int
    user: int


def boot_id() -> str:
    """Different after every boot of the machine: start times only compare within one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_stat(pid: int) -> Stat | None:
    """Return None when the process is gone."""
    fields = kernel.stat_fields(pid)
    if not fields:
        return None
    return Stat(
        identity=Identity(pid, int(fields[19])),
        state=fields[kernel.STATE].decode(),
        parent=int(fields[kernel.PARENT]),
        session=int(fields[kernel.SESSION]),
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        memory=int(fields[21]) * _PAGE,
    )


def is_alive(identity: Identity) -> bool:
    """Whether this very process runs: same number and same start, not a zombie."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.identity == identity and not stat.dead


def run_of(pid: int) -> str:
    """The run a process belongs to by its environment; empty when it has none or may not be read."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    for entry in environment.split(b"\0"):
        if entry.startswith(_RUN_BYTES):
            return entry[len(_RUN_BYTES) :].decode("ascii", "replace")
    return ""


def living() -> Iterator[Stat]:
    """Every process that has not ended."""
    for pid in kernel.pids():
        stat = read_stat(pid)
        if stat is not None and not stat.dead:
            yield stat


def runs_with(prefix: str) -> dict[str, list[Stat]]:
    """All living processes whose run begins with ``prefix``, by run, oldest first."""
    found: dict[str, list[Stat]] = {}
    for stat in living():
        run = run_of(stat.identity.pid)
        if run.startswith(prefix):
            found.setdefault(run, []).append(stat)
    for stats in found.values():
        stats.sort(key=lambda stat: (stat.identity.start, stat.identity.pid))
    return found


def members(run: str, leader: Identity | None) -> set[Identity]:
    """Every living process of a run: marked by it, in its leader's session, or a descendant of one that is."""
    stats = {stat.identity.pid: stat for stat in living()}
    led = read_stat(leader.pid) if leader is not None else None
    # While the leader is there, dead or alive, no other process can have its number, nor its session.
    session = leader.pid if led is not None and leader is not None and led.identity == leader else None
    oldest = leader.start if leader is not None else 0
    chosen = {
        pid
        for pid, stat in stats.items()
        if stat.identity.start >= oldest and (session in {pid, stat.session} or run_of(pid) == run)
    }
    chosen.update(kernel.below(chosen, {pid: stat.parent for pid, stat in stats.items()}))
    return {stats[pid].identity for pid in chosen if pid in stats}


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process; False when it has ended. The handle is opened before the check, so no successor can be hit."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def send_all(identities: Iterable[Identity], number: signal.Signals) -> None:
    """Signal each of them that still lives."""
    for identity in identities:
        send(identity, number)


def usage(leader: Identity) -> tuple[float, int]:
    """Processor seconds and resident bytes of a process and all its present descendants."""
    cpu, memory, queue = 0.0, 0, [leader.pid]
    while queue:
        pid = queue.pop()
        stat = read_stat(pid)
        if stat is not None:
            cpu, memory = cpu + stat.cpu, memory + stat.memory
            queue.extend(children_of(pid))
    return cpu, memory


def children_of(pid: int) -> list[int]:
    """Numbers of the children of a process, ended ones included."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are wanted, not paths
        return [int(child) for thread in threads for child in _thread_children(pid, thread)]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _thread_children(pid: int, thread: str) -> list[bytes]:
    return Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()


def listeners_at(port: int) -> list[Listener]:
    """Return the sockets that get connections to ``port`` of 127.0.0.1. Raises OSError.

    That is decided by the kernel: one that is bound to that address comes before one bound to all addresses, IPv4 before IPv6.
    """
    found: dict[str, list[Listener]] = {}
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/net/{table}")
        if table == "tcp6" and not path.exists():  # a kernel without IPv6
            continue
        for line in path.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == _LISTENING and int(number, 16) == port:
                found.setdefault(address, []).append(Listener(int(fields[9]), int(fields[7])))
    local = [*found.get(_in_table("127.0.0.1"), []), *found.get(_in_table("::ffff:127.0.0.1"), [])]
    return local or found.get(_in_table("0.0.0.0"), []) or found.get(_in_table("::"), [])  # noqa: S104 - read, not bound


def _in_table(address: str) -> str:
    """Return an address as the tables show it: in words of the machine's byte order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))


def sockets_of(pid: int) -> dict[int, str]:
    """Return the sockets of a process by inode, each with the path of a descriptor. Raises PermissionError."""
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except _NO_PROCESS:
        return {}
    found = {}
    for path in descriptors:
        try:
            kind, _, rest = os.readlink(path).partition(":[")  # noqa: PTH115 - no path: ``socket:[123]``
        except _NO_PROCESS:  # closed meanwhile
            continue
        if kind == "socket":
            found[int(rest[:-1])] = str(path)
    return found


def is_open(path: str, inode: int) -> bool:
    """Whether the descriptor at ``path``, from ``sockets_of``, still is that socket."""
    try:
        return os.readlink(path) == f"socket:[{inode}]"  # noqa: PTH115 - no path
    except OSError:
        return False


def user_of(pid: int) -> int:
    """Return the number of the user as whom a process makes files and sockets; -1 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
    except _NO_PROCESS:
        return -1
    return next(int(line.split()[4]) for line in lines if line.startswith(b"Uid:"))
