"""Freshness: nothing is judged by a result older than what it judges."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import CheckStatus
from setpoint.core.instance.state import Rollout, offer_of
from setpoint.core.instructions import Apply, Event
from setpoint.model.checks import Outcome
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code
from setpoint.model.release import Offer
from setpoint.simulate.checker.requirements import stuck
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.checks.evidence import passed, uses
from setpoint.simulate.rules.registry import Complaint, rule

DOWN = "down"
"""What the state has in place of a spec while what runs is taken down."""


@rule("seen")
def seen(step: Step) -> Iterator[Complaint]:
    """Nothing is finalized, failed, rolled back or applied again on an observation or check older than the act it judges."""
    yield from _applied_again(step)
    old = step.before.life.rollout
    if old is None or old.back:
        return
    judged = "passed" if any(step.events("passed")) else "finalized"
    finalized = [event for event in step.events(judged) if step.ledger.pair(event) == old.attempt.pair and not old.passed]
    offer = offer_of(step.before.life, old.attempt.pair)
    if finalized and offer and step.after.policy:
        step.saw("seen")
        yield from _finalized(step, step.after.policy, offer, old)
    own = [event for event in step.events("rolling-back", "failed") if event.cause != Code.SET_FAILED]
    for event in own:
        step.saw("seen")
        yield from _deadline(step, event)
        if offer and event.cause == Code.APPLY_FAILED and not step.world.runtimes.behaviour(offer.spec).terminal:
            yield f"{offer.version.name} is judged by the refusal of another: {event.text}"
    gives_way = step.forward and not step.forward[1].urgent
    if offer and gives_way and not step.events("rolling-back", "failed", "finalized", "rolled-back"):
        step.saw("seen")
        tried = step.world.runtimes.place(step.instance).tried.get(offer.spec, 0) >= step.ledger.moved
        if not tried and not _did_badly(step, old):
            yield f"{offer.version.name} gave way before it was applied at all"


def _did_badly(step: Step, rollout: Rollout) -> bool:
    """A check of the rollout had not passed by then, or fails in this very turn; or a task of its own was stuck."""
    gates = rollout.attempt.gates.values()
    reported = {(fact.attachment, fact.outcome) for fact in step.turn.facts if isinstance(fact, CheckStatus)}
    bad = any(gate.counts and gate.outcome is not Outcome.PASSING for gate in gates) or any(
        (gate.attachment, outcome) in reported for gate in gates for outcome in Outcome if outcome is not Outcome.PASSING
    )
    return bad or any(stuck(step.after.life, entity) for entity in rollout.attempt.tasks)


def _applied_again(step: Step) -> Iterator[Complaint]:
    """An apply that was taken on is made again only after a look that began after it."""
    place, taken = step.world.runtimes.place(step.instance), step.before.life.applying.taken
    last = step.before.life.applying.spec
    applied = [DOWN if given.down else given.spec for given in step.turn.decision.instructions if isinstance(given, Apply)]
    again = bool(last) and last in applied and not step.moved  # to take it down is another apply
    if again and taken and place.applies and step.world.effects.looked.get(step.turn.entity, 0) < place.applies[-1][0]:
        yield "applied again although no look began since the last apply"


def _finalized(step: Step, policy: Policy, offer: Offer, rollout: Rollout) -> Iterator[Complaint]:
    place = step.world.runtimes.place(step.instance)
    if not place.applies or place.applies[-1][2] != offer.spec:
        yield f"finalized {offer.version.name}, which was never applied last: {place.applies[-2:]}"
        return
    taken = place.applies[-1][0]
    looked, spec = step.world.effects.shown.get(step.turn.entity, (0, ""))
    if looked < taken or spec != offer.spec:
        yield f"finalized {offer.version.name} applied at {taken}, but the last look that showed a whole version was at {looked}"
    first = min(when for when, _, spec in place.applies if spec == offer.spec and when >= step.ledger.moved)
    for use in uses(step, policy, offer, Phase.POST_DEPLOYMENT):
        yield from passed(step, use, rollout.attempt, first)


def _deadline(step: Step, event: Event) -> Iterator[Complaint]:
    """Deadlines count observed time."""
    policy = step.after.policy
    if policy and event.cause == Code.NOT_HEALTHY_YET and step.ledger.observed < policy.progress_deadline:
        yield f"only {step.ledger.observed} ms were observed: {event.text}"
    if policy and event.cause == Code.UNHEALTHY and step.ledger.observed < policy.grace:
        yield f"only {step.ledger.observed} ms were observed: {event.text}"
