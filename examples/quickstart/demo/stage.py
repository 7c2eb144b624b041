"""What the demo sets up and takes down: a private place with the configuration, two databases, the monitoring and an engine."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from outside import Outside, belonging_to
from telling import UnexpectedError, expect

QUICKSTART = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHANNELS = {"staging": 18080, "production": 18081}
"""Channel -> the port that setpoint.yaml gives its stable address."""
ALERTS_PORT = 18093
DATA = "/tmp/setpoint-quickstart"
"""Where setpoint.yaml has the databases."""


class BusyError(Exception):
    """Another demo is in the middle of its story."""


@dataclass
class Stage:
    """Everything lies below ``place``, so that it can be looked at afterwards, and removed."""

    place: Path
    ports: dict[str, int] = field(default_factory=dict)
    alerts_port: int = 0
    engine_port: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    engine: subprocess.Popen[bytes] | None = None
    alerts: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """The engine's data directory."""
        return self.place / "home"

    @property
    def configuration(self) -> Path:
        """The quickstart, with ports that are free and databases in this place."""
        return self.place / "quickstart"

    @property
    def outside(self) -> Outside:
        """Where to look."""
        return Outside(self.ports, self.place / "data", self.place / "alerts.log")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the place for oneself. Raises BusyError when another demo tells its story there."""
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"another demo is running in {self.place}: let it end, or press Ctrl-C there") from None
            yield

    def prepare(self) -> None:
        """Empty the place and lay out the configuration."""
        for path in self.place.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        (self.place / "data").mkdir()
        *ports, self.alerts_port, self.engine_port = free_ports([*CHANNELS.values(), ALERTS_PORT, 0])
        self.ports = dict(zip(CHANNELS, ports, strict=True))
        for part in ("web", "schema"):
            shutil.copytree(QUICKSTART / part, self.configuration / part, ignore=shutil.ignore_patterns("__pycache__"))
        text = (QUICKSTART / "setpoint.yaml").read_text(encoding="utf-8")
        (self.configuration / "setpoint.yaml").write_text(self._adapted(text), encoding="utf-8")

    def _adapted(self, text: str) -> str:
        """The constants that say where things are on this machine; nothing else of the configuration is changed."""
        new = {f": {CHANNELS[channel]}": f": {port}" for channel, port in self.ports.items()}
        new |= {f":{ALERTS_PORT}": f":{self.alerts_port}", f" {DATA}": f" {self.place / 'data'}"}
        for old, value in new.items():
            if len(re.findall(re.escape(old) + r"\b", text)) != 1:
                raise UnexpectedError(f'expected: "{old}" once in setpoint.yaml\nseen: it is there more often, or not at all')
            text = re.sub(re.escape(old) + r"\b", value.replace("\\", r"\\"), text)
        return text

    def start_alerts(self) -> None:
        """The monitoring, which goes on until the demo is stopped."""
        channels = [f"{channel}=http://127.0.0.1:{port}" for channel, port in self.ports.items()]
        log = str(self.place / "alerts.log")
        self.alerts = self._spawn("alerts", QUICKSTART / "alerts.py", "--port", str(self.alerts_port), "--log", log, *channels)
        expect("the monitoring listens", lambda: listens(self.alerts_port), bool, within=10)

    def start_engine(self) -> None:
        """The engine, as a process of its own that outlives the demo."""
        arguments = ["up", "--home", str(self.home), "--port", str(self.engine_port)]
        self.engine = self._spawn("engine", BIN / "setpoint", *arguments)
        expect("the engine listens", self._engine_is_up, bool, within=30)

    def _engine_is_up(self) -> bool:
        if self.engine is not None and self.engine.poll() is not None:
            raise UnexpectedError(f"expected: the engine runs\nseen: it ended with exit status {self.engine.returncode}")
        return listens(self.engine_port) and self._is_found()

    def _is_found(self) -> bool:
        """The command line finds the engine by this file, which is written a moment after the port listens."""
        path = self.home / "server.json"
        return self.engine is not None and path.exists() and json.loads(path.read_text())["pid"] == self.engine.pid

    def kill_engine(self) -> int:
        """kill -9; the process id it had."""
        if self.engine is None:
            raise UnexpectedError("expected: an engine to kill\nseen: none was started")
        self.engine.send_signal(signal.SIGKILL)
        self.engine.wait()
        return self.engine.pid

    def _spawn(self, name: str, program: Path, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.place / f"{name}.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                cwd=self.place,
                start_new_session=True,
            )
        self._remember(name, psutil.Process(process.pid))
        return process

    def _remember(self, name: str, process: psutil.Process) -> None:
        path = self.place / "processes.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {name: [process.pid, process.create_time()]}))

    def setpoint(self, *arguments: str, by: str = "") -> str:
        """What a person types. Raises UnexpectedError when it is refused."""
        done = self._run([str(BIN / "setpoint"), *arguments], by)
        if done.returncode:
            raise UnexpectedError(f"expected: `setpoint {' '.join(arguments)}` works\nseen: {said(done)}")
        return done.stdout

    def is_refused(self, *arguments: str, by: str) -> bool:
        """Whether somebody may not do that (exit status 4)."""
        return self._run([str(BIN / "setpoint"), *arguments], by).returncode == 4

    def _run(self, command: list[str], by: str) -> subprocess.CompletedProcess[str]:
        token = {"SETPOINT_TOKEN": self.tokens[by]} if by else {}
        extra = {"SETPOINT_HOME": str(self.home), "COLUMNS": "100", "NO_COLOR": "1", **token}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment(extra), cwd=self.place, check=False
        )

    def token(self, user: str, group: str) -> None:
        """Make somebody known to the engine."""
        answer = self.setpoint("token", "create", user, "--group", group, "--output", "json")
        self.tokens[user] = json.loads(answer)["token"]

    def migrate(self, channel: str, version: str) -> None:
        """`alembic upgrade head`, as a person would run it. Raises UnexpectedError when it does not work."""
        url = f"url=sqlite:///{self.place / 'data' / channel}.db"
        done = self._run(
            [str(BIN / "alembic"), "-c", str(self.configuration / "schema" / f"{version}.ini"), "-x", url, "upgrade", "head"], ""
        )
        if done.returncode:
            raise UnexpectedError(f"expected: alembic migrates {channel}\nseen: {said(done)}")

    def stop(self) -> None:
        """End everything that this or an earlier demo started here. Raises UnexpectedError when something stays."""
        if (self.home).is_dir():
            self._run([str(BIN / "setpoint"), "down", "--home", str(self.home), "--services"], "")
        path = self.place / "processes.json"
        for pid, created in json.loads(path.read_text()).values() if path.exists() else []:
            terminate(pid, created)
        with ExitStack() as stack:
            for child in filter(None, (self.engine, self.alerts)):
                stack.callback(child.wait, 10)
        path.unlink(missing_ok=True)
        left = lambda: [" ".join(process.cmdline()) for process in belonging_to(self.place)]  # noqa: E731
        expect("no process of the demo is left", left, lambda seen: not seen, within=20)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """How a command ended, on one or several lines."""
    return f"exit status {done.returncode}: {(done.stderr or done.stdout).strip()}"


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This process' own without anything of another Setpoint, and with this Python first on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SETPOINT_")}
    return kept | {"PATH": f"{BIN}:{kept.get('PATH', os.defpath)}"} | (extra or {})


def terminate(pid: int, created: float) -> None:
    """End one process that was started earlier, unless its number belongs to another by now."""
    try:
        process = psutil.Process(pid)
        if process.create_time() != created:
            return
        process.terminate()
        process.wait(10)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(wanted: list[int]) -> list[int]:
    """Those wanted, each replaced by another where it is taken (or 0)."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in wanted]
        for one, port in zip(sockets, wanted, strict=True):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
