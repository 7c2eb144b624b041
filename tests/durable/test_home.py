"""A data directory that another user could read or replace is refused, as sshd refuses such keys."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from tests.support.users import USER, needs_users

from setpoint.cli.ending import Quit
from setpoint.cli.session import home_of
from setpoint.durable.home import LOCK_FILE, unsafe
from setpoint.engine.embedded.lock import HomeLock
from setpoint.engine.errors import UnsafeHome
from setpoint.programs.users import account_of
from setpoint.server import location


def _give(path: Path) -> None:
    os.chown(path, account_of(USER).uid, -1, follow_symlinks=False)


@pytest.mark.parametrize(
    ("modes", "safe"),
    [
        ({}, True),
        ({"a": 0o755, "a/home": 0o700}, True),
        ({"a": 0o1777}, True),
        ({"a": 0o777}, False),
        ({"a": 0o770}, False),
        ({"a/home": 0o720}, False),
        ({"a/home": 0o1777}, False),
    ],
)
def test_a_directory_that_others_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modes: dict[str, int], *, safe: bool
) -> None:
    monkeypatch.setattr("setpoint.durable.home._is_private", lambda _: False)
    home = tmp_path / "a" / "home"
    home.mkdir(parents=True, mode=0o700)
    home.parent.chmod(0o700)
    for name, mode in modes.items():
        (tmp_path / name).chmod(mode)
    assert (unsafe(home) == "") is safe
    if not safe:
        with pytest.raises(Quit, match="is writable by other users"):
            home_of(home)


@pytest.mark.parametrize(
    ("members", "primary", "safe"),
    [([], ["me"], True), (["me"], [], True), (["eve"], ["me"], False), ([], ["me", "eve"], False), ([], [], False)],
)
def test_a_group_of_this_user_alone_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], primary: list[str], *, safe: bool
) -> None:
    """Many systems give each user a group, and umask 002."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    home.chmod(0o770)
    group = home.stat().st_gid

    def account(name: str, number: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", number, group if name in primary else group + 1, "", "/", "/bin/sh"))

    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group(("g", "x", group, members)))
    monkeypatch.setattr(pwd, "getpwuid", lambda number: account("me", number))
    monkeypatch.setattr(pwd, "getpwall", lambda: [account("me", os.geteuid()), account("eve", 12345)])
    assert (unsafe(home) == "") is safe


def test_a_directory_that_is_not_there_yet_is_judged_by_those_above(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    assert unsafe(tmp_path / "a" / "new" / "home") == ""
    (tmp_path / "a").chmod(0o777)
    assert str(tmp_path / "a") in unsafe(tmp_path / "a" / "new" / "home")


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    for name in ("closed", "open"):
        (tmp_path / name / "home").mkdir(parents=True, mode=0o700)
        (tmp_path / f"to-{name}").symlink_to(tmp_path / name / "home")
    (tmp_path / "closed").chmod(0o700)
    (tmp_path / "open").chmod(0o777)
    assert unsafe(tmp_path / "to-closed") == ""
    assert str(tmp_path / "open") in unsafe(tmp_path / "to-open")


@needs_users
@pytest.mark.parametrize("whose", ["home", "parent", "link", "target"])
def test_a_directory_of_another_user_is_refused(tmp_path: Path, whose: str) -> None:
    parent = tmp_path / "parent"
    home, link = parent / "home", tmp_path / "link"
    home.mkdir(parents=True, mode=0o700)
    parent.chmod(0o700)
    link.symlink_to(home)
    _give({"home": home, "parent": parent, "link": link, "target": home}[whose])
    with pytest.raises(Quit, match=r"belongs to the user with the id \d+"):
        home_of(link if whose in {"link", "target"} else home)


@needs_users
def test_an_address_that_another_user_wrote_is_not_followed(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.acquire()
    try:
        location.write(tmp_path, location.Location("http://127.0.0.1:1", os.getpid(), "0"))
        assert (tmp_path / LOCK_FILE).exists()
        assert location.find(tmp_path) is not None
        _give(tmp_path / location.SERVER_FILE)
        assert location.find(tmp_path) is None
    finally:
        lock.release()


@needs_users
def test_a_link_between_two_links_is_judged(tmp_path: Path) -> None:
    for name in ("ok", "evil"):
        (tmp_path / name).mkdir(mode=0o755)
    (tmp_path / "evil" / "mid").symlink_to(tmp_path / "ok")
    (tmp_path / "start").symlink_to(tmp_path / "evil" / "mid")
    assert unsafe(tmp_path / "start" / "home") == ""
    for path in (tmp_path / "evil" / "mid", tmp_path / "evil"):
        _give(path)
        assert str(path) in unsafe(tmp_path / "start" / "home")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert unsafe(tmp_path / "a" / "home") == ""


@needs_users
def test_a_home_that_another_user_makes_between_check_and_use_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert home_of(home) == home
    home.mkdir(mode=0o777)
    _give(home)
    with pytest.raises(UnsafeHome, match="belongs to the user"):
        HomeLock(home).acquire()
