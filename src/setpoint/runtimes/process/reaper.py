"""Ends of processes as futures: of children by SIGCHLD, of adopted ones by a process handle.

The supervisor reaps everything, also orphans that became its children, so nothing else may wait for a child here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess

from setpoint.programs import users
from setpoint.programs.procfs import Identity, is_alive

_FILES = 65_536
"""Descriptors that a supervisor allows itself, where the system lets it."""


class Reaper:
    """One for each supervisor; made inside its running loop."""

    def __init__(self) -> None:
        self._files = more_files()
        self._waiting: dict[int, asyncio.Future[int | None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def spawn(
        self,
        command: list[str],
        directory: str | None,
        env: dict[str, str],
        output: int,
        passed: tuple[int, ...] = (),
        user: str = "",
    ) -> tuple[int, asyncio.Future[int | None]]:
        """Start a program in a session of its own; its number and its exit code to come (negative: a signal).

        ``passed``: descriptors that it gets beside its output. ``user``: the Unix user that it runs as; empty: this one.

        Raises:
            OSError: it cannot be started (not found, not executable, no such directory). UserError: not as this user.
        """
        account = users.account_of(user) if user else None
        with users.entered_by(account, directory) if account and directory else contextlib.nullcontext(directory) as place:
            process = subprocess.Popen(
                command,
                cwd=place or None,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=passed,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=account.groups if account else None,
                umask=users.UMASK,
            )
        # The number cannot be reaped before the next turn of the loop, which is also where the future is set.
        process.returncode = 0
        # It ended already; or it is another user's, and root without CAP_SYS_RESOURCE: then it keeps the limit of the supervisor.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, self._files)
        ended: asyncio.Future[int | None] = self._loop.create_future()
        self._waiting[process.pid] = ended
        return process.pid, ended

    def adopt(self, identity: Identity) -> asyncio.Future[int | None] | None:
        """Return the end of a process that is not a child (its code stays unknown: None); None when it has ended already."""
        try:
            handle = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return None
        if not is_alive(identity):
            os.close(handle)
            return None
        ended: asyncio.Future[int | None] = self._loop.create_future()
        self._loop.add_reader(handle, self._adopted_ended, handle, ended)
        return ended

    def _adopted_ended(self, handle: int, ended: asyncio.Future[int | None]) -> None:
        self._loop.remove_reader(handle)
        os.close(handle)
        if not ended.done():
            ended.set_result(None)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._waiting.pop(pid, None)
            if ended is not None and not ended.done():
                ended.set_result(os.waitstatus_to_exitcode(status))


def more_files() -> tuple[int, int]:
    """Let the addresses of this process have many clients; returns the limits as they were, which replicas get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return soft, hard


def describe_exit(code: int | None) -> str:
    """``exited with 3``, ``was killed by SIGKILL``, or plain ``ended`` when the code is unknown."""
    if code is None:
        return "ended"
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
