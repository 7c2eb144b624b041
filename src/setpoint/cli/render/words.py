"""Conditions, times and names as people read them. Every state has a shape and a word: colour only helps."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from setpoint.model.names import is_kind, key_of, service_of, short_name


class Look(NamedTuple):
    """How a condition is shown."""

    sign: str
    word: str
    style: str


_LOOKS = {
    "rollback-failed": Look("✗", "ROLLBACK FAILED", "bold red"),
    "failed": Look("✗", "FAILED", "bold red"),
    "broken": Look("✗", "BROKEN", "bold red"),
    "rolling-back": Look("↺", "rolling back", "yellow"),
    "deploying": Look("▶", "deploying", "cyan"),
    "verifying": Look("▷", "verifying", "cyan"),
    "drifted": Look("≠", "drifted", "yellow"),
    "unhealthy": Look("!", "unhealthy", "bold yellow"),
    "unreachable": Look("?", "unreachable", "yellow"),
    "waiting": Look("◷", "waiting", "blue"),
    "held": Look("‖", "held", "yellow"),
    "vetoed": Look("⊘", "vetoed", "red"),
    "bad": Look("⊗", "marked bad", "red"),
    "converged": Look("●", "converged", "green"),
    "orphaned": Look("◌", "orphaned", "dim"),
    "empty": Look("○", "nothing yet", "dim"),
}


def look(condition: str) -> Look:
    """How to show a condition."""
    return _LOOKS.get(condition, Look("·", condition, ""))


def ago(instant: int, now: int) -> str:
    """``3m``, ``2h 5m``, ``4d 1h``: how long ago; empty where that is not known."""
    if not instant:
        return ""
    seconds = max(0, (now - instant) // 1000)
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{seconds}s"


def clock(instant: int) -> str:
    """``2026-11-23 06:29:46`` in the time zone of this machine."""
    return datetime.fromtimestamp(instant / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S") if instant else ""


def clock_with_zone(instant: int) -> str:
    """The same, with the time zone's name."""
    return datetime.fromtimestamp(instant / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if instant else ""


_ADVICE = (
    (re.compile(r"skip (\S+)"), 'skip {target} {0} --why "reason"'),
    (re.compile(r"approve (\S+)"), "approve {target} {0}"),
    (re.compile(r"retry release (\d+)"), "retry {target} --release {0}"),
    (re.compile(r"(retry|retry --succeeded) if .+"), "{0} {target}"),
    (re.compile(r"resume (\S+) --release (\d+)"), "resume {0} --release {1}"),
    (re.compile(r"(resume|unpin|retry|heal)"), "{0} {target}"),
    (re.compile(r"release a version"), "release {service}=<version>"),
)
"""What reasons advise -> the command that does it."""
_ON_SCOPES = {"start the line": "start-the-line", "unpause": "unpause"}


def spelled(advice: str, instance: str, subject: str = "") -> tuple[list[str], str]:
    """Return what a reason advises as commands that can be pasted unchanged, and what else can be done; either may be empty.

    ``retry, or skip soaked`` is ``setpoint retry web@production`` and ``setpoint skip web@production soaked --why "reason"``.
    ``subject``: what the reason is about; a stop or a pause ends at its scope.
    """
    commands: list[str] = []
    others: list[str] = []
    for one in advice.split(", or ") if advice else []:
        command = _command(one, instance, subject)
        if command:
            commands.append(f"setpoint {command}".rstrip())
        else:
            others.append(one)
    return commands, ", or ".join(others)


def _command(advice: str, instance: str, subject: str) -> str:
    if advice in _ON_SCOPES and is_kind(subject, "scope"):
        return f"{_ON_SCOPES[advice]} {_scope(subject)}"
    for pattern, command in _ADVICE:
        if match := pattern.fullmatch(advice):
            return command.format(*match.groups(), target=short_name(instance), service=service_of(instance))
    return ""


def _scope(subject: str) -> str:
    """``saas/production`` of ``scope:channel:saas/production``; empty for the organization."""
    scope = key_of(subject)
    return scope if is_kind(scope, "runtime") else key_of(scope)


def plural(number: int, one: str, many: str = "") -> str:
    """``1 change``, ``2 changes``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def size(number: int) -> str:
    """Bytes for reading."""
    return f"{number / 1024**2:.0f} MiB" if number < 1024**3 else f"{number / 1024**3:.1f} GiB"
