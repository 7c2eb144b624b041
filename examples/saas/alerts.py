"""Alerts by hand: a file in a directory is an alert that fires. Answers as Alertmanager's API v2 does.

python3 alerts.py --port 18094 --alerts /tmp/setpoint-saas/alerts
touch /tmp/setpoint-saas/alerts/production      # HighErrorRate fires in production, until the file is removed
"""

import argparse
import json
import re
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MATCHER = re.compile(r'channel="([^"]*)"')


class Api(BaseHTTPRequestHandler):
    """GET /api/v2/alerts with filter=channel="…", and /api/v2/status."""

    alerts = Path()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/api/v2/status":
            self.answer(200, {"cluster": {"status": "disabled"}, "versionInfo": {"version": "example"}})
        elif address.path == "/api/v2/alerts":
            self.firing(parse_qs(address.query).get("filter", []))
        else:
            self.answer(404, "path not found")

    def firing(self, filters: list[str]) -> None:
        wanted = [found[1] for one in filters if (found := MATCHER.fullmatch(one))]
        if len(wanted) < len(filters):
            self.answer(400, 'this example knows filter=channel="…" only')
            return
        self.answer(200, [alert(path) for path in sorted(self.alerts.iterdir()) if all(path.name == one for one in wanted)])

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Who asked is not worth a line."""


def alert(path: Path) -> dict[str, dict[str, str]]:
    """A file's alert, which fires since the file was last written."""
    since = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    now = datetime.now(UTC).isoformat()
    return {
        "labels": {"alertname": "HighErrorRate", "channel": path.name},
        "annotations": {},
        "startsAt": since,
        "updatedAt": now,
        "endsAt": now,
        "fingerprint": path.name,
        "receivers": [],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=18094)
    parser.add_argument("--alerts", type=Path, default=Path("/tmp/setpoint-saas/alerts"))
    arguments = parser.parse_args()
    arguments.alerts.mkdir(parents=True, exist_ok=True)
    Api.alerts = arguments.alerts
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Api).serve_forever()


if __name__ == "__main__":
    main()
