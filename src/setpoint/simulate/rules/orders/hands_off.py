"""Hands off: holds, freezes, pauses, observing, the breaker."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Kind, offer_of
from setpoint.core.instructions import Apply
from setpoint.model.time import MINUTE
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.gates.sets import went_at
from setpoint.simulate.rules.registry import Complaint, rule

QUIET = 10 * MINUTE
"""A difference that stayed away for so long is forgotten."""


@rule("hands-off")
def hands_off(step: Step) -> Iterator[Complaint]:
    """A held or observed entity gets no forward start; nothing is applied without a target, after a failure, or once tripped."""
    life, policy = step.after.life, step.after.policy
    if step.ledger.held:
        step.saw("hands-off")
        if step.forward:
            yield "held, but a rollout began"
    if step.ledger.stopped or step.ledger.paused:
        step.saw("hands-off")
        candidate = step.before.life.candidate
        committed = (candidate is not None and candidate.committed) or _starts_with_its_set(step)
        if step.forward and (step.ledger.paused or not committed):
            yield "stopped or paused, but a rollout began"
    current, tripped = life.current, policy is not None and step.ledger.heals[1] >= policy.drift.breaker
    if tripped and current and not current.unreachable and current.difference != step.ledger.heals[0]:
        step.ledger.heals = ("", 0, 0)
    applied = next((given for given in step.turn.decision.instructions if isinstance(given, Apply)), None)
    if applied is not None:
        yield from _applied(step, applied)


def _starts_with_its_set(step: Step) -> bool:
    """§10.13: a set that started before it received the freeze takes its locked members along."""
    forward = step.forward is not None and step.forward[0].kind is Kind.FORWARD
    return step.forward is not None and forward and went_at(step, step.forward[1]) is not None


def _applied(step: Step, applied: Apply) -> Iterator[Complaint]:
    life, policy = step.after.life, step.after.policy
    target = offer_of(life, life.target)
    if target is None or (life.failure and not applied.down):
        yield "applied without a target, or after a failure that must not be repeated"
    elif applied.spec != target.spec:
        yield "applied something else than target"
    if applied.down:
        step.ledger.heals = ("", 0, 0)
    if step.ledger.paused:
        yield "paused or only observed, but applied"
    if policy and policy.drift.mode == "observe":
        yield "observed only, but applied"
    if policy and life.rollout is None and not life.applying.errors and not applied.down:
        yield from _healed(step, policy.drift.breaker)


def _healed(step: Step, breaker: int) -> Iterator[Complaint]:
    seen = step.after.life.current
    difference, count, last = step.ledger.heals
    found = seen.difference if seen else ""
    recent = step.turn.now - last < QUIET - step.world.rested(last)
    again = bool(found) and found == difference and (recent or count >= breaker)
    step.ledger.heals = (found, count + 1 if again else 1, step.turn.now)
    if again and count >= breaker:
        yield f"the same difference was put right {count} times and is once more"
