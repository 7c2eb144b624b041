"""The command line as people run it: a process (mostly a fork of one), 80 columns, no colour unless a test wants it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.cli.forks import forks
from tests.support.eventually import wait_until

from setpoint.server import location

CONFIGURATION = """
kind: Runtime
name: pretend
fake: {}
poll: {moving: 20ms, settled: 200ms}
---
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: production
    runtime: pretend
    after: staging
    approvals: [{topic: release-manager, from: "group:release-managers"}]
---
kind: Service
application: saas
name: web
parameters: {becomes: {default: healthy, carry: false}}
fake: {becomes: "${params.becomes}"}
env: {VERSION: "${version}"}
progressDeadline: 300ms
"""


class Terminal:
    """Runs `setpoint` on one data directory."""

    def __init__(self, home: Path, mark: dict[str, str] | None = None) -> None:
        self.home = home
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SETPOINT_")},
            **(mark or {}),
            "SETPOINT_HOME": str(home),
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "TERM": "dumb",
        }

    def run(self, *words: str, token: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return forks().run(words, {**self.environment, **({"SETPOINT_TOKEN": token} if token else {}), **environment})

    def ok(self, *words: str, token: str = "") -> str:
        """Its output; fails the test when it does not end well."""
        done = self.run(*words, token=token)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str, token: str = "") -> Any:
        """Its answer as data."""
        return json.loads(self.ok(*words, "--output", "json", token=token))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """One command that goes on."""
        return subprocess.Popen(
            self.argv(*words), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def engine(self) -> None:
        """An engine, as a fork: `up --detach` imports everything once more."""
        self.home.mkdir(mode=0o700)
        log = self.home / location.LOG_FILE
        log.touch(0o600)
        forks().start(("up",), self.environment, log)
        wait_until(lambda: location.find(self.home), 60, log.read_text)

    def person(self, name: str, *groups: str) -> str:
        """A token for a person."""
        return self.ok("token", "create", name, *(word for group in groups for word in ("--group", group))).strip()

    @staticmethod
    def argv(*words: str) -> list[str]:
        """The command as it is started."""
        return [sys.executable, "-m", "setpoint.cli", *words]

    def typed(self, *words: str, answer: str, **environment: str) -> tuple[int, str]:
        """One command on a terminal, where a person types an answer to its question; status and everything shown."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            self.argv(*words), env={**self.environment, **environment}, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
        )
        os.close(theirs)
        try:
            shown = _talk(ours, answer)
            return process.wait(30), shown
        finally:
            os.close(ours)
            process.kill()
            process.wait()


def _talk(terminal: int, answer: str) -> str:
    shown, answered, deadline = b"", False, time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if b"[y/N]" in shown and not answered:
            os.write(terminal, f"{answer}\n".encode())
            answered = True
    return shown.decode()
