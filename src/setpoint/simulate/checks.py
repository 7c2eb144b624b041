"""Protections that are only models: each name has a timetable of outcomes."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import SECOND, Duration, Instant


@dataclass(frozen=True)
class Run:
    """One finished run of a check."""

    started: Instant
    ended: Instant
    outcome: Outcome


@dataclass
class Checks:
    """Outcome of every protection at every time, and the truth about each run."""

    random: Random
    timetable: dict[str, list[tuple[Instant, Outcome]]] = field(default_factory=dict)
    """Name -> (from when, outcome), ascending; before the first entry, and for unknown names: passing."""
    takes: dict[str, Duration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs: dict[str, list[Run]] = defaultdict(list)
        """Attachment -> its finished runs."""

    def outcome(self, name: str, now: Instant) -> Outcome:
        """What a run that ends now says."""
        entries = self.timetable.get(name, [])
        index = bisect.bisect_right(entries, (now, Outcome.UNAVAILABLE))
        return entries[index - 1][1] if index else Outcome.PASSING

    def duration(self, name: str) -> Duration:
        """How long the next run takes."""
        return self.random.randint(10, self.takes.get(name, SECOND))

    def result(self, definition: CheckDefinition, started: Instant, now: Instant) -> CheckResult:
        """The end of one run, remembered."""
        outcome = self.outcome(definition.protection, now)
        self.runs[definition.attachment].append(Run(started, now, outcome))
        return CheckResult(outcome, f"{definition.protection} is {outcome}")
