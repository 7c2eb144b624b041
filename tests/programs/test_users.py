"""Which users there are to run as, what they may enter, and a program that runs as one of them."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import secrets
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.users import OTHER, PYTHON, USER, needs_users, open_place

from setpoint.programs import users
from setpoint.programs.procfs import RUN, members, user_of
from setpoint.programs.runner import Program, ProgramResult, run_program
from setpoint.programs.users import Account, UserError, account_of, closed_to, directory_of
from setpoint.runtimes.process.home import Home


@pytest.fixture
def home() -> Iterator[Path]:
    with open_place() as place:
        made = place / "home"
        made.mkdir(0o700)
        yield made


@pytest.mark.parametrize(
    ("name", "why"), [("no-such-user", "does not exist"), ("a\0b", "does not exist"), ("root", "has all rights of the engine")]
)
def test_a_user_that_nothing_can_run_as_is_refused_with_its_reason(name: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        account_of(name)


def test_an_engine_that_is_not_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UserError, match='as the user "nobody": the engine runs as uid 1000: run it as root, or remove `user`'):
        account_of(USER)


def test_a_root_without_capabilities_says_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Name:\tpython\nCapEff:\t0000000000000061\n")
    with pytest.raises(UserError, match="the engine lacks CAP_SETUID, CAP_SYS_PTRACE: add what is missing"):
        account_of(USER)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Name:\tpython\nCapEff:\t00000000000800e1\n")
    assert account_of(USER).uid == pwd.getpwnam(USER).pw_uid


@needs_users
def test_files_of_a_user_can_be_entered_by_that_user_alone_whatever_the_umask_is(home: Path) -> None:
    user, other = account_of(USER), account_of(OTHER)
    before = os.umask(0o077)
    try:
        place = directory_of(home, user, "trees", "web")
    finally:
        os.umask(before)
    assert place == home.with_name("home.users") / USER / "trees" / "web"
    assert closed_to(user, place) is None
    assert closed_to(other, place) == place.parents[1]
    assert stat.S_IMODE(place.parents[1].stat().st_mode) == 0o710
    assert {one.stat().st_uid for one in (place, *place.parents[:3])} == {0}


@needs_users
def test_a_data_directory_that_the_user_cannot_come_near_is_refused(home: Path) -> None:
    closed = home / "deep"
    with pytest.raises(UserError, match=f"may not enter {home}, and so cannot reach .*choose a data directory"):
        directory_of(closed, account_of(USER))


@needs_users
@pytest.mark.parametrize("planted", ["link", "directory"])
def test_a_directory_that_another_user_put_there_is_refused(home: Path, planted: str) -> None:
    place = home.with_name("home.users")
    if planted == "link":
        place.symlink_to(home)
    else:
        place.mkdir()
        os.chown(place, account_of(OTHER).uid, -1)
    with pytest.raises(UserError, match="is not a directory of the engine's user: remove it"):
        directory_of(home, account_of(USER))


def test_what_a_user_may_enter_is_decided_by_the_first_class_that_fits(tmp_path: Path) -> None:
    found = tmp_path.resolve()
    own = found.stat()
    for mode, uid, group, closed in [
        (0o611, own.st_uid, own.st_gid, True),
        (0o100, own.st_uid, own.st_gid, False),
        (0o701, own.st_uid + 1, own.st_gid, True),
        (0o710, own.st_uid + 1, own.st_gid, False),
        (0o710, own.st_uid + 1, own.st_gid + 1, True),
        (0o701, own.st_uid + 1, own.st_gid + 1, False),
    ]:
        found.chmod(mode)
        account = Account("x", uid, group, (group,), "/")
        assert (not users._enters(account, found.stat())) is closed, oct(mode)
    found.chmod(0o700)


LOOK = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
umask = os.umask(0)
print(json.dumps({"ids": os.getresuid() + os.getresgid(), "groups": os.getgroups(), "umask": umask,
                  "capabilities": int(status["CapPrm"], 16) | int(status["CapEff"], 16) | int(status["CapAmb"], 16)}))
"""


async def as_user(*command: str, within: int = 10_000, directory: str = "") -> ProgramResult:
    environment = {"PATH": os.environ["PATH"]}
    return await run_program(Program(list(command), environment, directory=directory, account=account_of(USER)), within)


@needs_users
async def test_a_program_has_the_ids_of_its_user_and_no_capability() -> None:
    seen = json.loads((await as_user(PYTHON, "-c", LOOK)).stdout)
    account = account_of(USER)
    assert seen["ids"] == [account.uid] * 3 + [account.gid] * 3
    assert set(seen["groups"]) == set(account.groups)
    assert (seen["umask"], seen["capabilities"]) == (0o022, 0)


@needs_users
async def test_a_program_of_another_user_ends_at_its_timeout_with_what_left_its_group() -> None:
    ended = await as_user("sh", "-c", "trap '' TERM; setsid sleep 600 & sleep 600", within=300)
    assert (ended.how, ended.left) == ("timeout", 0)


@needs_users
async def test_a_directory_is_entered_as_the_user(home: Path) -> None:
    ended = await as_user("true", directory=str(home))
    assert (ended.how, ended.stage, ended.permanent) == ("not-started", "directory", True)


@needs_users
async def test_a_program_of_another_user_ends_with_the_process_that_supervises_it() -> None:
    """A change of the user clears the signal that is sent when the parent dies: prctl(2)."""
    mark = {RUN: f"test.{secrets.token_hex(8)}"}
    program = Program(["sleep", "600"], {"PATH": os.environ["PATH"], **mark}, mark=mark, account=account_of(USER))
    running = asyncio.create_task(run_program(program, 60_000))

    def owners() -> dict[int, int]:
        return {user_of(identity.pid): identity.pid for identity in members(mark[RUN], None)}

    await eventually(lambda: account_of(USER).uid in owners(), 10, "the program did not start")
    os.kill(owners()[0], signal.SIGKILL)
    assert (await running).how == "lost"
    await eventually(lambda: not members(mark[RUN], None), 5, "it runs on")


def test_what_another_user_puts_beside_the_data_directory_is_no_directory_of_trees(home: Path, tmp_path: Path) -> None:
    """Trees that nothing uses are removed: a link must not lead anywhere else."""
    victim = tmp_path / "victim"
    (victim / "precious").mkdir(parents=True)
    shared = users.directory_of_all(home)
    for place in ("a/trees/web", "b/trees", "c"):
        (shared / place).mkdir(parents=True)
    (shared / "a/trees/web/digest").symlink_to(victim)
    (shared / "b/trees/web").symlink_to(victim)
    (shared / "c/trees").symlink_to(victim)
    (shared / "d").symlink_to(victim)
    (shared / "a/trees/web/own").mkdir()
    assert [path.name for path in Home(home).all_trees()] == ["own"]


@needs_users
def test_trees_of_a_directory_that_is_not_the_engines_are_none(home: Path) -> None:
    (users.directory_of_all(home) / "a/trees/web/digest").mkdir(parents=True)
    assert list(Home(home).all_trees())
    os.chown(users.directory_of_all(home), account_of(USER).uid, -1)
    assert list(Home(home).all_trees()) == []


@needs_users
def test_a_directory_that_was_replaced_by_a_link_is_judged_where_it_leads(home: Path) -> None:
    account = account_of(USER)
    closed = home / "closed"
    (closed / "inner").mkdir(parents=True)
    place = home.parent / "place"
    place.mkdir()
    with users.entered_by(account, str(place)) as path:
        place.rename(home.parent / "moved")
        place.symlink_to(closed / "inner")
        assert Path(path).resolve() == home.parent / "moved"
    with pytest.raises(UserError, match="may not enter"), users.entered_by(account, str(place)):
        pass
