"""Options of a ``process`` workload: every mistake is named with its field."""

from __future__ import annotations

from typing import Any

import pytest
from tests.runtimes.helpers import spec

from setpoint.model.spec import RolloutSettings
from setpoint.plugins.errors import TerminalError
from setpoint.runtimes.process.options import problems_of, read
from setpoint.runtimes.process.records import HealthProbe

GOOD: dict[str, Any] = {"command": ["app"]}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"command": None}, "process.command"),
        ({"command": "app --run"}, "process.command"),
        ({"command": []}, "process.command"),
        ({"command": ["app", 1]}, "process.command"),
        ({"command": [""]}, "process.command"),
        ({"command": ["a\0b"]}, "process.command"),
        ({"replicas": -1}, "process.replicas"),
        ({"replicas": True}, "process.replicas"),
        ({"replicas": "two"}, "process.replicas"),
        ({"port": 70_000}, "process.port"),
        ({"trustedProxies": "127.0.0.2"}, "process.trustedProxies"),
        ({"trustedProxies": [2]}, "process.trustedProxies"),
        ({"trustedProxies": ["proxy.example"]}, "process.trustedProxies"),
        ({"trustedProxies": ["10.0.0.1/8"]}, "process.trustedProxies"),
        ({"trustedProxies": ["10.0.0.1"] * 17}, "process.trustedProxies"),
        ({"directory": 3}, "process.directory"),
        ({"user": 0}, "process.user"),
        ({"stopTimeout": "soon"}, "process.stopTimeout"),
        ({"stopTimeout": -1}, "process.stopTimeout"),
        ({"mutable": "yes"}, "process.mutable"),
        ({"health": "/healthz"}, "process.health"),
        ({"health": {}}, "process.health"),
        ({"health": {"http": "/", "tcp": True}}, "process.health"),
        ({"health": {"http": "healthz"}}, "process.health.http"),
        ({"health": {"http": "/a b"}}, "process.health.http"),
        ({"health": {"http": "/a\r\nb"}}, "process.health.http"),
        ({"health": {"tcp": False}}, "process.health.tcp"),
        ({"health": {"command": "check"}}, "process.health.command"),
        ({"health": {"http": "/", "interval": 0}}, "process.health.interval"),
        ({"health": {"http": "/", "timeout": "1 s"}}, "process.health.timeout"),
        ({"health": {"http": "/", "path": "/"}}, "process.health.path"),
        ({"colour": "red"}, "process.colour"),
    ],
)
def test_a_mistake_is_named_with_its_field(options: dict[str, Any], field: str) -> None:
    [problem] = problems_of({**GOOD, **options})
    assert problem.startswith(field)


def test_lookups_are_taken_to_become_what_they_should() -> None:
    lookups = {"replicas": "${params.n}", "port": "${constants.port}", "stopTimeout": "${x}", "directory": "${x}"}
    assert problems_of({"command": ["app", "${version}"], "health": {"http": "${constants.path}"}, **lookups}) == []


def test_options_become_what_a_supervisor_needs() -> None:
    health = {"http": "/ready", "interval": "2s", "timeout": 300}
    options: dict[str, Any] = {"command": ["app", "-x"], "replicas": 4, "port": 8080, "stopTimeout": "5s", "health": health}
    desired = read(spec("7", rollout=RolloutSettings("25%", "50%"), env={"A": "b"}, **options), "/srv")
    assert (desired.replicas, desired.surge, desired.unavailable, desired.port) == (4, 2, 1, 8080)
    assert desired.launch.command == ("app", "-x")
    assert (desired.launch.stop, desired.launch.directory, desired.launch.env) == (5_000, "/srv", {"A": "b"})
    assert desired.launch.health == HealthProbe("http", "/ready", interval=2_000, timeout=300)


def test_trusted_proxies_are_addresses_and_networks() -> None:
    networks = ("127.0.0.2", "10.0.0.0/8", "fd00::/8")
    assert read(spec("7", trustedProxies=list(networks)), "/srv").trusted_proxies == networks
    assert read(spec("7"), "/srv").trusted_proxies == ()


def test_wrong_options_are_terminal() -> None:
    with pytest.raises(TerminalError, match=r"process\.command"):
        read(spec(command="app"), "")
    with pytest.raises(TerminalError, match="not an amount"):
        read(spec(rollout=RolloutSettings(max_surge="many")), "")
