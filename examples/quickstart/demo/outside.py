"""What can be seen from outside, without asking Setpoint: HTTP answers, processes, the log of the monitoring, the databases."""

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Replica:
    """One process that runs the web service."""

    pid: int
    created: float
    channel: str
    version: str


@dataclass(frozen=True)
class Answer:
    """One answer that the monitoring got."""

    channel: str
    status: int
    version: str


@dataclass(frozen=True)
class Outside:
    """The eyes of the demo."""

    ports: dict[str, int]
    """Channel -> port of its stable address."""
    data: Path
    """Where the databases are; a process that has it in its environment belongs to this demo."""
    log: Path
    """Of the monitoring."""

    def page(self, channel: str, question: str = "") -> str:
        """Whatever the stable address answers."""
        try:
            with NO_PROXY.open(f"http://127.0.0.1:{self.ports[channel]}/{question}", timeout=5) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
        except OSError as error:
            return f"no answer: {error}"

    def replicas(self, channel: str = "") -> list[Replica]:
        """The processes of this demo's service, from the process table."""
        found = [replica for process in psutil.process_iter() if (replica := self._replica(process))]
        return [replica for replica in found if channel in {"", replica.channel}]

    def versions(self, channel: str) -> dict[str, int]:
        """Version -> number of processes that run it."""
        return dict(Counter(replica.version for replica in self.replicas(channel)))

    def _replica(self, process: psutil.Process) -> Replica | None:
        try:
            command, environment = process.cmdline(), process.environ()
            if "--version" not in command or not environment.get("DATABASE", "").startswith(f"{self.data}/"):
                return None
            version = command[command.index("--version") + 1]
            return Replica(process.pid, process.create_time(), environment.get("CHANNEL", ""), version)
        except psutil.Error:
            return None

    def schema(self, channel: str) -> str:
        """The migration that a database is at."""
        with closing(sqlite3.connect(self.data / f"{channel}.db", timeout=10)) as database:
            return str(database.execute("select version_num from alembic_version").fetchone()[0])

    def entries(self, since: float = 0, until: float = float("inf")) -> list[dict[str, object]]:
        """What the monitoring wrote down between two moments (seconds since 1970)."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        lines = text.split("\n")[:-1]  # what is behind the last one is still being written
        return [entry for line in lines if since <= (entry := json.loads(line))["at"] < until]

    def answers(self, channel: str, since: float = 0, until: float = float("inf")) -> Counter[Answer]:
        """Every answer of a channel between two moments, counted."""
        return Counter(
            Answer(channel, int(str(entry["status"])), str(entry["version"]))
            for entry in self.entries(since, until)
            if entry["event"] == "answer" and entry["channel"] == channel
        )

    def alerts(self, channel: str, since: float = 0) -> list[str]:
        """``firing`` and ``resolved``, as they happened."""
        told = [entry for entry in self.entries(since) if entry["event"] in {"firing", "resolved"}]
        return [str(entry["event"]) for entry in told if entry["channel"] == channel]


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def belonging_to(place: Path) -> list[psutil.Process]:
    """Every Python process of this demo: its place is in the command line, or is where the databases are. Not this one."""
    found = []
    for process in psutil.process_iter():
        try:
            command, environment = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        ours = any(str(place) in word for word in command) or environment.get("DATABASE", "").startswith(str(place))
        if ours and process.pid != psutil.Process().pid and "python" in Path(command[0]).name:
            found.append(process)
    return found
