"""Guardian, supervisor and engine killed in every order while clients call a service: how long it is away, and what comes back.

    python bench/kills.py [--rounds 3] [--victims 2] [--json]

One data directory, one service of two replicas, a few clients on the loopback interface (some stay connected, some do not). Each
order of one, two or three of the processes is killed (the supervisor also ended by SIGTERM), with pauses of 0, 20 and 200 ms in
between. *Unreachable* is the longest time between two served requests after the kill. *Back* is the time until everything that
was killed runs again, as a multiple of the time that the same processes took to start before the first kill. Where all three were
killed and none is left, ``setpoint up`` brings them back.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from setpoint.plugins.errors import Unreachable
from setpoint.runtimes.process import client as supervisor_client
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.records import SupervisorRequest
from setpoint.server import location
from setpoint.server.client import Client, ClientError

SETPOINT = (sys.executable, "-m", "setpoint.cli")
CLIENTS, PAUSE = 4, 0.02
GAPS = (0.0, 0.02, 0.2)
LONGEST = 60.0
WEB = "shop/web@staging"
SERVICE = """
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *values): pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
CONFIGURATION = """
kind: Application
name: shop
channels: [{name: staging}]
---
kind: Service
application: shop
name: web
process: {command: [python3, service.py], directory: ., replicas: 2, health: {http: /, interval: 500ms}, stopTimeout: 2s}
"""


@dataclass(frozen=True)
class Kill:
    """One of ``guardian``, ``supervisor`` and ``engine``, and how it is ended."""

    who: str
    number: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return self.who if self.number is signal.SIGKILL else f"{self.who} (SIGTERM)"


Order = tuple[Kill, ...]


def orders() -> Iterator[Order]:
    """Every order of one, two and three of them, the supervisor killed or terminated."""
    ways = {"guardian": [signal.SIGKILL], "supervisor": [signal.SIGKILL, signal.SIGTERM], "engine": [signal.SIGKILL]}
    for length in (1, 2, 3):
        for names in itertools.permutations(ways, length):
            for numbers in itertools.product(*(ways[name] for name in names)):
                yield tuple(Kill(*each) for each in zip(names, numbers, strict=True))


class Clients:
    """Threads that call the address all the time, at a bounded rate; every other one stays connected."""

    def __init__(self, port: int) -> None:
        self.served: list[float] = []
        self.failed: list[str] = []
        self.pids: set[int] = set()
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number % 2 == 0,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End them."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def gap_since(self, start: float) -> float:
        """The longest time without a served request since ``start`` (monotonic), until now."""
        times = [start, *sorted(each for each in self.served[-50_000:] if each > start), time.monotonic()]
        return max(after - before for before, after in itertools.pairwise(times))

    def _call(self, stay: bool) -> None:
        connection = self._connection()
        while not self._stop.wait(PAUSE):
            try:
                connection.request("GET", "/", headers={} if stay else {"Connection": "close"})
                answer = connection.getresponse()
                self.pids.add(json.loads(answer.read())["pid"])
                self.served.append(time.monotonic())
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST)


class Site:
    """One data directory with an engine in the background and one service."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.place = Home(self.home)
        (root / "config").mkdir()
        (root / "config" / "setpoint.yaml").write_text(CONFIGURATION)
        (root / "config" / "service.py").write_text(SERVICE)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SETPOINT_")}
        self.seen: list[int] = []
        """Numbers of the supervisors that responded, in this order."""
        self.supervision_start = self._time_supervision()
        self.up()
        self.engine_start = time.time() - psutil.Process(self.pid_of("engine")).create_time()
        self.cli("apply", str(root / "config"), "--yes")
        self.cli("release", "web=1.0.0")
        wait_for(lambda: self.settled() and len(self.replicas()) == 2 and self.running(), "the service runs")

    def _time_supervision(self) -> float:
        """Seconds that guardian and supervisor take to start, measured beside, in a data directory of their own."""
        beside = self.root / "beside"
        command = (sys.executable, "-P", "-m", "setpoint.runtimes.process.supervisor", str(beside))
        took = []
        for _ in range(3):
            began = time.monotonic()
            subprocess.run(command, check=True, env=self.environment, capture_output=True)
            took.append(time.monotonic() - began)
            os.kill(int((beside / "runtimes/local/supervisor.lock").read_text()), signal.SIGTERM)
            asyncio.run(supervisor_client.wait_until_ended(Home(beside)))
        return statistics.median(took)

    def start_of(self, who: str) -> float:
        """Seconds that this process takes to start."""
        return self.engine_start if who == "engine" else self.supervision_start

    def up(self) -> None:
        """``setpoint up``, in the background."""
        self.cli("up", "--detach")

    def cli(self, *words: str) -> str:
        """The command line; what it printed."""
        done = subprocess.run(
            [*SETPOINT, *words],
            env={**self.environment, "SETPOINT_HOME": str(self.home)},
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def address(self) -> int:
        """The port of the stable address; 0: there is none yet."""
        record = self.place.read(WEB)
        return record.port if record is not None else 0

    def replicas(self) -> set[int]:
        """Numbers of the processes of the service that are healthy."""
        record = self.place.read(WEB)
        return {replica.pid for replica in record.replicas if replica.healthy} if record is not None else set()

    def pid_of(self, who: str) -> int:
        """Its number; 0: it does not run."""
        if who == "engine":
            found = location.find(self.home)
            return found.pid if found is not None else 0
        return self.guardian() if who == "guardian" else self.supervisor()

    def guardian(self) -> int:
        """By the lock, which it holds and has written its number into."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self.place.lock.read_text()))
            if process.status() != psutil.STATUS_ZOMBIE and "setpoint.runtimes.process.supervisor" in process.cmdline():
                return process.pid
        return 0

    def supervisor(self) -> int:
        """By its own response: it serves."""
        try:
            pid = asyncio.run(self._ping())
        except (supervisor_client.NotRunningError, Unreachable):
            return 0
        if not self.seen or self.seen[-1] != pid:
            self.seen.append(pid)
        return pid

    async def _ping(self) -> int:
        return (await supervisor_client.ask(self.place, SupervisorRequest("ping"), patience=0.2)).pid

    def engine_responds(self) -> bool:
        """Whether it responds to a query."""
        try:
            with Client.at(self.home) as api:
                return bool(api.query("status", {}))
        except (ClientError, OSError):
            return False

    def settled(self) -> bool:
        """Whether the version that was released is the last good one, and nothing moves."""
        with Client.at(self.home) as api:
            row = api.query("status", {"target": WEB})["applications"][0]["instances"][0]
        return bool(row["settled"]) and (row["good"] or {}).get("version") == "1.0.0"

    def running(self) -> bool:
        """Whether all three run."""
        return bool(self.guardian() and self.supervisor() and self.pid_of("engine") and self.engine_responds())

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            self.cli("down", "--services")


def wait_for(holds: Callable[[], object], what: str, within: float = LONGEST) -> float:
    """Wait until something holds; the seconds it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within:
            raise RuntimeError(f"not within {within:g} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - began


@dataclass
class Row:
    """What came of one order."""

    order: Order
    unreachable: list[float] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    """Multiples of the start time of what was killed, of the slowest."""
    ups: int = 0
    """How often ``setpoint up`` was needed."""

    def __str__(self) -> str:
        words = ", ".join(str(kill) for kill in self.order)
        up = f" | {max(self.back):.1f} × | {self.ups} of {len(self.back)} |"
        gaps = f"{statistics.median(self.unreachable) * 1000:.0f} / {max(self.unreachable) * 1000:.0f} ms"
        return f"| {words} | {gaps} | {sum(self.failed)}{up}"


HEADER = """\
| killed, in this order | unreachable p50 / max | requests failed | back after, at most | `setpoint up` needed |
|---|---|---|---|---|"""


def trial(site: Site, clients: Clients, row: Row, pause: float) -> None:
    """Kill once, and wait until everything is back."""
    victims = {kill.who: site.pid_of(kill.who) for kill in row.order}
    failed, began = len(clients.failed), time.monotonic()
    for number, kill in enumerate(row.order):
        time.sleep(pause if number else 0)
        with contextlib.suppress(ProcessLookupError):  # a guardian or supervisor that went with another one
            os.kill(victims[kill.who], kill.number)
    killed = time.monotonic()
    back = dict.fromkeys(victims, 0.0)
    pending = set(victims)
    started = False
    patience = killed + 3 * max(site.start_of(who) for who in victims)
    while pending:
        for who in list(pending):
            if site.pid_of(who) not in {0, victims[who]} and (who != "engine" or site.engine_responds()):
                start = sum(site.start_of(each) for each in victims) if started else site.start_of(who)
                back[who] = (time.monotonic() - killed) / start
                pending.discard(who)
        nothing_left = time.monotonic() > killed + 0.5 and not any(site.pid_of(who) for who in victims)
        if len(victims) == 3 and not started and (nothing_left or time.monotonic() > patience) and not site.pid_of("engine"):
            killed = time.monotonic()
            site.up()
            row.ups += 1
            started = True
        if time.monotonic() > killed + LONGEST:
            raise RuntimeError(f"{sorted(pending)} did not come back after {[str(kill) for kill in row.order]}")
        time.sleep(0.005)
    served = len(clients.served)
    wait_for(lambda: len(clients.served) > served + 2 * CLIENTS and site.running(), "requests are served")
    row.unreachable.append(clients.gap_since(began))
    row.failed.append(len(clients.failed) - failed)
    row.back.append(max(back.values()))


def run(site: Site, chosen: list[Order], rounds: int, report: Callable[[Row], None]) -> list[Row]:
    """Every order, ``rounds`` times."""
    clients = Clients(site.address())
    replicas = site.replicas()
    rows = []
    try:
        for order in chosen:
            row = Row(order)
            for number in range(rounds):
                time.sleep(1.2)  # a process that was started just now and is killed again is started with a delay
                trial(site, clients, row, GAPS[number % len(GAPS)])
            rows.append(row)
            report(row)
    finally:
        clients.stop()
    if len(site.seen) != len(set(site.seen)):
        raise RuntimeError(f"two supervisors served: {site.seen}")
    if site.replicas() != replicas or not clients.pids <= replicas:
        raise RuntimeError(f"the replicas were {replicas} and are {site.replicas()}; clients met {clients.pids}")
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--victims", type=int, choices=(1, 2, 3), help="only orders of so many processes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="setpoint-kills-"))
    site = Site(root)
    try:
        if not arguments.json:
            print(f"starts: engine {site.engine_start:.2f} s, guardian and supervisor {site.supervision_start:.2f} s\n\n{HEADER}")
        chosen = [order for order in orders() if arguments.victims in {None, len(order)}]
        rows = run(site, chosen, arguments.rounds, lambda row: None if arguments.json else print(row, flush=True))
        if arguments.json:
            print(json.dumps([{"killed": [str(kill) for kill in row.order], **vars(row), "order": None} for row in rows]))
    finally:
        site.close()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
