"""What holds an attempt back: each gate gives a ``Reason``, or nothing when it holds. All gates of a phase are evaluated.

Everything here is a pure question about what is remembered; deciding and explaining ask the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core import calendars
from setpoint.core.facts import Vote
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import Attempt, Gate, Life
from setpoint.model.checks import Outcome
from setpoint.model.policy import ApprovalUse, CheckUse, Ordering, Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant, approximate_duration

EVERY_GATE = "*"


def skipped(life: Life, release: int, gate: str) -> bool:
    """Whether a person said that this gate of this release does not count here."""
    return bool(life.skips) and any(skip.release == release and skip.gate in {gate, EVERY_GATE} for skip in life.skips)


def channel_of(instance: str) -> str:
    """The channel in ``application/service@channel``."""
    return instance.rpartition("@")[2]


# --- orderings ---------------------------------------------------------------------------------------------------------


def orderings(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """Earlier channels that have not finalized the version (for the soak), and are not skipped."""
    for ordering in policy.orderings:
        if applies(ordering.when, policy, life, offer) and not skipped(life, offer.release, ordering.name):
            reason = _ordering(ordering, life, offer, now)
            if reason:
                yield reason


def _ordering(ordering: Ordering, life: Life, offer: Offer, now: Instant) -> Reason | None:
    met, soaking = 0, []
    for instance in ordering.instances:
        finalized = finalized_at(life, instance, offer)
        if finalized is not None and min(finalized, now) + ordering.soak <= now:
            met += 1
        elif finalized is not None:
            soaking.append(min(finalized, now) + ordering.soak)
    need = ordering.need or len(ordering.instances)
    if met >= need:
        return None
    names = ", ".join(ordering.channels or tuple(channel_of(instance) for instance in ordering.instances))
    until = sorted(soaking)[need - met - 1] if len(soaking) >= need - met else None
    if until is not None:
        text = f"{offer.version.name} soaks in {names} for another {approximate_duration(until - now + 999)}"
    else:
        text = _upstream_story(ordering, life, offer, names)
    return Reason(
        "ordering",
        text,
        phase=Phase.PRE_APPROVAL,
        gate=ordering.name,
        subject=ordering.instances[0],
        until=until,
        awaits="" if until else f"{offer.version.name} finalized in {names}",
        unblock=f"skip {ordering.name}",
    )


def _upstream_story(ordering: Ordering, life: Life, offer: Offer, names: str) -> str:
    for instance in ordering.instances:
        neighbour = life.neighbours.get(instance)
        if neighbour is None:
            continue
        if offer.release in neighbour.rolled_back or offer.version in neighbour.revoked:
            return f"{channel_of(instance)} rolled {offer.version.name} back"
    return f"{names} has not finalized {offer.version.name} yet"


def finalized_at(life: Life, instance: str, offer: Offer) -> Instant | None:
    """When an earlier instance finalized the offer's version, as far as this one was told."""
    neighbour = life.neighbours.get(instance)
    if neighbour is None:
        return None
    return next((done.at for done in neighbour.finalized if done.version == offer.version), None)


# --- approvals ---------------------------------------------------------------------------------------------------------


def topic(use: ApprovalUse, release: int, change: int) -> str:
    """Entity id of the topic that collects the votes of one release (on a mirror: of one mirrored change) at one subject."""
    return f"topic:{use.subject}#{use.topic}#{release}" + (f"~{change}" if change else "")


def approvals(policy: Policy, life: Life, offer: Offer, change: int, now: Instant) -> Iterator[Reason]:
    """Topics that lack approvers, and rejections (``failed``)."""
    for use in policy.approvals:
        if not applies(use.when, policy, life, offer) or skipped(life, offer.release, use.name):
            continue
        reason = _approval(use, life, offer, topic(use, offer.release, change), now)
        if reason:
            yield reason


def _approval(use: ApprovalUse, life: Life, offer: Offer, entity: str, now: Instant) -> Reason | None:
    votes = countable(use, life, offer, entity)
    refused = next((vote for vote in votes.values() if not vote.yes), None)
    if refused:
        because = f": {refused.why}" if refused.why else ""
        text = f"{refused.person.name} rejected it for {use.topic}{because}"
        return Reason("approval", text, phase=Phase.APPROVAL, gate=use.name, subject=entity, since=refused.at, failed=True)
    standing = [vote for vote in votes.values() if not use.expires or now < vote.at + use.expires]
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


# --- calendars ---------------------------------------------------------------------------------------------------------


def times(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """Calendars that are closed, and a cadence whose slot is used up."""
    for use in policy.calendars:
        if not applies(use.when, policy, life, offer) or skipped(life, offer.release, use.name):
            continue
        opening = calendars.opening(use.calendar, use.timezone, now)
        if not opening.open:
            yield Reason(
                "calendar",
                f"{use.name} is {opening.reason}",
                phase=Phase.PRE_DEPLOYMENT,
                gate=use.name,
                until=opening.until,
                awaits="" if opening.until else f"a change of the calendar {use.name}",
                unblock=f"skip {use.name}",
            )
    if policy.cadence and not skipped(life, offer.release, "cadence"):
        yield from _cadence(policy, life, now)


def _cadence(policy: Policy, life: Life, now: Instant) -> Iterator[Reason]:
    assert policy.cadence is not None  # noqa: S101 - asked by the caller
    cadence = policy.cadence
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, now)
    if occurrence and (life.slot[0] != occurrence[0] or life.slot[1] < cadence.max):
        return
    following = calendars.next_occurrence(cadence.calendar, cadence.timezone, now)
    until = following[0] if following else None
    text = (
        f"the cadence admits {cadence.max} here in each window, and this one is used"
        if occurrence
        else "outside the cadence's window"
    )
    yield Reason(
        "cadence",
        f"{text}{f'; the next begins in {approximate_duration(until - now)}' if until else ''}",
        phase=Phase.PRE_DEPLOYMENT,
        gate="cadence",
        until=until,
        awaits="" if until else "a change of the cadence",
        unblock="skip cadence",
    )


# --- checks ------------------------------------------------------------------------------------------------------------


def uses(policy: Policy, life: Life, offer: Offer, phase: Phase) -> Iterator[CheckUse]:
    """The checks that are asked in this phase of an attempt at this offer, informational ones among them."""
    for use in policy.checks:
        if use.phase is not phase or skipped(life, offer.release, use.name):
            continue
        if applies(use.when, policy, life, offer):
            yield use


def checks(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """Checks of the attempt's phase that do not hold; ``failed`` ones end it. Informational ones are shown and gate nothing."""
    for use in uses(policy, life, offer, attempt.phase):
        reason = None if use.informational else check(use, attempt.gates.get(use.name), attempt, now)
        if reason:
            yield reason


def check(use: CheckUse, gate: Gate | None, attempt: Attempt, now: Instant) -> Reason | None:
    """One check: nothing, or what is missing."""
    if gate is None:
        return _wait(use, f"{use.name} is asked after a delay", attempt.entered, until=attempt.entered + use.delay)
    if not gate.counts:
        return _wait(use, f"waits for a first result of {use.name}", gate.asked, gate, awaits=f"a finished run of {use.name}")
    if gate.outcome is Outcome.BLOCKING:
        return _no(use, gate)
    if gate.outcome is not Outcome.PASSING:
        text = f"{use.name} could not run ({gate.outcome}): {gate.reason}"
        return _wait(use, text, gate.since, gate, awaits=f"a finished run of {use.name}")
    return _window(use, gate, now) if use.window else _fresh(use, gate, now)


def _no(use: CheckUse, gate: Gate) -> Reason:
    final = (use.phase is Phase.POST_DEPLOYMENT and gate.nos - gate.nos_before > use.tolerate) or (
        use.phase is Phase.DEPLOYMENT and use.on_fail == "fail"
    )
    text = f"{use.name} says no: {gate.reason}"
    return _wait(use, text, gate.since, gate, awaits=f"{use.name} passing", failed=final)


def _window(use: CheckUse, gate: Gate, now: Instant) -> Reason | None:
    start = window_start(use, gate)
    if gate.ended - start >= use.window:
        return _fresh(use, gate, now)
    text = f"{use.name} must pass for another {approximate_duration(max(start + use.window - now, 0) + 999)}"
    return _wait(use, text, start, gate, until=start + use.window)


def window_start(use: CheckUse, gate: Gate) -> Instant:
    """Since when the present unbroken series of fresh results has counted for this gate."""
    return max(gate.answered if use.tolerate else gate.covered, gate.first)


def _fresh(use: CheckUse, gate: Gate, now: Instant) -> Reason | None:
    if now - gate.ended <= use.check.max_age:
        return None
    return _wait(
        use,
        f"the last pass of {use.name} is too old and is asked for again",
        gate.ended,
        gate,
        code="stale",
        awaits=f"a finished run of {use.name}",
    )


def _wait(
    use: CheckUse,
    text: str,
    since: Instant,
    gate: Gate | None = None,
    *,
    code: str = "check",
    until: Instant | None = None,
    awaits: str = "",
    failed: bool = False,
) -> Reason:
    return Reason(
        code,
        text,
        phase=use.phase,
        gate=use.name,
        subject=gate.attachment if gate else "",
        since=since,
        until=until,
        awaits=awaits,
        unblock=f"skip {use.name}",
        failed=failed,
    )
