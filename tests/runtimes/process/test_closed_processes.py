"""The supervisor is closed to other processes: its environment, its memory, its socket and the files that it makes."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from tests.runtimes.helpers import leaders_of, settled, spec, supervision_of
from tests.support.users import MISSING, PYTHON, USER, needs_users, open_place

from setpoint.programs.users import account_of, closed_to
from setpoint.runtimes.process import ProcessRuntime, shutdown

READ = "import sys; print(len(open(sys.argv[1], 'rb').read()))"
PING = """
import socket, sys
with socket.socket(socket.AF_UNIX) as end:
    end.connect(sys.argv[1])
    end.sendall(b'{"do": "ping"}\\n')
    print(end.recv(4096))
"""


def _umask(process: psutil.Process) -> str:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Umask:"))


def _modes(home: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mode for path in (home, *home.rglob("*"))}


def _ping(path: Path, user: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PYTHON, "-c", PING, str(path)], user=user, capture_output=True, text=True, check=False)


def _open_to_all(home: Path) -> None:
    for path in (home, home / "runtimes", home / "runtimes/local"):
        path.chmod(0o755)
    (home / "runtimes/local/supervisor.sock").chmod(0o666)


@pytest.fixture
def unprivileged() -> str:
    """The user that a supervisor runs as; empty: this one, who is not root."""
    if os.geteuid() != 0:
        return ""
    if MISSING or closed_to(account_of(USER), Path(sys.executable).parent) or closed_to(account_of(USER), Path(__file__).parent):
        pytest.skip(f"needs an interpreter that {USER} may start")
    return USER


@pytest.fixture
def alone(unprivileged: str) -> Iterator[Path]:
    """The data directory of a supervisor of an unprivileged user."""
    with open_place() as place:
        if unprivileged:
            os.chown(place, account_of(unprivileged).uid, -1)
        home = place / "home"
        command = [sys.executable, "-P", "-m", "setpoint.runtimes.process.supervisor", str(home)]
        subprocess.run(command, check=True, user=unprivileged or None, timeout=30, cwd="/")
        yield home  # without an instance it ends after a few seconds


async def test_the_supervisor_gets_nothing_of_the_environment_that_it_does_not_need(
    home: Path, processes: ProcessRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "canary-7f")
    wanted = spec()
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    for process in supervision_of(home):
        try:
            assert "DEPLOY_TOKEN" not in process.environ()
        except psutil.AccessDenied:
            assert os.geteuid() != 0
        assert _umask(process) == "0077"
    assert {_umask(replica) for replica in leaders_of(home)} == {"0022"}


async def test_nothing_that_a_replica_or_the_supervisor_makes_is_open_to_others(home: Path, processes: ProcessRuntime) -> None:
    wanted = spec()
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    found = _modes(home)
    assert any(stat.S_ISSOCK(mode) for mode in found.values())
    assert [f"{path} {mode:o}" for path, mode in found.items() if mode & 0o077] == []
    assert [f"{path}" for path, mode in found.items() if stat.S_ISSOCK(mode) and stat.S_IMODE(mode) != 0o600] == []


def test_another_process_of_the_same_user_cannot_read_the_supervisor(alone: Path, unprivileged: str) -> None:
    for process in supervision_of(alone):
        for what in ("environ", "maps"):
            path = f"/proc/{process.pid}/{what}"
            done = subprocess.run([PYTHON or sys.executable, "-c", READ, path], user=unprivileged or None, capture_output=True)
            assert b"PermissionError" in done.stderr, f"{path} was read: {done.stdout!r}"


@needs_users
async def test_another_user_gets_no_reply_even_where_the_socket_is_open(processes_in_the_open: Path) -> None:
    _open_to_all(processes_in_the_open)
    path = processes_in_the_open / "runtimes/local/supervisor.sock"
    replies = [await asyncio.to_thread(_ping, path, user) for user in (USER, None)]
    assert '"pid"' in replies[1].stdout
    assert '"pid"' not in replies[0].stdout
    assert replies[0].stdout.strip() == "b''" or "ConnectionResetError" in replies[0].stderr or "BrokenPipe" in replies[0].stderr


@pytest.fixture
async def processes_in_the_open() -> AsyncIterator[Path]:
    """A supervisor whose data directory lies where other users come near."""
    with open_place() as place:
        home = place / "home"
        runtime = ProcessRuntime({}, home)
        await runtime.apply("op/1", spec())
        yield home
        await shutdown(home)
