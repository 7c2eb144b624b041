"""Rollbacks: to the last good version, and without waiting for a gate."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import NOTHING, offer_of
from setpoint.simulate.checker.requirements import failed_checks
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.gates.dependencies import below
from setpoint.simulate.rules.gates.tasks import Undone
from setpoint.simulate.rules.registry import Complaint, rule


@rule("safe-back")
def safe_back(step: Step) -> Iterator[Complaint]:
    """After a failed rollout target is the last good version, or does not move."""
    kept = {offer.pair: offer.version.name for offer in (*step.before.life.offers, *step.after.life.offers)}
    kept |= {pair: version.name for pair, version in step.ledger.versions.items()}
    good = next((good for good in reversed(step.ledger.goods) if kept.get(good) not in step.ledger.bad), NOTHING)
    rollout, old = step.went_back(), step.before.life.rollout
    new = step.after.life.rollout
    same = old is not None and new is not None and old.back and new.back and old.attempt.number == new.attempt.number
    bad_meanwhile = old is not None and kept.get(old.to) in step.ledger.bad
    if old and new and same and old.to != new.to and not step.by_hand() and not bad_meanwhile:
        yield f"went back to {old.to}, and turned round to {new.to}"
    if rollout:
        step.saw("safe-back")
        if step.after.life.target != good:
            yield f"went back to {step.after.life.target}, good is {good}"
    if step.after.life.failure and not step.before.life.failure:
        step.saw("safe-back")
        if old and step.after.life.target != old.to:
            yield f"failed, but target moved from {old.to} to {step.after.life.target}"
        barred = step.ledger.of(Undone).bars(good)
        if good and not barred and old and good != old.attempt.pair and step.after.policy and step.after.policy.auto_rollback:
            failed = offer_of(step.before.life, old.attempt.pair)
            if failed is None or not below(failed, kept.get(good, "")):
                yield f"failed and stayed, although {good} is good"


@rule("unhindered")
def unhindered(step: Step) -> Iterator[Complaint]:
    """A rollback never waits for a gate: it begins in the turn of the failure, and applies as soon as it can."""
    life = step.after.life
    rollout, applying = life.rollout, life.applying
    if rollout is None:
        return
    if rollout.back:
        step.saw("unhindered")
        if not applying.operation and not applying.spec and applying.retry_at <= step.now and not step.ledger.paused:
            yield "a rollback waits although nothing is in flight"
    elif step.after.policy and not rollout.passed and (offer := offer_of(life, rollout.to)):
        for use in failed_checks(step.after.policy, life, offer, rollout.attempt):
            yield f"did not go back although the check {use.name} has failed it"
