"""Topics that must have their approvers; a rejection ends the attempt."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import Vote
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.context import Context, Half, halves, needed_by, set_of
from setpoint.core.instance.state import Life
from setpoint.model.names import format_topic, parse_topic
from setpoint.model.people import By
from setpoint.model.policy import ApprovalUse, Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def topic(use: ApprovalUse, release: int, change: int) -> str:
    """Entity id of the topic that collects the votes of one release (on a mirror: of one mirrored change) at one subject."""
    return format_topic(use.subject, use.topic, release, change)


def release_of(entity: str) -> int:
    """The release that a topic is about."""
    return parse_topic(entity).release


def author_of(life: Life, offer: Offer, entity: str) -> str:
    """Who made the release that a topic of an attempt is about."""
    return next((half.author for half in halves(life, offer) if half.release == release_of(entity)), offer.author)


def evaluate(context: Context) -> Iterator[Reason]:
    """Topics that lack approvers, and rejections (``failed``), of each release that the attempt needs the approvals of. What
    expires once the set ``went`` counts still (§10.14).
    """
    policy, life, offer, attempt, now = context
    went = bool(set_of(life, offer)) and with_set.went(context)
    for use, half in _needed(policy, life, offer):
        reason = _approval(use, life, half.author, topic(use, half.release, attempt.change), now, went=went)
        if reason:
            yield reason


def rejections(policy: Policy, life: Life, offer: Offer, change: int, now: Instant) -> Iterator[tuple[Half, Reason]]:
    """Those of an attempt's releases that a person rejected, each with the reason."""
    for use, half in _needed(policy, life, offer):
        reason = _approval(use, life, half.author, topic(use, half.release, change), now, went=False)
        if reason and reason.failed:
            yield half, reason


def _needed(policy: Policy, life: Life, offer: Offer) -> Iterator[tuple[ApprovalUse, Half]]:
    """§10.1: an approval is for one release and counts whatever the other half is."""
    for use in policy.approvals:
        for half in needed_by(use.when, use.name, policy, life, offer):
            yield use, half


def expiry(context: Context) -> Instant | None:
    """When the first topic that has its approvals lacks one again, by the clock alone."""
    policy, life, offer, attempt, now = context
    needed = ((use, half) for use, half in _needed(policy, life, offer) if use.expires)
    return min((at for use, half in needed for at in _expiry(use, life, half, attempt.change, now)), default=None)


def _expiry(use: ApprovalUse, life: Life, half: Half, change: int, now: Instant) -> Iterator[Instant]:
    votes = countable(use, life, half.author, topic(use, half.release, change)).values()
    ends = sorted(vote.at + use.expires for vote in votes if vote.yes and life.wall.at(now) < vote.at + use.expires)
    if len(ends) >= use.min > 0:
        yield life.wall.steady(ends[-use.min])


def _approval(use: ApprovalUse, life: Life, author: str, entity: str, now: Instant, *, went: bool) -> Reason | None:
    votes = countable(use, life, author, entity)
    refused = next((vote for vote in votes.values() if not vote.yes), None)
    if refused:
        by = By(refused.person.name, refused.why)
        text = f"{by.person} rejected it for {use.topic}{by.because}"
        return Reason(
            Code.APPROVAL_REJECTED,
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
    approvers = ", ".join(use.approvers) if use.approvers is not None else "anyone who may approve"
    given = f" ({len(standing)} of {use.min} given)" if use.min > 1 else ""
    expired = " – an earlier yes has expired" if len(standing) < len(votes) else ""
    return Reason(
        Code.APPROVAL_MISSING,
        f"waits for {use.topic}: approval by {approvers}{given}{expired}",
        phase=Phase.APPROVAL,
        gate=use.name,
        subject=entity,
        awaits=f"an approval of {use.topic}",
        unblock=f"approve {use.topic}",
    )


def countable(use: ApprovalUse, life: Life, author: str, entity: str) -> dict[str, Vote]:
    """Person -> last vote that counts: of allowed people, and not used up by an attempt that failed."""
    status = life.topics.get(entity)
    if status is None:
        return {}
    used = life.used.get(entity, 0)
    return {
        vote.person.name: vote
        for vote in status.votes[used:]
        if (use.allow_author or not vote.yes or vote.person.name != author)
        and (use.approvers is None or any(vote.person.matches(principal) for principal in use.approvers))
    }
