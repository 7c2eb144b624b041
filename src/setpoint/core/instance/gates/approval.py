"""Topics that must have their approvers; a rejection ends the attempt."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import Vote
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.gates.naming import skipped
from setpoint.core.instance.state import Life
from setpoint.model.policy import ApprovalUse, Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def topic(use: ApprovalUse, release: int, change: int) -> str:
    """Entity id of the topic that collects the votes of one release (on a mirror: of one mirrored change) at one subject."""
    return f"topic:{use.subject}#{use.topic}#{release}" + (f"~{change}" if change else "")


def approvals(policy: Policy, life: Life, offer: Offer, change: int, now: Instant, *, went: bool = False) -> Iterator[Reason]:
    """Topics that lack approvers, and rejections (``failed``). What expires once the set ``went`` counts still (§10.14)."""
    for use in policy.approvals:
        if not applies(use.when, policy, life, offer) or skipped(life, offer.release, use.name):
            continue
        reason = _approval(use, life, offer, topic(use, offer.release, change), now, went=went)
        if reason:
            yield reason


def expiry(policy: Policy, life: Life, offer: Offer, change: int, now: Instant) -> Instant | None:
    """When the first topic that has its approvals lacks one again, by the clock alone."""
    return min(
        (at for use in policy.approvals if use.expires for at in _expiry(use, policy, life, offer, change, now)), default=None
    )


def _expiry(use: ApprovalUse, policy: Policy, life: Life, offer: Offer, change: int, now: Instant) -> Iterator[Instant]:
    if not applies(use.when, policy, life, offer) or skipped(life, offer.release, use.name):
        return
    votes = countable(use, life, offer, topic(use, offer.release, change)).values()
    ends = sorted(vote.at + use.expires for vote in votes if vote.yes and life.wall.at(now) < vote.at + use.expires)
    if len(ends) >= use.min > 0:
        yield life.wall.steady(ends[-use.min])


def _approval(use: ApprovalUse, life: Life, offer: Offer, entity: str, now: Instant, *, went: bool) -> Reason | None:
    votes = countable(use, life, offer, entity)
    refused = next((vote for vote in votes.values() if not vote.yes), None)
    if refused:
        because = f": {refused.why}" if refused.why else ""
        text = f"{refused.person.name} rejected it for {use.topic}{because}"
        return Reason(
            "approval",
            text,
            phase=Phase.APPROVAL,
            gate=use.name,
            subject=entity,
            since=life.wall.steady(refused.at),
            awaits="the end of its attempt",
            failed=True,
        )
    standing = [vote for vote in votes.values() if went or not use.expires or life.wall.at(now) < vote.at + use.expires]
    if len(standing) >= use.min:
        return None
    asked = ", ".join(use.approvers) if use.approvers is not None else "anyone who may approve"
    given = f" ({len(standing)} of {use.min} given)" if use.min > 1 else ""
    expired = " – an earlier yes has expired" if len(standing) < len(votes) else ""
    return Reason(
        "approval",
        f"waits for {use.topic}: approval by {asked}{given}{expired}",
        phase=Phase.APPROVAL,
        gate=use.name,
        subject=entity,
        awaits=f"an approval of {use.topic}",
        unblock=f"approve {use.topic}",
    )


def countable(use: ApprovalUse, life: Life, offer: Offer, entity: str) -> dict[str, Vote]:
    """Person -> last vote that counts: of allowed people, and not used up by an attempt that failed."""
    status = life.topics.get(entity)
    if status is None:
        return {}
    used = life.used.get(entity, 0)
    return {
        vote.person.name: vote
        for vote in status.votes[used:]
        if (use.allow_author or not vote.yes or vote.person.name != offer.author)
        and (use.approvers is None or any(vote.person.matches(principal) for principal in use.approvers))
    }
