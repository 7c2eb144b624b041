"""Logs are read from regular files of their own directory: no link, FIFO, device or directory in the place of one is read."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.runtimes.process.logs import log_file, read, rotate_all

SECRET = "sp_canary_of_another_file"


def _link(path: Path) -> None:
    other = path.parent.parent / "admin.token"
    other.write_text(f"{SECRET}\n")
    path.symlink_to(other)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


IMPOSTORS: dict[str, Callable[[Path], None]] = {
    "link": _link,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to nothing": lambda path: path.symlink_to(path.parent / "nothing"),
    "FIFO": os.mkfifo,
    "directory": Path.mkdir,
    "socket": _socket,
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("name", IMPOSTORS)
@pytest.mark.parametrize("suffix", [".log", ".log.1"])
async def test_what_stands_in_the_place_of_a_log_is_not_read(tmp_path: Path, name: str, suffix: str) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    log_file(directory, "web-1").write_text("own line\n")
    IMPOSTORS[name](log_file(directory, "web-2").with_suffix(suffix))
    found = [line.text async for line in read(directory, lambda: ["web-1", "web-2"], lines=10, follow=False)]
    assert found == ["own line"]


@pytest.mark.parametrize("name", ["../admin", "../../admin", "/admin", "x/../../admin"])
async def test_a_name_with_directories_leads_to_no_other_directory(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "a" / "logs"
    directory.mkdir(parents=True)
    for place in (tmp_path, tmp_path / "a"):
        (place / "admin.log").write_text(f"{SECRET}\n")
    assert [line.text async for line in read(directory, lambda: [name], lines=10, follow=False)] == []


async def test_a_directory_of_logs_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    log_file(other, "web-1").write_text(f"{SECRET}\n")
    (tmp_path / "logs").symlink_to(other)
    assert [line.text async for line in read(tmp_path / "logs", lambda: ["web-1"], lines=10, follow=False)] == []


async def test_following_passes_over_what_takes_the_place_of_a_log(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    path = log_file(directory, "web-1")
    path.write_text("own line\n")
    following = read(directory, lambda: ["web-1", "web-2"], lines=10, follow=True)
    assert (await anext(following)).text == "own line"
    path.unlink()
    _link(path)
    log_file(directory, "web-2").write_text("the other\n")
    assert (await asyncio.wait_for(anext(following), 5)).text == "the other"
    await following.aclose()  # type: ignore[attr-defined]  # it is a generator


def test_rotating_cuts_no_file_that_a_link_names(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    _link(log_file(directory, "web-1"))
    rotate_all(directory, cap=3)
    assert (tmp_path / "admin.token").read_text() == f"{SECRET}\n"
