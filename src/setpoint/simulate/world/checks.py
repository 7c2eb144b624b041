"""A model of protections: each name has a timetable of outcomes."""

from __future__ import annotations

import bisect
from collections import defaultdict, deque
from dataclasses import dataclass, field

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import SECOND, Duration, Instant

KEPT_RUNS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of a check, in true time."""

    started: Instant
    ended: Instant
    outcome: Outcome
    number: int = 0
    """A run whose result was lost is made again, under the same number."""


@dataclass
class Checks:
    """Outcome of every protection at every time, and the truth about each run."""

    timetable: dict[str, list[tuple[Instant, Outcome]]] = field(default_factory=dict)
    """Name -> (from when, outcome), ascending; before the first entry, and for unknown names: passing."""
    takes: dict[str, Duration] = field(default_factory=dict)
    """Name -> how long a run may take."""

    def __post_init__(self) -> None:
        self.runs: dict[str, deque[Run]] = defaultdict(lambda: deque(maxlen=KEPT_RUNS))
        """Attachment -> its last finished runs."""
        self._first = {name: list(entries) for name, entries in self.timetable.items()}

    def outcome(self, name: str, now: Instant) -> Outcome:
        """Return the outcome of a run that ends now."""
        entries = self.timetable.get(name)
        if not entries:
            return Outcome.PASSING
        index = bisect.bisect_right(entries, now, key=lambda entry: entry[0])
        return entries[index - 1][1] if index else Outcome.PASSING

    def repeat(self, later: Duration) -> None:
        """Repeat the timetables, so much later."""
        for name, entries in self._first.items():
            self.timetable[name] += [(when + later, outcome) for when, outcome in entries]

    def pass_from(self, now: Instant) -> None:
        """Make every check pass from now on."""
        for name, entries in self.timetable.items():
            self.timetable[name] = [*(entry for entry in entries if entry[0] < now), (now, Outcome.PASSING)]

    def longest(self, definition: CheckDefinition) -> Duration:
        """Return how long a run may take, in milliseconds."""
        return self.takes.get(definition.protection, SECOND)

    def result(self, definition: CheckDefinition, attachment: str, run: Run) -> CheckResult:
        """Record the end of one run and return its result."""
        self.runs[attachment].append(run)
        return CheckResult(run.outcome, f"{definition.protection} is {run.outcome}")

    def since(self, attachment: str, started: Instant) -> list[Run]:
        """Return the runs that started at or after a time, oldest first."""
        found: list[Run] = []
        for run in reversed(self.runs.get(attachment, ())):
            if run.started < started:
                break
            found.append(run)
        return found[::-1]
