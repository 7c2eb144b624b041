"""A real Prometheus and Alertmanager on loopback, watching numbers that a test sets, so that alerts fire and resolve."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.eventually import wait_until
from tests.support.ports import free_port
from tests.support.webserver import text, webserver

ALERT = "HighErrorRate"
"""Fires while ``error_rate`` of a series is above 0.1, with the labels of the series (such as ``channel``)."""

_RULES = f"""
groups:
  - name: setpoint
    rules:
      - alert: {ALERT}
        expr: error_rate > 0.1
"""
_ALERTMANAGER = "route: {receiver: nobody, group_wait: 1s, group_interval: 1s}\nreceivers: [{name: nobody}]\n"


@dataclass
class Monitoring:
    """``error_rates``: channel → value, what the exporter shows from the next scrape (1 s) on.

    ``gauges``: series → value. ``counters``: series → what it rises by in a second, from the world's beginning.
    """

    prometheus: str
    alertmanager: str
    error_rates: dict[str, float] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)
    born: float = field(default_factory=time.monotonic)

    def silence(self, channel: str) -> None:
        """Silence a channel's alerts in Alertmanager, for an hour."""
        now = datetime.now(UTC)
        matcher = {"name": "channel", "value": channel, "isRegex": False, "isEqual": True}
        silence = {
            "matchers": [matcher],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test",
            "comment": "known",
        }
        _get(f"{self.alertmanager}/api/v2/silences", json.dumps(silence).encode())

    def firing(self) -> set[str]:
        """The channels with an active alert in Alertmanager."""
        alerts = json.loads(_get(f"{self.alertmanager}/api/v2/alerts?silenced=false"))
        return {alert["labels"].get("channel", "") for alert in alerts}

    def value(self, query: str) -> float | None:
        """What a query yields now, of its first series."""
        found = json.loads(_get(f"{self.prometheus}/api/v1/query?{urlencode({'query': query})}"))["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def show(self, request: BaseHTTPRequestHandler) -> None:
        """What Prometheus scrapes."""
        age = time.monotonic() - self.born
        lines = [f'error_rate{{channel="{channel}"}} {value}' for channel, value in list(self.error_rates.items())]
        lines += [f"{series} {value}" for series, value in list(self.gauges.items())]
        lines += [f"{series} {rate * age}" for series, rate in list(self.counters.items())]
        text(200, "\n".join(["# TYPE error_rate gauge", *lines, ""]), content_type="text/plain")(request)


@contextmanager
def monitoring(directory: Path) -> Iterator[Monitoring]:
    """Both run until the body ends. An alert shows in Alertmanager about 3 s after its number went up."""
    alertmanager_port, prometheus_port = free_port(), free_port()
    world = Monitoring(f"http://127.0.0.1:{prometheus_port}", f"http://127.0.0.1:{alertmanager_port}")
    with ExitStack() as stack:
        exporter = stack.enter_context(webserver())
        exporter.routes["/metrics"] = world.show
        (directory / "rules.yml").write_text(_RULES)
        (directory / "alertmanager.yml").write_text(_ALERTMANAGER)
        (directory / "prometheus.yml").write_text(_prometheus(exporter.url, alertmanager_port))
        stack.enter_context(_running(directory, "prometheus-alertmanager", _alertmanager_arguments(directory, alertmanager_port)))
        stack.enter_context(_running(directory, "prometheus", _prometheus_arguments(directory, prometheus_port)))
        for url in (world.alertmanager, world.prometheus):
            wait_until(lambda url=url: _is_ready(url), 30, f"{url} did not become ready", every=0.1)  # type: ignore[misc]
        yield world


def _prometheus(exporter: str, alertmanager_port: int) -> str:
    return f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager_port}"]}}]}}]}}
scrape_configs: [{{job_name: app, static_configs: [{{targets: ["{exporter.removeprefix("http://")}"]}}]}}]
"""


def _alertmanager_arguments(directory: Path, port: int) -> list[str]:
    return [
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]


def _prometheus_arguments(directory: Path, port: int) -> list[str]:
    return [
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]


@contextmanager
def _running(directory: Path, program: str, arguments: list[str]) -> Iterator[None]:
    with (
        (directory / f"{program}.log").open("wb") as log,
        subprocess.Popen([program, *arguments], stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _is_ready(url: str) -> bool:
    try:
        _get(f"{url}/-/ready")
    except (OSError, urllib.error.URLError):
        return False
    return True


def _get(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as response:
        return response.read()
