"""Locks between processes: who holds one, for how long, and what a look at one does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from setpoint.durable import locks

HOLDER = """
import sys, time
from pathlib import Path
from setpoint.durable import locks

held = locks.take(Path(sys.argv[1]))
print(held, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


def test_one_holds_it_at_a_time(path: Path) -> None:
    first = locks.take(path)
    assert first is not None
    assert locks.is_held(path)
    assert locks.take(path) is None
    os.close(first)
    assert not locks.is_held(path)
    assert locks.take(path) is not None


def test_it_ends_with_the_last_process_that_inherited_it(path: Path) -> None:
    held = locks.take(path)
    assert held is not None
    heir = subprocess.Popen(["sleep", "1000"], pass_fds=(held,))
    os.close(held)
    assert locks.is_held(path)
    heir.kill()
    heir.wait()
    assert not locks.is_held(path)


def test_it_ends_with_a_process_that_is_killed(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert locks.take(path) is None
        holder.kill()
        holder.wait()
        assert locks.take(path) is not None


def test_a_look_makes_no_file(path: Path) -> None:
    assert not locks.is_held(path)
    assert not path.exists()


def test_patience_outlasts_a_look_and_has_an_end(path: Path) -> None:
    held = locks.take(path)
    assert held is not None
    began = time.monotonic()
    assert locks.take(path, patience=0.1) is None
    assert time.monotonic() - began >= 0.1
    closing = threading.Timer(0.05, os.close, (held,))
    closing.start()
    assert locks.take(path, patience=10) is not None
    closing.join()
    assert time.monotonic() - began < 5


def test_it_is_not_handed_on_to_programs(path: Path) -> None:
    held = locks.take(path)
    assert held is not None
    assert not os.get_inheritable(held)
