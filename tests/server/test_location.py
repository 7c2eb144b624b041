"""Where an engine answers: an old file is not believed, for its port may be somebody else's by now."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from setpoint.cli.detached import stop
from setpoint.cli.ending import Quit
from setpoint.durable.home import LOCK_FILE
from setpoint.engine.embedded.lock import HomeLock
from setpoint.server import location
from setpoint.server.client import Client, ClientError
from setpoint.server.run import PortTakenError, listen

PLACE = location.Location("http://127.0.0.1:1", os.getpid(), "0")


def test_a_file_left_behind_is_not_believed(tmp_path: Path) -> None:
    HomeLock(tmp_path)
    location.write(tmp_path, PLACE)
    (tmp_path / LOCK_FILE).touch()
    assert location.find(tmp_path) is None
    with pytest.raises(ClientError, match="No engine runs") as caught:
        Client.at(tmp_path)
    assert "setpoint up" in caught.value.hint


def test_a_running_engine_is_found_by_its_lock(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.acquire()
    try:
        assert location.find(tmp_path) is None, "it has not said yet where it answers"
        location.write(tmp_path, PLACE)
        assert location.find(tmp_path) == PLACE
        assert location.holder(tmp_path) is not None
        assert stat.S_IMODE((tmp_path / location.SERVER_FILE).stat().st_mode) == 0o600
    finally:
        lock.release()
    assert location.holder(tmp_path) is None


def test_what_an_engine_that_was_killed_said_is_not_believed_of_the_next_one(tmp_path: Path) -> None:
    location.write(tmp_path, location.Location(PLACE.url, os.getpid() + 1, "0"))
    lock = HomeLock(tmp_path)
    lock.acquire()
    try:
        assert location.find(tmp_path) is None, "the port may be somebody else's by now"
    finally:
        lock.release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": "x"}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    lock = HomeLock(tmp_path)
    lock.acquire()
    try:
        (tmp_path / location.SERVER_FILE).write_text(content)
        assert location.find(tmp_path) is None
    finally:
        lock.release()


def test_a_port_asked_for_that_is_taken_is_an_error_and_the_usual_one_is_not() -> None:
    with listen(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            listen(port)
        with listen(None) as second:
            assert second.getsockname()[0] == "127.0.0.1"


def test_a_home_that_is_another_users_is_told_as_that_and_not_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: object, *more: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ClientError, match="is not open to you: it belongs to the user with the id") as caught:
        Client.at(tmp_path)
    assert "--home" in caught.value.hint
    with pytest.raises(Quit, match="is not open to you"):
        stop(tmp_path)
