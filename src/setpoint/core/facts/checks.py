"""What passes between gates and attachments."""

from __future__ import annotations

from setpoint.core.facts.base import Fact
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import Instant


class RunRequested(Fact, frozen=True, gc=False):
    """A gate requests a run that starts from now on."""

    requester: str
    request_id: int
    definition: CheckDefinition


class RunAssigned(Fact, frozen=True, gc=False):
    """Reply to ``RunRequested``: results of this run and later ones started after the request."""

    attachment: str
    request_id: int
    """Id of the request."""
    run: int
    failures_total: int = 0
    """How many results had failed before that run; one more where a run was under way, which may yet fail."""


class CheckStatus(Fact, frozen=True, gc=False):
    """What an attachment publishes: its last finished run. Only changes are published, every failure among them (§10.2), and what
    was requested.
    """

    attachment: str
    run: int
    outcome: Outcome
    reason: str
    ended: Instant
    covered: Instant = 0
    """Since when fresh passes have followed each other without a gap; 0: the last result is not a pass."""
    answered: Instant = 0
    """Since when fresh results, passing or blocking, have followed each other without a gap; 0: the last run had no result."""
    failures_total: int = 0
    """The running total of failing results, this run's included."""
    code: int | None = None
    """Of a program: how it ended, as in ``CheckResult``."""


class CheckFinished(Fact, frozen=True, gc=False):
    """A run ended."""

    operation: str
    result: CheckResult


class CheckUnwanted(Fact, frozen=True, gc=False):
    """A run was not made: no gate waited for it any more when it was about to start."""

    operation: str
