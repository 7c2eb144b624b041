"""What the runs of a check prove: a fresh pass, and passes for a whole window."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Attempt
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse, Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import Instant
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint
from setpoint.simulate.world.checks import Run
from setpoint.simulate.world.host import LONGEST_DELAY

LATE = 3 * LONGEST_DELAY
"""A result passes three deliveries until it is judged, and each may be late."""


def uses(step: Step, policy: Policy, offer: Offer, phase: Phase) -> Iterator[CheckUse]:
    """The checks that gate a phase of an attempt at this offer, and are not skipped."""
    for use in policy.checks:
        if use.phase is phase and not use.informational and step.concerns(use.when, use.name, policy, offer):
            yield use


def passed(step: Step, use: CheckUse, attempt: Attempt, since: Instant) -> Iterator[Complaint]:
    """A fresh pass that started after ``since``, preceded by passes for the whole window."""
    gate = attempt.gates.get(use.name)
    if gate is None:
        yield f"{use.name} was never requested"
        return
    # a run whose result was lost with the engine is run again under its number, and only that result counts
    runs = list({run.number: run for run in step.world.checks.since(gate.attachment, since)}.values())
    fresh = [run for run in runs if run.outcome is Outcome.PASSING and _fresh(step, use, run)]
    if not fresh:
        yield f"{use.name} had no fresh pass since its gate began: {runs[-3:]}"
    elif use.window and not any(_covered(step, use, runs, run) for run in fresh):
        yield f"{use.name} did not pass for its whole window: {runs[-6:]}"


def _covered(step: Step, use: CheckUse, runs: list[Run], last: Run) -> bool:
    """Whether unbroken fresh results lead up to a run for as long as the window requires."""
    first, failures = last, 0
    for run in reversed(runs[: runs.index(last)]):
        failures += run.outcome is Outcome.BLOCKING
        passes = run.outcome is Outcome.PASSING or run.outcome is Outcome.BLOCKING
        if not passes or failures > use.tolerate or first.ended - run.ended > use.check.max_age + slack(step, run.ended):
            break
        first = run
    return last.ended - first.ended >= use.window - slack(step, first.ended)


def _fresh(step: Step, use: CheckUse, run: Run) -> bool:
    return step.turn.now - run.ended <= use.check.max_age + slack(step, run.ended)


def slack(step: Step, since: Instant | None = None) -> int:
    """Milliseconds by which the engine may be mistaken: late deliveries, and what waited since then until an engine ran again."""
    return (LATE if step.world.ever_late else 0) + (step.world.rested(since) if since is not None else 0)
