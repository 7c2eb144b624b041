"""A process that has loaded Setpoint and forks engines from itself: a hundred starts cost seconds, not minutes.

Run as a script it is that process: one job a line on standard input, one answer a line on standard output, until input ends. What
it forks is a process of its own in a session of its own, killed and reaped like any other; only its loading was done before.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from setpoint.cli.main import main

LOADED = (
    "setpoint.server.run",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.lifespan.off",
)
"""Everything that `setpoint up` loads as it starts."""


class Nursery:
    """The side of the tests."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Fork, and run the command line there."""
        return Child(self, int(self.ask({"start": list(words), "environment": dict(environment), "log": str(log)})))

    def ask(self, job: Mapping[str, Any]) -> Any:
        """One job and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; its children are not its business."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Child:
    """What was forked, to be treated as a ``subprocess.Popen``."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit status, as ``Popen`` tells it; None while it runs."""
        if self._code is None:
            self._code = self._nursery.ask({"poll": self.pid})
        return self._code

    def wait(self, timeout: float) -> int:
        """Its exit status; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.pid} still runs")
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended: it was reaped by then, and the number may be somebody else's."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _serve() -> None:
    _load()
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_poll(job["poll"]) if "poll" in job else _fork(job)), flush=True)


def _load() -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _child(job)
        finally:
            os._exit(code)
    return pid


def _child(job: dict[str, Any]) -> int:
    os.setsid()
    null, log = os.open(os.devnull, os.O_RDONLY), os.open(job["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv[1:] = job["start"]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)


if __name__ == "__main__":
    _serve()
