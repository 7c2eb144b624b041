"""What is remembered and what is explained."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.simulate.rules.base import Complaint, rule
from setpoint.simulate.step import Step


@rule("remembered")
def remembered(step: Step) -> Iterator[Complaint]:
    """Bytes and back give the same state, so a crash loses nothing decided."""
    if step.turn.number % 23:
        return
    step.saw("remembered")
    codec = step.net.codec
    fixed, changing = codec.encode_state(step.turn.entity, step.after, None)
    if codec.decode_state(step.turn.entity, fixed or b"", changing) != step.after:
        yield "the state does not survive being written and read"


@rule("explained")
def explained(step: Step) -> Iterator[Complaint]:
    """Not converged: at least one reason, each with a time or an event; the engine wakes by the earliest time."""
    word = condition(step.after, step.now)
    if word is Condition.CONVERGED:
        return
    step.saw("explained")
    reasons = explain(step.after, step.now)
    if not reasons:
        yield f"{word}, and no reason"
    for reason in reasons:
        if reason.until is None and not reason.awaits:
            yield f'"{reason.text}" names neither a time nor an event'
    life, wake = step.after.life, step.turn.decision.wake_at
    if life.candidate and not life.rollout and not life.hold:
        times = [reason.until for reason in reasons if reason.until is not None and reason.phase == life.candidate.phase]
        if times and (wake is None or wake > max(min(times), step.now + 1)):
            yield f"looks again at {min(times)}, but wakes at {wake}"
