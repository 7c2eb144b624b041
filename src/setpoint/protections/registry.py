"""Finds protections by their entry points: ours and anybody's alike."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.plugins.protection import Protection
from setpoint.programs.text import printable

GROUP = "setpoint.protections"
_log = logging.getLogger(__name__)


class BrokenProtection:
    """Stands in for a plug-in that could not be loaded: checks that use it report that, everything else works."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - nothing runs
        """Misconfigured, whatever the check."""
        return CheckResult(Outcome.MISCONFIGURED, self.reason)

    def validate(self, options: dict[str, Any]) -> list[str]:  # noqa: ARG002 - no options would help
        """The reason, so that `validate` shows it before anything is released."""
        return [self.reason]


def load() -> dict[str, Protection]:
    """One adapter per name that a Protection or ``use`` may give. A name taken twice belongs to Setpoint, else to none."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return {name: _choose(name, points) for name, points in sorted(found.items())}


def _choose(name: str, points: list[EntryPoint]) -> Protection:
    own = [point for point in points if point.value.startswith("setpoint.")]
    distinct = {point.value: point for point in own or points}
    if len(distinct) > 1:
        return _broken(
            f'the protection "{name}" is provided by several plug-ins: {", ".join(sorted(distinct))}; uninstall all but one'
        )
    return _make(name, next(iter(distinct.values())))


def _make(name: str, point: EntryPoint) -> Protection:
    try:
        protection: Protection = point.load()()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; it must not stop the others
        return _broken(f'the protection "{name}" ({point.value}) cannot be loaded: {type(error).__name__}: {error}')
    if not (callable(getattr(protection, "run", None)) and callable(getattr(protection, "validate", None))):
        return _broken(f'the protection "{name}" ({point.value}) is none: it lacks run or validate')
    return protection


def _broken(reason: str) -> BrokenProtection:
    _log.error("%s", reason)
    return BrokenProtection(printable(reason))
