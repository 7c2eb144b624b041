"""Which processes are there, by pid and start time or by a mark in their environment, which no fork and no session sheds."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import psutil
from tests.support.eventually import wait_until

MARK = "SETPOINT_TEST_MARK"


def new_mark() -> dict[str, str]:
    """An environment entry to give to whatever a test starts."""
    return {MARK: uuid.uuid4().hex}


def marked(mark: dict[str, str]) -> list[psutil.Process]:
    """Living processes that were started with the mark, zombies aside."""
    wanted = f"{MARK}={mark[MARK]}".encode()
    return [process for process in psutil.process_iter() if wanted in _environment(process.pid) and is_alive(process)]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def is_alive(process: psutil.Process) -> bool:
    """By pid and start time; a zombie is dead."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def words_of(process: psutil.Process) -> list[str]:
    """Return its command line; empty if it ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Living processes below ``pid`` (this process), zombies aside."""
    return [process for process in psutil.Process(pid or os.getpid()).children(recursive=True) if is_alive(process)]


def assert_none_left(mark: dict[str, str], within: float = 15) -> None:
    """Fails naming what still runs with the mark after ``within`` seconds."""
    wait_until(lambda: not marked(mark), within, lambda: f"still running: {[words_of(process) for process in marked(mark)]}")
