"""The quickstart's monitoring: asks each channel's web for its page all the time; too many errors are an alert.

It answers as Alertmanager does (API v2: /api/v2/alerts with `filter`, /api/v2/status), so that Setpoint's built-in
`alerts-not-firing` is used as it would be with the real one: to have that instead, change one address in setpoint.yaml.
Everything it asks and decides goes to its log, one JSON object a line.

    python3 alerts.py --port 18093 --log alerts.log staging=http://127.0.0.1:18080 production=http://127.0.0.1:18081
"""

import argparse
import hashlib
import json
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

EVERY = 0.1
"""Seconds between two requests to one channel."""
WINDOW = 3.0
"""Seconds of answers that are judged."""
ENOUGH = 10
"""Fewer answers than that in the window say nothing."""
ALLOWED = 0.1
"""The share of answers that may be errors (status 500 and above)."""
MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*')
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Log:
    """Lines of JSON, each with its time in seconds since 1970."""

    path: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, **entry: object) -> None:
        line = json.dumps({"at": round(time.time(), 3), **entry}) + "\n"
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)


@dataclass
class Watch:
    """One channel: its latest answers, and since when its alert fires."""

    channel: str
    url: str
    log: Log
    answers: deque[tuple[float, bool]] = field(default_factory=deque)
    since: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        while not stop.wait(EVERY):
            status, version = ask(self.url)
            self.log.write(event="answer", channel=self.channel, status=status, version=version)
            self.judge(time.monotonic(), status)

    def judge(self, now: float, status: int) -> None:
        """Nobody there (0) is no error: that something runs at all is not what this alert is about."""
        if status:
            self.answers.append((now, status >= 500))
        while self.answers and self.answers[0][0] < now - WINDOW:
            self.answers.popleft()
        errors = sum(error for _, error in self.answers)
        fires = len(self.answers) >= ENOUGH and errors > ALLOWED * len(self.answers)
        if fires != (self.since is not None):
            self.since = datetime.now(UTC) if fires else None
            share = f"{errors} of {len(self.answers)} answers were errors"
            self.log.write(event="firing" if fires else "resolved", channel=self.channel, share=share)

    def alerts(self) -> list[dict[str, object]]:
        """What fires now, as Alertmanager shows it."""
        if (since := self.since) is None:
            return []
        labels = {"alertname": "HighErrorRate", "severity": "page", "service": "web", "channel": self.channel}
        now = datetime.now(UTC).isoformat()
        return [
            {
                "labels": labels,
                "annotations": {"summary": f"web in {self.channel} answers errors"},
                "startsAt": since.isoformat(),
                "updatedAt": now,
                "endsAt": now,
                "fingerprint": hashlib.sha256(json.dumps(labels).encode()).hexdigest()[:16],
                "receivers": [{"name": "log"}],
                "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
                "generatorURL": self.url,
            }
        ]


def ask(url: str) -> tuple[int, str]:
    """Status and version of one answer; 0 where there was none."""
    try:
        with NO_PROXY.open(url, timeout=5) as response:
            return response.status, response.headers.get("x-version", "")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("x-version", "")
    except OSError:
        return 0, ""


def matches(labels: dict[str, str], matcher: str) -> bool:
    """Whether labels meet one `filter`, such as channel="staging" or severity=~"page|warn"; raises ValueError when it is none."""
    found = MATCHER.fullmatch(matcher)
    if not found:
        raise ValueError(f"bad matcher format: {matcher}")
    name, operator, value = found.groups()
    actual = labels.get(name, "")
    holds = re.fullmatch(value, actual) is not None if "~" in operator else actual == value
    return holds != operator.startswith("!")


class Api(BaseHTTPRequestHandler):
    """The part of Alertmanager's API v2 that is asked for."""

    watches: tuple[Watch, ...] = ()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/api/v2/alerts":
            self.alerts(parse_qs(address.query))
        elif address.path == "/api/v2/status":
            self.answer(200, {"cluster": {"status": "disabled"}, "versionInfo": {"version": "quickstart"}})
        else:
            self.answer(404, "path not found")

    def alerts(self, query: dict[str, list[str]]) -> None:
        active = query.get("active", ["true"])[-1] == "true"
        firing = [alert for watch in self.watches for alert in watch.alerts() if active]
        try:
            shown = [alert for alert in firing if all(matches(alert["labels"], one) for one in query.get("filter", []))]
        except (ValueError, re.error) as error:
            self.answer(400, str(error))
        else:
            self.answer(200, shown)

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """The log is for what was found out, not for who asked."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, default=Path("alerts.log"))
    parser.add_argument("channels", nargs="+", metavar="CHANNEL=URL")
    arguments = parser.parse_args()
    log = Log(arguments.log)
    Api.watches = tuple(Watch(*channel.split("=", 1), log) for channel in arguments.channels)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Api)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    for watch in Api.watches:
        threading.Thread(target=watch.run, args=(stop,), daemon=True).start()
    log.write(event="started", port=server.server_port)
    server.serve_forever(poll_interval=0.1)
    stop.set()
    sys.exit(0)


if __name__ == "__main__":
    main()
