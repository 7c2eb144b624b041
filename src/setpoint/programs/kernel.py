"""The part of ``/proc`` and prctl(2) that the subreaper needs as well: without an import that would delay its start.

``procfs`` builds on it what the rest of Setpoint knows about processes.
"""
# No pathlib, typing or contextlib: each costs milliseconds for every check that runs.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
STATE, PARENT, SESSION = 0, 1, 3
"""Places in ``stat_fields``; the manual (proc(5)) counts the number and the name of the process before them."""


def prctl(option: int, argument: int) -> None:
    """Set a property of this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_subreaper() -> None:
    """Make orphans among the descendants of this process its children, so that it can end them. Raises OSError."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def close_process() -> None:
    """Close this process and the files it makes to others: no core dump, no tracing, ``/proc/PID/environ`` is root's, umask 077.

    What it forks inherits both; an exec keeps the umask and opens the process again. Raises OSError.
    """
    prctl(PR_SET_DUMPABLE, 0)
    os.umask(0o077)


def pids() -> list[int]:
    """Return the number of every process, zombies included."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat_fields(pid: int) -> list[bytes]:
    """Return ``/proc/PID/stat`` from the state of the process on; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # of another user, where /proc hides these
        return []
    return text[text.rindex(b")") + 2 :].split()


def below(ancestors: Iterable[int], parents: Mapping[int, int]) -> list[int]:
    """Return all descendants of ``ancestors``, parents before children, where ``parents`` has the parent of each process.

    A shell that is signalled before its children does not report their end in its output.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, None] = {}
    queue = list(ancestors)
    for ancestor in queue:
        fresh = [child for child in children.get(ancestor, ()) if child not in found]
        found.update(dict.fromkeys(fresh))
        queue += fresh
    return list(found)


def living_descendants(ancestor: int) -> dict[int, int]:
    """Return the processes below ``ancestor`` that have not ended, each with its session."""
    fields = {pid: found for pid in pids() if (found := stat_fields(pid)) and found[STATE] not in b"ZX"}
    parents = {pid: int(found[PARENT]) for pid, found in fields.items()}
    return {pid: int(fields[pid][SESSION]) for pid in below([ancestor], parents)}
