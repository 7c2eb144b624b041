"""One instance for an overview: its four states, one word for it, and the one reason that matters most."""

from __future__ import annotations

from collections.abc import Iterable

from setpoint.control.reading.approvals import matches
from setpoint.control.registry import Answer
from setpoint.control.views.reasons import ReasonView, reason_view
from setpoint.core.instance.explain import Condition, condition, desired, explain
from setpoint.core.instance.gates.approval import author_of, countable
from setpoint.core.instance.state import Current, InstanceState, Life, offer_of, version_offer
from setpoint.model.names import parse_instance
from setpoint.model.people import Person
from setpoint.model.policy import ApprovalUse, Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant

FAILED = frozenset({Condition.FAILED, Condition.ROLLBACK_FAILED})
TROUBLED = FAILED | {
    Condition.VETOED,
    Condition.BAD,
    Condition.DRIFTED,
    Condition.UNHEALTHY,
    Condition.UNREACHABLE,
    Condition.ROLLING_BACK,
}
_APPROVALS = frozenset({Code.APPROVAL_MISSING, Code.APPROVAL_REJECTED})
_AHEAD = {Code.APPROVAL_MISSING: 1, Code.APPROVAL_REJECTED: 1, Code.CALENDAR_CLOSED: 2, Code.CADENCE_CLOSED: 2}
"""Reasons of later phases come after those of the present one."""


class VersionView(Answer):
    """A version as a release brought it."""

    version: str
    release: int
    configuration: int = 0
    """The configuration release that it came with; 0: in the version release's own configuration."""


class CurrentView(Answer):
    """What was last seen."""

    versions: list[str]
    healthy: int
    total: int
    at: Instant
    message: str = ""
    unreachable: str = ""


class InstanceView(Answer):
    """One row."""

    instance: str
    application: str
    service: str
    channel: str
    group: str
    """The channel's; empty: none."""
    runtime: str
    condition: str
    desired: VersionView | None
    target: VersionView | None
    current: CurrentView | None
    good: VersionView | None
    release: int
    """Of the attempt under way, else of target; 0: none."""
    phase: str
    attempt: int
    settled: bool
    """What selection wants is finalized here and healthy."""
    attention: str
    """``failed``: it went wrong; ``you``: it waits for the viewer; ``others``: for other people; empty: neither."""
    reason: ReasonView | None
    reasons: int
    next_look: Instant | None
    """When the engine looks again automatically, as far as the reasons contain it."""
    pinned: str
    held_by: str
    mirrors: str
    problem: str = ""
    """Why its turns do not succeed; empty: they do."""


def view(instance: str, state: InstanceState, now: Instant, *, viewer: Person, problem: str = "") -> InstanceView:
    """Return the row of one instance for its viewer."""
    owner, service, channel = parse_instance(instance)
    life, policy = state.life, state.policy
    word, reasons = condition(state, now), explain(state, now)
    first = headline(life, reasons)
    attempt = life.candidate or (life.rollout.attempt if life.rollout else None)
    wanted = desired(state, now)
    pinned = version_offer(life, life.pin)
    return InstanceView(
        instance=instance,
        application=owner,
        service=service,
        channel=channel,
        group=policy.labels.get("group", "") if policy else "",
        runtime=policy.labels.get("runtime", "") if policy else "",
        condition="broken" if problem else str(word),
        desired=version_view(wanted) if wanted else None,
        target=_version(life, life.target),
        current=_current(life.current),
        good=_version(life, life.good),
        release=attempt.release if attempt else life.target.release,
        phase=str(attempt.phase) if attempt else "",
        attempt=attempt.number if attempt else 0,
        settled=word is Condition.CONVERGED,
        attention="failed" if problem else _attention(word, state, reasons, now, viewer),
        reason=reason_view(first, instance) if first else None,
        reasons=len(reasons),
        next_look=min((reason.until for reason in reasons if reason.until), default=None),
        pinned=pinned.version.name if pinned else "",
        held_by=life.hold.by.person if life.hold else "",
        mirrors=policy.mirror if policy else "",
        problem=problem,
    )


def _version(life: Life, pair: Pair) -> VersionView | None:
    offer = offer_of(life, pair)
    return version_view(offer) if offer else None


def version_view(offer: Offer) -> VersionView:
    """A version as data, with the configuration release that it comes with."""
    configuration = offer.configuration.release if offer.configuration else 0
    return VersionView(version=offer.version.name, release=offer.release, configuration=configuration)


def _current(seen: Current | None) -> CurrentView | None:
    if seen is None:
        return None
    return CurrentView(
        versions=list(seen.versions),
        healthy=seen.healthy,
        total=seen.total,
        at=seen.at,
        message=seen.message,
        unreachable=seen.unreachable,
    )


def headline(life: Life, reasons: Iterable[Reason]) -> Reason | None:
    """What went wrong, before what is waited for now, before what will be waited for later."""
    return min(reasons, key=lambda reason: _rank(life, reason), default=None)


def present(life: Life, reasons: Iterable[Reason]) -> list[Reason]:
    """What is waited for now, or went wrong: reasons that do not only come into play when others are gone."""
    return [reason for reason in reasons if _rank(life, reason) < _LATER]


_LATER = (2, 0)


def _rank(life: Life, reason: Reason) -> tuple[int, int]:
    phase = life.candidate.phase if life.candidate else (life.rollout.attempt.phase if life.rollout else "")
    if reason.failed or reason.stuck:
        return (0, reason.stuck)
    if reason.code is Code.TASK_PENDING:
        return (2, 0)
    if phase and reason.phase not in {"", phase} and reason.code in _AHEAD:
        return (2, _AHEAD[reason.code])
    return (1, 0)


def _attention(word: Condition, state: InstanceState, reasons: Iterable[Reason], now: Instant, viewer: Person) -> str:
    if word in FAILED or word in {Condition.VETOED, Condition.BAD}:
        return "failed"
    candidate = state.life.candidate
    awaits_approval = candidate is not None and candidate.phase is Phase.APPROVAL
    found = ""
    for reason in reasons:
        approval = reason.code is Code.APPROVAL_MISSING and awaits_approval
        if _needs_a_person(reason) or (approval and _may_approve(state, reason, now, viewer)):
            return "you"
        found = "others" if approval else found
    return found


def _may_approve(state: InstanceState, reason: Reason, now: Instant, viewer: Person) -> bool:
    """Whether an approval of this very person is missing (§10.9): counts are the viewer's."""
    use, life = approval_of(state, reason), state.life
    offer = offer_of(life, life.candidate.pair) if life.candidate else None
    if use is None or offer is None or not matches(viewer, use.approvers):
        return False
    author = author_of(life, offer, reason.subject)
    given = countable(use, life, author, reason.subject).get(viewer.name)
    stands = given is not None and (not use.expires or life.wall.at(now) < given.at + use.expires)
    return not stands and (use.allow_author or viewer.name != author)


def _needs_a_person(reason: Reason) -> bool:
    """Return whether only a person's act helps, and no person caused this on purpose."""
    return reason.stuck or reason.person


def approval_of(state: InstanceState, reason: Reason) -> ApprovalUse | None:
    """The approval that a reason is about."""
    if reason.code not in _APPROVALS or state.policy is None:
        return None
    return next((use for use in state.policy.approvals if use.name == reason.gate), None)
