"""Runs `setpoint` in forks of one process that has imported it: the imports are most of what a short command costs."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("setpoint.cli", "setpoint.server", "setpoint.simulate", "setpoint.config", "httpx2")
READY = "ready\n"
TIMEOUT = 60
"""Seconds for one command."""


class Forks:
    """The process that forks, and what is sent to it: one command at a time."""

    def __init__(self) -> None:
        argv = [sys.executable, __file__]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        atexit.register(self.close)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == READY

    def run(self, words: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """One command, to its end. Raises TimeoutExpired."""
        with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
            code = self._request(words, environment, out.name, err.name)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def start(self, words: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        """Start one command that writes to ``log``, in a session of its own, and do not wait for its end."""
        self._request(words, environment, str(log), str(log), waits=False)

    def _request(self, words: tuple[str, ...], environment: Mapping[str, str], out: str, err: str, *, waits: bool = True) -> int:
        request = {"words": words, "environment": dict(environment), "cwd": str(Path.cwd()), "out": out, "err": err}
        return int(self._reply({**request, "waits": waits}))

    def _reply(self, request: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], TIMEOUT)[0]:
            self.close()
            forks.cache_clear()
            raise subprocess.TimeoutExpired(request["words"], TIMEOUT)
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it, with the command it may be running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@functools.cache
def forks() -> Forks:
    """The one of this process, started when it is first needed."""
    return Forks()


def _import_all() -> None:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):  # optional dependencies of httpx2
                    importlib.import_module(module.name)


def _serve() -> None:
    print(READY, end="", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _command(request)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if request["waits"] else 0
        _reap()
        print(code, flush=True)


def _reap() -> None:
    """Collect those that ended and were not waited for."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _command(request: dict[str, Any]) -> None:
    code = 1
    try:
        if not request["waits"]:
            os.setsid()
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for descriptor, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, request["out"], os.O_WRONLY | os.O_APPEND),
            (2, request["err"], os.O_WRONLY | os.O_APPEND),
        ):
            os.dup2(os.open(name, flags), descriptor)
        sys.stdin = os.fdopen(0)
        sys.argv = ["setpoint", *request["words"]]
        code = _main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> int:
    from setpoint.cli.main import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)


if __name__ == "__main__":
    _import_all()
    gc.freeze()
    _serve()
