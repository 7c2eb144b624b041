"""Selection of a release: vetoes, marks, pins; never twice, never backwards."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Kind
from setpoint.model.policy import Strategy
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule


@rule("vetoed")
def vetoed(step: Step) -> Iterator[Complaint]:
    """A vetoed or bad version, or a cancelled release, never becomes target by selection."""
    if step.forward is None:
        return
    _, offer, _ = step.forward
    ledger = step.ledger
    if ledger.vetoed or ledger.bad:
        step.saw("vetoed")
    if offer.version.name in ledger.bad:
        yield f"{offer.version.name} is marked bad"
    if offer.release in ledger.cancelled and not step.keeps_version(offer):
        yield f"release {offer.release} is cancelled"
    if offer.configuration and offer.configuration.release in ledger.cancelled:
        yield f"the configuration of release {offer.configuration.release} is cancelled"
    if veto := ledger.is_vetoed(offer):
        yield f"{offer.pair} ({offer.version.name}) is vetoed: {veto}"


@rule("pinned")
def pinned(step: Step) -> Iterator[Complaint]:
    """A pinned instance's target moves only to its pin, in any configuration, or to good."""
    life, before = step.after.life, step.before.life
    if not life.pin or before.target == life.target or step.after.removed:
        return
    step.saw("pinned")
    if life.target.release != life.pin and life.target not in {before.good, life.good}:
        yield f"pinned to {life.pin}, but target moved to {life.target}"


@rule("once")
def once(step: Step) -> Iterator[Complaint]:
    """Between two human acts a pair's rollout begins at most once (mirrors: once per change). To configure again is an act."""
    if step.forward is None or step.forward[2].strategy is Strategy.MIRROR or step.before.removed:
        return
    step.saw("once")
    pair = step.forward[0].pair
    if step.ledger.started[pair]:
        yield f"the rollout of {pair} began a second time"


@rule("forward")
def forward(step: Step) -> Iterator[Complaint]:
    """Without a human's act no older version release follows a newer one (mirrors excepted)."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD:
        return
    step.saw("forward")
    attempt, offer, _ = step.forward
    if step.only_configures(offer):
        return
    if attempt.release < step.ledger.highest:
        yield f"release {attempt.release} follows {step.ledger.highest}"
    if attempt.release < step.before.life.frontier and not step.keeps_version(offer):  # *good* comes back where nothing is left
        yield f"release {attempt.release} is older than the frontier {step.before.life.frontier}"


@rule("kept")
def kept(step: Step) -> Iterator[Complaint]:
    """18: by a configuration release the version of target stays, or becomes that of a newer version release that names the
    instance and is not vetoed, rejected, bad or cancelled there (a pin may be older; mirrors excepted).
    """
    if step.forward is None or step.forward[1].configuration is None or step.forward[0].kind is Kind.MIRROR:
        return
    attempt, offer, policy = step.forward
    ledger = step.ledger
    step.saw("kept")
    good = next((pair for pair in reversed(ledger.goods) if ledger.versions[pair].name not in ledger.bad), None)
    if step.keeps_version(offer):
        target = step.before.life.target
        if attempt.kind is Kind.FORWARD and target.release > attempt.release and not ledger.is_back(step.before):
            yield f"a configuration brings back {attempt.release}, though {target.release} runs"
        return
    if attempt.release not in ledger.offered and attempt.kind is not Kind.PIN:
        yield f"a configuration brings release {attempt.release}, which does not name this instance"
    if policy.strategy is Strategy.MANUAL and attempt.kind is Kind.FORWARD and not offer.addressed:
        yield f"a configuration brings release {attempt.release}, which was not sent to this manual channel"
    if attempt.kind is Kind.FORWARD and good is not None and attempt.release < good.release:
        yield f"a configuration brings release {attempt.release}, which is older than {good.release}, which is good"


@rule("configured")
def configured(step: Step) -> Iterator[Complaint]:
    """20: without a human's act no older configuration follows a newer one (rollbacks and mirrors excepted)."""
    if step.forward is None or step.forward[0].kind is not Kind.FORWARD:
        return
    attempt, _, _ = step.forward
    if step.ledger.configurations:
        step.saw("configured")
    if attempt.configured < step.ledger.newest:
        yield f"configuration {attempt.configured} follows {step.ledger.newest}"
