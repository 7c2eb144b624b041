"""Replicas of another Unix user: started, recognised, probed and ended as those of the engine's own user."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from tests.runtimes.helpers import INSTANCE, eventually, processes_of, run_processes_of, settled, spec, supervision_of
from tests.support.users import OTHER, PYTHON, USER, needs_users, open_place

from setpoint.model.observation import Observation
from setpoint.model.spec import Spec
from setpoint.plugins.errors import TerminalError
from setpoint.programs.users import account_of, closed_to
from setpoint.runtimes.process import ProcessRuntime, adapter, shutdown
from setpoint.runtimes.process.home import Home

APP = b"""
import json, os, signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import beside
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], start_new_session=True)
names = ("HOME", "USER", "LOGNAME", "TMPDIR", "MORE")
facts = {"ids": os.getresuid() + os.getresgid(), "groups": os.getgroups(), "here": beside.HERE, "pid": os.getpid(),
         "writes": os.access(".", os.W_OK) or os.access("beside.py", os.W_OK)}
facts["environment"] = {name: os.environ.get(name) for name in names}
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
print("serves", flush=True)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
BESIDE = b"import os\nHERE = os.path.dirname(os.path.realpath(__file__))\n"


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    with open_place() as place:
        made = place / "home"
        made.mkdir(0o700)
        yield made
        await shutdown(made)
        assert processes_of(made) == []


def stored(home: Path, version: str = "1", *arguments: str, **more: Any) -> Spec:
    """A version with files of its own, which are in the store of contents."""
    contents = {"app/app.py": APP, "app/beside.py": BESIDE}
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    (home / "files").mkdir(mode=0o700, exist_ok=True)
    for name, sha256 in found.items():
        (home / "files" / sha256).write_bytes(contents[name])
    more = {"user": USER, "directory": "app", "command": [PYTHON, "app.py", *arguments], **more}
    return spec(version, files=found, **more)


def facts(seen: Observation) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(seen.links["address"], trust_env=False).json()
    return found


@needs_users
async def test_a_replica_runs_as_its_user_among_files_that_it_can_only_read(home: Path, processes: ProcessRuntime) -> None:
    wanted = stored(home, env={"MORE": "more", "LOGNAME": "configured"})
    await processes.apply("op/1", wanted)
    seen, account = facts(await settled(processes, wanted)), account_of(USER)
    assert seen["ids"] == [account.uid] * 3 + [account.gid] * 3
    assert set(seen["groups"]) == set(account.groups)
    assert seen["environment"] == {
        "HOME": account.home, "USER": USER, "LOGNAME": "configured", "TMPDIR": None, "MORE": "more"
    }  # fmt: skip
    assert not seen["writes"]
    assert Path(seen["here"]).is_relative_to(home.with_name("home.users") / USER)
    assert closed_to(account_of(OTHER), Path(seen["here"])) == home.with_name("home.users") / USER
    assert [tree.name for tree in Home(home).all_trees()] == [wanted.digest]
    assert [line.text async for line in processes.logs(INSTANCE)] == ["serves"]
    log = next(Home(home).logs_of(INSTANCE).glob("*.log")).stat()
    assert (log.st_uid, log.st_mode & 0o777) == (0, 0o600)


@needs_users
async def test_what_ignores_the_signal_and_what_left_the_group_ends(home: Path, processes: ProcessRuntime) -> None:
    wanted = stored(home, "1", "--stubborn", stopTimeout="300ms")
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)
    everything = [process for process in run_processes_of(home) if process.uids().real == account_of(USER).uid]
    assert len({os.getsid(process.pid) for process in everything}) == 2
    await processes.remove("op/2", INSTANCE)

    async def ended() -> bool:
        return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everything)

    await eventually("all of it ended", ended)


@needs_users
async def test_a_replica_is_recognised_by_the_next_supervisor(home: Path, processes: ProcessRuntime) -> None:
    wanted = stored(home)
    await processes.apply("op/1", wanted)
    before = facts(await settled(processes, wanted))["pid"]
    _, supervisor = supervision_of(home)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(5)
    assert facts(await settled(processes, wanted))["pid"] == before
    os.kill(before, signal.SIGKILL)

    async def again() -> bool:
        return facts(await settled(processes, wanted))["pid"] != before

    await eventually("another one runs", again)


@needs_users
async def test_a_health_command_runs_as_the_user(home: Path, processes: ProcessRuntime) -> None:
    command = ["sh", "-c", f'[ "$(id -un) $HOME" = "{USER} {account_of(USER).home}" ]']
    wanted = stored(home, health={"command": command, "interval": 100})
    await processes.apply("op/1", wanted)
    await settled(processes, wanted)


@needs_users
async def test_a_user_that_was_deleted_since_is_the_reason_shown(
    home: Path, processes: ProcessRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = account_of(USER)._replace(name="deleted")
    monkeypatch.setattr(adapter, "account_of", lambda _: account)
    wanted = stored(home, user="deleted")
    await processes.apply("op/1", wanted)

    async def shown() -> bool:
        seen = await processes.observe(INSTANCE, wanted)
        return any('could not be started: the user "deleted" does not exist' in one.message for one in seen.objects)

    await eventually("the reason is shown", shown)


@needs_users
async def test_what_the_user_cannot_reach_is_refused_with_the_directory(home: Path) -> None:
    closed = home / "app"
    closed.mkdir()
    with pytest.raises(TerminalError, match=f'the user "{USER}" may not enter {home}, on the way to process.directory'):
        await ProcessRuntime({}, home).apply("op/1", stored(home, directory=str(closed)))
    with pytest.raises(TerminalError, match=f'the user "{USER}" may not enter {home}, and so cannot reach'):
        await ProcessRuntime({}, home / "deep").apply("op/1", stored(home))


async def test_a_user_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match='the user "no-such-user" does not exist on this machine'):
        await ProcessRuntime({}, tmp_path).apply("op/1", spec("1", user="no-such-user"))
