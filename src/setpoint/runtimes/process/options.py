"""The options of a ``process`` workload: checked for people, and read into what a supervisor needs."""

from __future__ import annotations

import math
import re
from ipaddress import ip_network
from typing import Any

from setpoint.model.spec import Spec
from setpoint.model.time import Duration, parse_duration
from setpoint.plugins.errors import TerminalError
from setpoint.runtimes.process.records import Desired, HealthProbe, Launch

STOP: Duration = 10_000
INTERVAL: Duration = 1_000
TIMEOUT: Duration = 2_000
_KNOWN = ("command", "user", "replicas", "directory", "port", "trustedProxies", "health", "stopTimeout", "mutable", "stop")
_HEALTH = ("http", "tcp", "command")
_PROXIES = 16
_AMOUNT = re.compile(r"(\d{1,3})%")


def problems_of(options: dict[str, Any]) -> list[str]:
    """Return every error, one sentence each; a text with a lookup counts as valid until it is resolved."""
    problems = [f"process.{key} is not an option: it takes {', '.join(_KNOWN[:-1])}" for key in options if key not in _KNOWN]
    problems += _command_problems("process.command", options.get("command"))
    problems += _number_problems("process.replicas", options.get("replicas", 1), 0, 1_000)
    problems += _number_problems("process.port", options.get("port", 0), 0, 65_535)
    problems += _network_problems(options.get("trustedProxies", ()))
    if not isinstance(options.get("directory", ""), str):
        problems.append("process.directory is the path of a directory")
    if not isinstance(options.get("user", ""), str):
        problems.append("process.user is the name of a Unix user")
    for key in ("stop", "stopTimeout"):
        problems += _duration_problems(f"process.{key}", options.get(key, STOP))
    if not isinstance(options.get("mutable", False), bool):
        problems.append("process.mutable is true or false")
    return problems + _health_problems(options.get("health"))


def read(spec: Spec, directory: str) -> Desired:
    """Return what a supervisor is to run for ``spec`` in ``directory`` (absolute, or empty for none).

    Raises:
        TerminalError: the options are wrong.
    """
    options = spec.workload.options
    problems = problems_of(options)
    if problems:
        raise TerminalError("; ".join(problems))
    replicas = int(options.get("replicas", 1))
    launch = Launch(
        digest=spec.digest,
        version=spec.version.name,
        command=tuple(options["command"]),
        directory=directory,
        env=spec.env,
        health=_health(options.get("health") or {}),
        user=options.get("user", ""),
        stop=_milliseconds(options.get("stopTimeout", options.get("stop", STOP))),
    )
    return Desired(
        launch=launch,
        replicas=replicas,
        surge=amount(spec.rollout.max_surge, replicas),
        unavailable=amount(spec.rollout.max_unavailable, replicas),
        port=int(options.get("port") or 0),
        trusted_proxies=tuple(options.get("trustedProxies", ())),
    )


def amount(value: int | str, of: int) -> int:
    """A count, or a percentage of ``of`` rounded up.

    Raises:
        TerminalError: it is neither.
    """
    if isinstance(value, int):
        return max(0, value)
    match = _AMOUNT.fullmatch(value)
    if match is None:
        raise TerminalError(f'"{value}" is not an amount: write a number or a percentage such as 25%')
    return math.ceil(int(match[1]) * of / 100)


def _health(options: dict[str, Any]) -> HealthProbe:
    interval = _milliseconds(options.get("interval", INTERVAL))
    timeout = _milliseconds(options.get("timeout", TIMEOUT))
    if "http" in options:
        return HealthProbe("http", path=options["http"], interval=interval, timeout=timeout)
    if options.get("tcp"):
        return HealthProbe("tcp", interval=interval, timeout=timeout)
    if "command" in options:
        return HealthProbe("command", command=tuple(options["command"]), interval=interval, timeout=timeout)
    return HealthProbe()


def _is_lookup(value: object) -> bool:
    return isinstance(value, str) and "${" in value


def _command_problems(field: str, command: object) -> list[str]:
    if not isinstance(command, list | tuple) or not command:
        return [f"{field} is required: a list of the program and its arguments"]
    if not all(isinstance(word, str) for word in command):
        return [f"{field}: every word is text; put numbers in quotes"]
    if any("\0" in word for word in command) or not command[0]:
        return [f"{field}: the program is missing, or a word holds a NUL character"]
    return []


def _number_problems(field: str, value: object, lowest: int, highest: int) -> list[str]:
    number = isinstance(value, int) and not isinstance(value, bool)
    if _is_lookup(value) or value is None or (number and lowest <= value <= highest):  # type: ignore[operator] # checked by number
        return []
    return [f"{field} is {value!r}: write a whole number from {lowest} to {highest}"]


def _network_problems(networks: object) -> list[str]:
    if not isinstance(networks, list | tuple) or len(networks) > _PROXIES:
        return [f"process.trustedProxies is a list of at most {_PROXIES} addresses and networks"]
    return [
        f"process.trustedProxies: {network!r} is not an address or a network such as 127.0.0.2 or 10.1.0.0/16"
        for network in networks
        if not _is_network(network)
    ]


def _is_network(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(ip_network(text))
    except ValueError:
        return False


def _duration_problems(field: str, value: object) -> list[str]:
    if _is_lookup(value):
        return []
    try:
        _milliseconds(value)
    except (TypeError, ValueError) as error:
        return [f"{field}: {error}"]
    return []


def _milliseconds(value: object) -> Duration:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise TypeError(f'{value!r} is not a duration: write "10s" or milliseconds')


def _health_problems(health: object) -> list[str]:
    if health is None:
        return []
    if not isinstance(health, dict):
        return ["process.health is a map with one of http, tcp, command"]
    known = {*_HEALTH, "interval", "timeout"}
    problems = [f"process.health.{key} is not an option" for key in health if key not in known]
    if sum(key in health for key in _HEALTH) != 1:
        problems.append("process.health must be one of http (a path), tcp (true), command (a list)")
    for key in ("interval", "timeout"):
        problems += _positive_problems(f"process.health.{key}", health.get(key, INTERVAL))
    return problems + _kind_problems(health)


def _positive_problems(field: str, value: object) -> list[str]:
    return _duration_problems(field, value) or ([f"{field} is longer than nothing"] if value in {0, "0"} else [])


def _kind_problems(health: dict[str, Any]) -> list[str]:
    path = health.get("http", "/")
    problems = []
    if not isinstance(path, str) or not (_is_lookup(path) or re.fullmatch(r"/[!-~]*", path)):
        problems.append(f"process.health.http is {path!r}: write a path that begins with / and has no spaces")
    if health.get("tcp", True) is not True and not _is_lookup(health["tcp"]):
        problems.append("process.health.tcp is true, or left out")
    if "command" in health:
        problems += _command_problems("process.health.command", health["command"])
    return problems
