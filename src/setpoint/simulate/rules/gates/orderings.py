"""Orderings: what the earlier channels had finalized when an attempt started."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import MemberState, SetVote
from setpoint.core.instance.state import Attempt, offer_of
from setpoint.core.instructions import Send
from setpoint.model.policy import Ordering, Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import Instant
from setpoint.simulate.checker.requirements import AttemptRelease, offer_of_set
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.checks.evidence import slack
from setpoint.simulate.rules.gates.dependencies import DependencyLedger
from setpoint.simulate.rules.registry import Complaint, rule


@rule("ordered")
def ordered(step: Step) -> Iterator[Complaint]:
    """The earlier channels had finalized the version, for the soak, as far as this one knows, unless that was skipped: when an
    attempt comes under way – its first task starts, or it reports to its set that it is locked – and when target moves.
    """
    for offer, policy, committed in _moments(step):
        for ordering in policy.orderings:
            if committed and _added(step, ordering):
                continue
            for part in step.needing(ordering.when, ordering.name, policy, offer):
                step.saw("ordered")
                yield from _ordered(step, ordering, offer, part, committed=committed)


def _added(step: Step, ordering: Ordering) -> bool:
    """Whether the configuration got it when the attempt was committed already (§10.14)."""
    return all(ordering.name not in names for names in step.ledger.committed.values())


def _moments(step: Step) -> Iterator[tuple[Offer, Policy, bool]]:
    """(offer, policy, whether it was under way before)"""
    if step.forward:
        attempt, offer, policy = step.forward
        yield offer, policy, attempt.committed
    candidate, policy_now = step.after.life.candidate, step.after.policy
    offer_now = candidate and offer_of(step.after.life, candidate.pair)
    if candidate and offer_now and policy_now and not _was_under_way(step, candidate) and _comes_under_way(step, candidate):
        yield offer_now, policy_now, False


def _was_under_way(step: Step, candidate: Attempt) -> bool:
    before = step.before.life.candidate
    return before is not None and before.number == candidate.number and before.committed


def _comes_under_way(step: Step, candidate: Attempt) -> bool:
    offer = offer_of(step.after.life, candidate.pair)
    locked = any(
        isinstance(send.fact, SetVote)
        and send.fact.state is MemberState.LOCKED
        and offer_of_set(step.after.life, send.to) == offer
        for send in step.turn.decision.instructions
        if isinstance(send, Send)
    )
    return locked or (candidate.committed and candidate.phase is Phase.PRE_DEPLOYMENT and _starts_a_task(step, candidate))


def _starts_a_task(step: Step, candidate: Attempt) -> bool:
    before = step.before.life.candidate
    known = before.tasks if before and before.number == candidate.number else {}
    return any(entity not in known for entity in candidate.tasks)


def _ordered(step: Step, ordering: Ordering, offer: Offer, part: AttemptRelease, *, committed: bool) -> Iterator[Complaint]:
    release, configures = part.release, part.configures
    ledger = step.ledger.of(DependencyLedger)
    by_instance = {name: _finalized(step, name, offer, configures=configures) for name in ordering.instances}
    absent = {name for name in ordering.instances if configures and ledger.abstains(name, release)}
    absent |= {
        name
        for name in ordering.members
        if by_instance[name] is None
        and not ledger.failed(name, offer, release)
        and (committed or ledger.declines(name, offer, release))
    }
    finalized_at = [at for name, at in by_instance.items() if name not in absent]
    need = min(ordering.need, len(finalized_at)) or len(finalized_at)
    if not finalized_at and not ordering.allow_empty and not committed and not configures:
        yield f"{ordering.name}: no instance takes {offer.version.name}"
    if sum(at is not None for at in finalized_at) < need:
        yield f"{ordering.name}: {need} must have finalized {offer.version.name} (release {release})"
    elif sum(at is not None and min(at, step.now) + ordering.soak <= step.now + slack(step) for at in finalized_at) < need:
        yield f"{ordering.name}: {offer.version.name} has not soaked"


def _finalized(step: Step, name: str, offer: Offer, *, configures: bool) -> Instant | None:
    """§10.1 Ordered: that very pair; or, in a newer configuration, version and configuration apart, unless that pair failed."""
    finalized_at = step.ledger.finalizations.get(name, {})
    exact = finalized_at.get(offer.version)
    if exact is not None or offer.configuration is None or step.ledger.of(DependencyLedger).pair_failed(name, offer):
        return exact
    if configures:
        return min((at for version, at in finalized_at.items() if version.revision == offer.version.revision), default=None)
    return min((at for version, at in finalized_at.items() if version.same(offer.version)), default=None)
