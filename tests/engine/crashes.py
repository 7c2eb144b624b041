"""What every engine must survive: its process killed at any point, and asked to end. On real child processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.engine.child import ACTORS
from tests.support.processes import assert_none_left, new_mark

from setpoint.engine.embedded.failpoints import NAMES, VARIABLE

ROOT = Path(__file__).parents[2]
SOURCES = (str(ROOT), str(ROOT / "src"))
COUNT = 24


class Child:
    """One run of ``tests.engine.child``."""

    def __init__(self, maker: str, home: Path, mark: dict[str, str], failpoint: str = "") -> None:
        environment = {
            **os.environ,
            **mark,
            "PYTHONPATH": os.pathsep.join(SOURCES),
            **({VARIABLE: failpoint} if failpoint else {}),
        }
        argv = [sys.executable, "-m", "tests.engine.child", maker, str(home), str(COUNT)]
        self.process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []

    def until(self, word: str) -> str:
        """Read on to the line that begins with ``word``; its rest. Empty when the process ended before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith(word):
                return line.removeprefix(word).strip() or "yes"
        return ""

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it, read what it still says, and its exit status."""
        self.process.send_signal(number)
        self.until("nothing more")
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    @property
    def acked(self) -> set[int]:
        return {int(line.split()[1]) for line in self.lines if line.startswith("acked")}


def check_everything_happened(quiet: dict[str, Any], outside: Path) -> None:
    """Every fact taken once and in order and written down so, every operation performed and its end told once."""
    assert quiet["problems"] == {}
    stories = quiet["stories"]
    assert all(quiet["told"].values()), "the turns written down are not those that were decided"
    for actor in range(ACTORS):
        numbers = range(actor, COUNT, ACTORS)
        story = stories[f"toy:{actor}"]
        assert [entry for entry in story if entry.startswith("m")] == [f"m{number}" for number in numbers]
        assert Counter(entry for entry in story if entry.startswith(("applied", "finished"))) == Counter(
            [f"applied:toy:{actor}/apply/{number}:" for number in numbers]
            + [f"finished:toy:{actor}/check/{number}:passing" for number in numbers]
        )
    sink = stories["toy:sink"]
    assert Counter(entry for entry in sink if entry.startswith("s") and entry[1].isdigit()) == Counter(
        f"s{number}" for number in range(COUNT)
    )
    assert {entry for entry in sink if entry.startswith("status")} == {f"status:p{number}" for number in range(COUNT)}
    performed = Counter(outside.read_text().splitlines())
    assert set(performed) == {f"{kind} toy:{n % ACTORS}/{kind}/{n}" for n in range(COUNT) for kind in ("apply", "check")}


class CrashConformance:
    """Subclasses give ``maker``: ``module:function`` that makes a host from a directory and an outside."""

    maker = ""

    @pytest.fixture
    def mark(self) -> Any:
        mark = new_mark()
        yield mark
        assert_none_left(mark)

    def finish(self, home: Path, mark: dict[str, str]) -> None:
        """Start again, without any failpoint, and see that everything happened."""
        child = Child(self.maker, home, mark)
        quiet = child.until("quiet")
        assert child.end() == 0
        check_everything_happened(json.loads(quiet), home.parent / "outside")

    @pytest.mark.parametrize("count", [1, 9])
    @pytest.mark.parametrize("name", NAMES)
    def test_killed_at_a_failpoint_it_goes_on_where_it_was(
        self, tmp_path: Path, mark: dict[str, str], name: str, count: int
    ) -> None:
        child = Child(self.maker, tmp_path / "home", mark, f"{name}:{count}")
        assert not child.until("quiet"), "the failpoint was never reached"
        assert child.wait() == -signal.SIGKILL
        self.finish(tmp_path / "home", mark)

    @pytest.mark.parametrize("kind", ["Apply", "RunCheck"])
    def test_a_failpoint_can_be_narrowed_to_one_kind_of_instruction(
        self, tmp_path: Path, mark: dict[str, str], kind: str
    ) -> None:
        child = Child(self.maker, tmp_path / "home", mark, f"after-perform/{kind}:5")
        assert not child.until("quiet")
        assert child.wait() == -signal.SIGKILL
        performed = (tmp_path / "outside").read_text().splitlines()
        assert sum(line.startswith("apply" if kind == "Apply" else "check") for line in performed) >= 5
        self.finish(tmp_path / "home", mark)

    def test_killed_again_and_again_at_random_moments_nothing_is_lost(self, tmp_path: Path, mark: dict[str, str]) -> None:
        moments = random.Random(7)
        acked: set[int] = set()
        for _ in range(6):
            child = Child(self.maker, tmp_path / "home", mark)
            child.until("serving")
            child.until(f"acked {moments.randrange(COUNT)}")
            assert child.end(signal.SIGKILL) == -signal.SIGKILL
            acked |= child.acked
        assert acked
        self.finish(tmp_path / "home", mark)

    def test_sigterm_ends_it_in_order_and_the_next_start_goes_on(self, tmp_path: Path, mark: dict[str, str]) -> None:
        child = Child(self.maker, tmp_path / "home", mark)
        child.until("acked 5")
        assert child.end() == 0
        assert child.lines[-1] == "ended\n"
        self.finish(tmp_path / "home", mark)
