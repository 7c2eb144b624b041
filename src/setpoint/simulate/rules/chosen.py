"""Which release is chosen: vetoes, marks, pins; never twice, never backwards."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Kind
from setpoint.model.policy import Strategy
from setpoint.simulate.rules.base import Complaint, rule
from setpoint.simulate.step import Step


@rule("vetoed")
def vetoed(step: Step) -> Iterator[Complaint]:
    """A vetoed version never becomes target by selection."""
    if step.forward is None:
        return
    attempt, offer, _ = step.forward
    if step.ledger.vetoed or step.ledger.bad:
        step.saw("vetoed")
    if offer.version.name in step.ledger.bad:
        yield f"{offer.version.name} is marked bad"
    if offer.release in step.ledger.cancelled:
        yield f"release {offer.release} is cancelled"
    for release, version in step.ledger.vetoed.items():
        if release == attempt.release or version == offer.version:
            yield f"release {attempt.release} ({version.name}) is vetoed"


@rule("pinned")
def pinned(step: Step) -> Iterator[Complaint]:
    """A pinned instance's target moves only to its pin or to good."""
    life, before = step.after.life, step.before.life
    if not life.pin or before.target == life.target or step.after.removed:
        return
    step.saw("pinned")
    if life.target not in {life.pin, before.good, life.good}:
        yield f"pinned to {life.pin}, but target moved to {life.target}"


@rule("once")
def once(step: Step) -> Iterator[Complaint]:
    """Between two human acts a release's rollout begins at most once (mirrors: once per change). To configure again is an act."""
    if step.forward is None or step.forward[2].strategy is Strategy.MIRROR or step.before.removed:
        return
    step.saw("once")
    release = step.forward[0].release
    if step.ledger.begun[release]:
        yield f"the rollout of release {release} began a second time"


@rule("forward")
def forward(step: Step) -> Iterator[Complaint]:
    """Without a human's act no older release follows a newer one (mirrors excepted)."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD:
        return
    step.saw("forward")
    release = step.forward[0].release
    if release < step.ledger.highest:
        yield f"release {release} follows {step.ledger.highest}"
    if release < step.before.life.frontier:
        yield f"release {release} is older than the frontier {step.before.life.frontier}"
