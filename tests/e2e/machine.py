"""One Setpoint on this machine as an operator has it: a data directory, a configuration, an engine in a process of its own.

Everything is started with a mark in its environment, so that what is left over can be named and ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import httpx2
import psutil
from tests.support.eventually import wait_until
from tests.support.processes import is_alive, new_mark, words_of

from setpoint.server.client import Client, ClientError

APP = Path(__file__).parent / "app" / "web.py"
SETPOINT = (sys.executable, "-m", "setpoint.cli")
WITHIN = 40.0


class Engine(Protocol):
    """What is used of a ``subprocess.Popen``."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


class Machine:
    """Starts, kills and asks one engine; ``config`` is the directory that is applied."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.config = root / "config"
        self.config.mkdir(parents=True)
        self.root = root
        self.mark = new_mark()
        self.engine: Engine | None = None
        self.log = (root / "engine.log").open("ab")
        self.tokens: dict[str, str] = {}

    # --- the engine

    def up(self, **environment: str) -> None:
        """Start the engine and wait until it answers."""
        self.start(**environment)
        wait_until(self._answers, WITHIN, lambda: f"the engine did not come up:\n{self.tail()}")

    def start(self, **environment: str) -> None:
        """Start the engine; a failpoint may end it at any time."""
        self.engine = self.launch(("up", "--home", str(self.home)), self.environment(**environment))

    def launch(self, words: Sequence[str], environment: Mapping[str, str]) -> Engine:
        """A process of its own."""
        return subprocess.Popen(
            [*SETPOINT, *words],
            env=dict(environment),
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Of everything that is started here."""
        return {**os.environ, **self.mark, "SETPOINT_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "100", **more}

    def kill(self) -> None:
        """Kill -9 of the engine alone."""
        assert self.engine is not None
        self.engine.send_signal(signal.SIGKILL)
        self.engine.wait(10)

    def died(self, within: float = WITHIN) -> None:
        """Wait until the engine has died by itself."""
        assert self.engine is not None
        wait_until(lambda: self.engine is not None and self.engine.poll() is not None, within, "the engine did not die")

    def alive(self) -> bool:
        """Whether the engine runs."""
        return self.engine is not None and self.engine.poll() is None

    def _answers(self) -> bool:
        try:
            return bool(self.ask("status"))
        except ClientError:
            if not self.alive():
                raise AssertionError(f"the engine ended:\n{self.tail()}") from None
            return False

    def tail(self) -> str:
        """The end of the engine's log."""
        return (self.root / "engine.log").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """End everything, and leave nothing behind."""
        subprocess.run(
            [*SETPOINT, "down", "--services", "--home", str(self.home)], env=self.environment(), capture_output=True, timeout=60
        )
        if self.engine is not None and self.engine.poll() is None:
            self.engine.kill()
        if self.engine is not None:
            self.engine.wait(10)
        self.log.close()
        try:
            wait_until(lambda: not self.processes(), 10, lambda: f"left behind: {[words_of(each) for each in self.processes()]}")
        finally:
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def processes(self) -> list[psutil.Process]:
        """Everything alive that belongs here: by its mark, or by a path below the root in its words or as its directory."""
        return [process for process in psutil.process_iter() if self._ours(process) and is_alive(process)]

    def _ours(self, process: psutil.Process) -> bool:
        root = str(self.root)
        mark = "=".join(*self.mark.items()).encode()
        try:
            return root in " ".join(words_of(process)) or process.cwd().startswith(root) or mark in _environment(process.pid)
        except psutil.Error:
            return False

    # --- asking and telling

    def client(self, person: str = "") -> Client:
        """As the administrator, or as a person made by ``person``."""
        return Client.at(self.home, self.tokens.get(person, ""))

    def ask(self, query: str, **request: Any) -> dict[str, Any]:
        """One query."""
        with self.client() as client:
            return client.query(query, request)

    def do(self, command: str, *, by: str = "", **request: Any) -> dict[str, Any]:
        """One command."""
        with self.client(by) as client:
            return client.command(command, request)

    def cli(self, *words: str, by: str = "", code: int = 0) -> str:
        """The command line as a person types it; what it printed."""
        token = {"SETPOINT_TOKEN": self.tokens[by]} if by else {}
        done = subprocess.run([*SETPOINT, *words], env=self.environment(**token), capture_output=True, text=True, timeout=90)
        assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def person(self, name: str, *groups: str, admin: bool = False) -> None:
        """Make a token for a person."""
        words = [word for group in groups for word in ("--group", group)] + (["--admin"] if admin else [])
        answer = json.loads(self.cli("token", "create", name, *words, "--output", "json"))
        self.tokens[name] = answer["token"]

    def write(self, text: str, name: str = "setpoint.yaml") -> None:
        """A configuration file."""
        (self.config / name).write_text(text)

    def apply(self) -> str:
        """Apply the configuration as it is written now."""
        return self.cli("apply", str(self.config), "--yes")

    def release(self, *versions: str, by: str = "", **options: Any) -> int:
        """Release versions such as ``web=1.0.0``; the number."""
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        return int(json.loads(self.cli("release", *versions, *words, "--output", "json", by=by))["release"])

    # --- what is so

    def row(self, instance: str) -> dict[str, Any]:
        """One instance's status."""
        found: list[dict[str, Any]] = self.ask("status", target=instance)["applications"][0]["instances"]
        return found[0]

    def good(self, instance: str) -> str:
        """Version of *good*; empty: none."""
        return str((self.row(instance)["good"] or {}).get("version", ""))

    def target(self, instance: str) -> str:
        """Version of target."""
        return str((self.row(instance)["target"] or {}).get("version", ""))

    def settles(self, instance: str, version: str, within: float = WITHIN) -> None:
        """Wait until a version is finalized and healthy there."""

        def settled() -> bool:
            row = self.row(instance)
            return bool(row["settled"]) and (row["good"] or {}).get("version") == version

        wait_until(settled, within, lambda: f"{instance} did not settle on {version}: {self.story(instance)}", every=0.1)

    def waits(self, instance: str, words: str, within: float = WITHIN) -> None:
        """Wait until one of its reasons holds these words."""
        wait_until(
            lambda: words in self.reasons(instance), within, lambda: f"no {words!r} among {self.reasons(instance)!r}", every=0.1
        )

    def reasons(self, instance: str) -> str:
        """All reasons, in one text."""
        return "; ".join(str(reason["text"]) for reason in self.ask("explain", target=instance)["reasons"])

    def story(self, instance: str) -> str:
        """For a failed expectation."""
        row = self.row(instance)
        lines = self.ask("history", target=instance, limit=12)
        return f"{row}\n{self.reasons(instance)}\n{json.dumps(lines)[:3000]}\n{self.tail()}"

    def history(self, instance: str, kind: str = "") -> list[dict[str, Any]]:
        """Lines of its history, oldest first."""
        lines: list[dict[str, Any]] = self.ask("history", target=instance, limit=500)["events"]
        return sorted((line for line in lines if not kind or line["kind"] == kind), key=lambda line: line["at"])

    # --- from outside

    def address(self, instance: str) -> str:
        """The stable address."""
        return str(wait_until(lambda: self.ask("explain", target=instance).get("links", {}).get("address"), 10, "none", 0.1))

    def get(self, address: str, path: str = "/") -> dict[str, Any]:
        """One request to a service."""
        found: dict[str, Any] = httpx2.get(address + path, timeout=10, trust_env=False).json()
        return found

    def replicas(self, instance: str, version: str = "") -> list[psutil.Process]:
        """Living processes of the service, by their environment; of one version only, if named."""
        wanted = f"SETPOINT_INSTANCE={instance}".encode()
        found = []
        for process in self.processes():
            words = words_of(process)
            runs = words[words.index("--version") + 1] if "--version" in words[:-1] else ""
            if runs and version in {"", runs} and wanted in _environment(process.pid):
                found.append(process)
        return found

    def runs(self, instance: str, version: str, count: int, within: float = WITHIN) -> None:
        """Wait until just so many processes of this version run there, and none of another."""

        def just_these() -> bool:
            return len(self.replicas(instance)) == len(self.replicas(instance, version)) == count

        wait_until(just_these, within, lambda: f"{[words_of(process) for process in self.replicas(instance)]}", every=0.1)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


class Load:
    """Clients that ask all the time; what they got is counted."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.failures: list[str] = []
        self.count = 0
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._ask()
                self.count += 1
            except Exception as error:
                self.failures.append(repr(error))


def copy_app(machine: Machine) -> None:
    """The service of the tests, into the configuration's directory."""
    shutil.copytree(APP.parent, machine.config / "app", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
