"""Approvals: distinct, allowed people, for that very release."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Attempt, Kind
from setpoint.model.names import format_topic
from setpoint.model.people import Person
from setpoint.model.policy import ApprovalUse
from setpoint.model.release import Offer
from setpoint.simulate.checker.requirements import AttemptRelease, attempt_releases, matches
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.gates.sets import went_at
from setpoint.simulate.rules.registry import Complaint, rule


@rule("approved")
def approved(step: Step) -> Iterator[Complaint]:
    """Approvals counted were given by distinct, allowed people for that very release; no rejection stood.

    They had not expired when target moved, or when the set started that it moves with.
    """
    if step.forward is None:
        return
    attempt, offer, policy = step.forward
    for use in policy.approvals:
        for part in attempt_releases(step.judged, offer):
            concerned = matches(use.when, policy, step.judged, offer, part)
            if concerned and not step.skipped(part.release, use.name):
                step.saw("approved")
                yield from _approved(step, use, part, offer, attempt)


def _approved(step: Step, use: ApprovalUse, part: AttemptRelease, offer: Offer, attempt: Attempt) -> Iterator[Complaint]:
    release, author = part.release, part.author
    topic = format_topic(use.subject, use.topic, release, attempt.change)
    counted = step.ledger.votes.get(topic, ())[step.ledger.used.get(topic, 0) :]
    votes = {vote.person.name: vote for vote in counted if _may_vote(use, vote.person)}
    went = went_at(step, offer) if attempt.kind is Kind.FORWARD else None
    wall = step.wall if went is None else min(went, step.wall)
    people = {
        name
        for name, vote in votes.items()
        if vote.yes and (use.allow_author or name != author) and (not use.expires or wall < vote.at + use.expires)
    }
    if len(people) < use.min:
        yield f"{use.topic}: only {sorted(people)} of {use.min} approved release {release}"
    if any(not vote.yes for vote in votes.values()):
        yield f"{use.topic}: a person rejected release {release}"


def _may_vote(use: ApprovalUse, person: Person) -> bool:
    return use.approvers is None or any(person.matches(principal) for principal in use.approvers)
