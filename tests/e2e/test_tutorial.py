"""docs/tutorial.md works as it is written: its files, its commands, and what they print.

Ports and folders differ here, durations differ with each run, and `...` stands for lines that the page leaves out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import wait_until
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(python|yaml|sh|console)\n(.*?)```", re.DOTALL)
ASSIGNED = re.compile(r"(\w+)=\$\((.*)\)")
READING = ("setpoint status", "setpoint explain", "curl")
WRITTEN = {"python": "web/app.py", "yaml": "setpoint.yaml"}
PATIENCE = 60.0


class Tutorial:
    """A reader of the page, with a folder and two ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hello"
        page = (ROOT / "docs" / "tutorial.md").read_text("utf-8").replace("/tmp/hello", str(self.folder))
        for shown in ("21180", "21181"):
            page = page.replace(shown, str(free_port()))
        self.blocks = BLOCK.findall(page.split("## 2.")[1])
        program = folder / "bin" / "setpoint"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m setpoint.cli "$@"\n')
        program.chmod(0o755)
        self.env = os.environ | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "SETPOINT_HOME": str(self.folder / "engine"),
            "COLUMNS": "80",
        }

    def follow(self) -> Iterator[str]:
        """Do what the page shows, from top to bottom; yield each command."""
        (self.folder / "web").mkdir(parents=True)
        for kind, text in self.blocks:
            if kind in WRITTEN:
                (self.folder / WRITTEN[kind]).write_text(text)
            elif kind == "console":
                yield from map(self.see, text.split("$ ")[1:])
            else:
                yield from map(self.do, text.splitlines())

    def see(self, screen: str) -> str:
        """Run the command of a screen until it prints what is shown; only one that reads may be repeated."""
        command, _, shown = screen.partition("\n")
        printed = [self.run(command).stdout]

        def fits() -> bool:
            if command.startswith(READING) and not expected(shown).fullmatch(plain(printed[-1])):
                printed.append(self.run(command).stdout)
            return expected(shown).fullmatch(plain(printed[-1])) is not None

        wait_until(fits, PATIENCE if command.startswith(READING) else 0, lambda: f"{command} printed:\n{printed[-1]}", every=0.5)
        return command

    def do(self, line: str) -> str:
        """Run a line of shell until it succeeds: an approval may have to wait for its release."""
        assigned = ASSIGNED.fullmatch(line)
        printed: list[str] = []

        def succeeds() -> bool:
            done = self.run(assigned[2] if assigned else line)
            printed.append(done.stdout)
            return done.returncode == 0

        wait_until(succeeds, PATIENCE, lambda: f"{line} printed:\n{printed[-1]}", every=0.5)
        if assigned:
            self.env[assigned[1]] = printed[-1].strip()
        return line

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
        )


def plain(text: str) -> str:
    """The words of a screen, with every duration as `0s` and the engine's own port as 7350."""
    text = re.sub(r"\b\d+s\b", "0s", text)
    return " ".join(re.sub(r"(answers at http://127\.0\.0\.1:)\d+", r"\g<1>7350", text).split())


def expected(shown: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part.strip()) + r"\s*" for part in plain(shown).split("...")), re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial shows curl")
def test_the_tutorial_works_as_it_is_written(tmp_path):
    tutorial = Tutorial(tmp_path)
    try:
        done = list(tutorial.follow())
    finally:
        tutorial.run("setpoint down --services")
    assert [line for line in done if "rollback" in line] != []
    assert done[-1] == "setpoint down --services"
