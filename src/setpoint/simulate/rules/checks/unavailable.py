"""Unavailable has an end (§10.4): without a decisive result for ``failAfter`` an attempt fails, no earlier, and it does fail.

The time is measured once more, in true time, between the turns of the instance: all of it for "no earlier", at most twice the
interval between two turns for "does fail", and none in which a person paused, froze or only observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.facts import CheckStatus
from setpoint.core.instance.state import Attempt, CheckProgress, InstanceState, Life
from setpoint.core.instructions import Event
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse
from setpoint.model.reasons import Code
from setpoint.model.time import Duration, Instant
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.requirements import stands_still, under_way
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.checks.evidence import slack
from setpoint.simulate.rules.registry import Complaint, rule

DECISIVE = frozenset({Outcome.PASSING, Outcome.BLOCKING})


@dataclass
class Undecided:
    """One gate without a decisive result."""

    attempt: int
    request_id: int
    since: Instant
    most: Duration = 0
    least: Duration = 0


@dataclass
class Waits(FamilyLedger):
    """Check -> how long it has been undecided."""

    waits: dict[tuple[int, str], Undecided] = field(default_factory=dict)
    last: Instant = 0
    """True time of the turn before."""
    still: bool = False

    def write_down(self, step: Step) -> None:
        """Add the time since the turn before, then forget what was decided."""
        passed, found = (0 if self.still else step.turn.now - self.last), {}
        decided = {fact.attachment for fact in step.turn.facts if isinstance(fact, CheckStatus) and fact.outcome in DECISIVE}
        for attempt, use, gate in _undecided(step.after):
            known = self.waits.get((attempt.number, use.name))
            restarted = known is None or gate.attachment in decided or _another(step.before.life, attempt, use, gate)
            wait = Undecided(attempt.number, gate.request_id, step.turn.now) if known is None or restarted else known
            if known is wait:
                wait.most += passed
                wait.least += min(passed, 2 * use.check.interval)
            found[attempt.number, use.name] = wait
        self.waits, self.last = found, step.turn.now
        self.still = _still(step)


FAMILY_LEDGERS.append(Waits)


@rule("undecided")
def undecided(step: Step) -> Iterator[Complaint]:
    """No earlier than ``failAfter``; and it does fail."""
    ledger = step.ledger.of(Waits)
    passed = 0 if ledger.still else step.turn.now - ledger.last
    for event in step.events("attempt-ended", "rolling-back", "failed"):
        if event.cause != Code.CHECK_PENDING:
            continue
        step.saw("undecided")
        for use in _uses(step, event):
            wait = ledger.waits.get((event.attempt, use.name))
            waited = wait.most + passed if wait else 0
            if waited + slack(step) < use.fail_after:
                yield f"it failed after {waited} ms of {use.fail_after}: {event.text}"
    for attempt, use, gate in _undecided(step.after):
        wait = ledger.waits.get((attempt.number, use.name))
        if wait is None or _another(step.before.life, attempt, use, gate) or under_way(step.after.life, attempt):
            continue
        step.saw("undecided")
        waited = wait.least + min(passed, 2 * use.check.interval)
        if waited > use.fail_after + slack(step, wait.since):
            yield f"{use.name} has been undecided for {waited} ms, {use.fail_after} are allowed, and the attempt goes on"


def _uses(step: Step, event: Event) -> Iterator[CheckUse]:
    policy = step.after.policy
    for use in policy.checks if policy else ():
        if use.fail_after and use.name == event.gate and event.attempt:
            yield use


def _undecided(state: InstanceState) -> Iterator[tuple[Attempt, CheckUse, CheckProgress]]:
    """Gates with ``failAfter`` that have no decisive result."""
    rollout, candidate = state.life.rollout, state.life.candidate
    forward = rollout.attempt if rollout and not rollout.back and not rollout.doubt else None
    for attempt in (candidate, forward):
        for use in state.policy.checks if attempt and state.policy else ():
            gate = attempt.gates.get(use.name) if attempt else None
            ends = use.fail_after and attempt and use.phase is attempt.phase and not use.informational
            if attempt and gate and ends and not (0 < gate.run <= gate.seen and gate.outcome in DECISIVE):
                yield attempt, use, gate


def _another(life: Life, attempt: Attempt, use: CheckUse, gate: CheckProgress) -> bool:
    """Whether the gate began in this turn: its attempt came back to the phase, or its policy changed."""
    attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
    before = next((one for one in attempts if one and one.number == attempt.number and one.phase is attempt.phase), None)
    known = before.gates.get(use.name) if before else None
    return known is None or known.attachment != gate.attachment or (known.request_id != gate.request_id and not gate.first)


def _still(step: Step) -> bool:
    """As the ledger has it; a calendar that pauses what is under way is read from the state."""
    policy, life = step.after.policy, step.after.life
    ordered = step.ledger.observing or step.ledger.stopped or (policy is not None and policy.drift.mode == "observe")
    return ordered or (policy is not None and stands_still(policy, life, step.now))
