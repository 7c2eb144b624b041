"""Earlier channels that must have finalized the version, for their soak."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import InstanceStatus
from setpoint.core.instance.gates.context import Context, Half, needed_by
from setpoint.core.instance.state import Life
from setpoint.model.names import channel_of
from setpoint.model.policy import Ordering, Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant, approximate_duration

_SHOWN = 5
"""So many channels are named in a sentence."""


def evaluate(context: Context) -> Iterator[Reason]:
    """Earlier channels that have not finalized the version or the configuration (for the soak), and are not skipped. What is
    ``committed`` has been through once: a member of a group that takes it only now does not hold it any more, one that fails at
    it does.
    """
    policy, life, offer, attempt, now = context
    for ordering in policy.orderings:
        if ordering.name in attempt.added:
            continue  # §10.14: what is committed is not held by an ordering that it did not have when it was
        for half in needed_by(ordering.when, ordering.name, policy, life, offer):
            reason = _ordering(ordering, life, offer, half, now, committed=attempt.committed)
            if reason:
                yield reason


def _ordering(ordering: Ordering, life: Life, offer: Offer, half: Half, now: Instant, *, committed: bool) -> Reason | None:
    counting = _counting(ordering, life, offer, half, committed=committed)
    if not counting:
        may_be_empty = committed or ordering.allow_empty or half.configures
        return None if may_be_empty else _nobody(ordering, life, offer, half)
    met, soaking = 0, list[tuple[Instant, str]]()
    for instance in counting:
        finalized = finalized_at(life, instance, offer, half)
        if finalized is not None and min(finalized, now) + ordering.soak <= now:
            met += 1
        elif finalized is not None:
            soaking.append((min(finalized, now) + ordering.soak, instance))
    need = min(ordering.need, len(counting)) or len(counting)
    if met >= need:
        return None
    if len(soaking) >= need - met:
        until, last = sorted(soaking)[need - met - 1]
        what = _what(offer, half)
        text = f"{what} soaks in {_names(ordering)} for another {approximate_duration(until - now + 999)}"
        return _wait(ordering, text, offer, half, last, until)
    guilty, text = _upstream_story(ordering, life, offer, half, counting)
    return _wait(ordering, text, offer, half, guilty)


def _what(offer: Offer, half: Half) -> str:
    return f"the configuration of release {half.release}" if half.configures else offer.version.name


def _counting(ordering: Ordering, life: Life, offer: Offer, half: Half, *, committed: bool) -> list[str]:
    """Who takes no part in a configuration does not count, unless this very pair failed there; nor do members of a group that do
    not take the release. Once it is ``committed``, only members that are through or failed count.
    """
    counting = [
        one
        for one in ordering.instances
        if not (half.configures and _abstains(life, one, half) and not _pair_failed(life, one, offer))
    ]
    if not ordering.members:
        return counting
    return [
        one
        for one in counting
        if one not in ordering.members
        or finalized_at(life, one, offer, half) is not None
        or _failed(life, one, offer, half)
        or not (committed or _declines(life, one, offer, half))
    ]


def _abstains(life: Life, instance: str, half: Half) -> bool:
    upstream_status = life.upstream.get(instance)
    return upstream_status is not None and half.release in upstream_status.abstains


def _failed(life: Life, instance: str, offer: Offer, half: Half) -> bool:
    """Whether an earlier instance went back from this release or version."""
    upstream_status = life.upstream.get(instance)
    if upstream_status is None:
        return False
    if any(failed.version == offer.version for failed in upstream_status.rolled_back):
        return True
    revoked = not half.configures and any(one.covers(offer.version) for one in upstream_status.revoked)
    return revoked or any(failed.concerns(half.release) for failed in upstream_status.rolled_back)


def _declines(life: Life, instance: str, offer: Offer, half: Half) -> str:
    """Why a member that has not finalized the release does not take it; empty: it does, or nothing is known of it."""
    upstream_status = life.upstream.get(instance)
    if upstream_status is None:
        return ""
    return upstream_status.declined.get(half.release, "") or (
        "went on without it" if _went_past(upstream_status, life, offer, half) else ""
    )


def _went_past(upstream_status: InstanceStatus, life: Life, offer: Offer, half: Half) -> bool:
    if not half.configures:
        return passed_over(life, upstream_status.instance, offer)
    unfinished = finalized_at(life, upstream_status.instance, offer, half) is None
    return offer.configured < upstream_status.configuration_frontier and unfinished


def passed_over(life: Life, instance: str, offer: Offer) -> bool:
    """Whether an earlier instance went past this version without ever finalizing it, so that it never will."""
    upstream_status = life.upstream.get(instance)
    past = upstream_status is not None and offer.release < upstream_status.frontier
    return (
        past and upstream_status is not None and not any(done.version.same(offer.version) for done in upstream_status.finalized)
    )


def hopeless(life: Life, instance: str, offer: Offer) -> bool:
    """Whether an earlier instance never lets this very pair go on: it went past the version, or failed at the pair last."""
    return passed_over(life, instance, offer) or _pair_failed(life, instance, offer)


def _pair_failed(life: Life, instance: str, offer: Offer) -> bool:
    upstream_status = life.upstream.get(instance)
    if upstream_status is None or any(done.version == offer.version for done in upstream_status.finalized):
        return False
    return any(failed.version == offer.version for failed in upstream_status.rolled_back)


def _nobody(ordering: Ordering, life: Life, offer: Offer, half: Half) -> Reason:
    if not ordering.instances:  # what matched once and does not any more waits, visibly: §10.5
        text = f"{_names(ordering) or ordering.name}: no channel there has this service now"
        return _wait(ordering, text, offer, half, "")
    whys = ", ".join(f"{channel_of(one)} ({_declines(life, one, offer, half)})" for one in ordering.instances[:_SHOWN])
    more = f" and {len(ordering.instances) - _SHOWN} more" if len(ordering.instances) > _SHOWN else ""
    text = f"no channel of {_names(ordering)} takes {_what(offer, half)}: {whys}{more}"
    return _wait(ordering, text, offer, half, ordering.instances[0])


def _names(ordering: Ordering) -> str:
    return ", ".join(ordering.channels or tuple(channel_of(instance) for instance in ordering.instances))


def _wait(ordering: Ordering, text: str, offer: Offer, half: Half, guilty: str, until: Instant | None = None) -> Reason:
    return Reason(
        Code.ORDERING_NOT_MET,
        text,
        phase=Phase.PRE_APPROVAL,
        gate=ordering.name,
        subject=guilty,
        until=until,
        awaits="" if until else f"{_what(offer, half)} finalized in {_names(ordering)}",
        unblock=f"skip {ordering.name}",
    )


def _upstream_story(ordering: Ordering, life: Life, offer: Offer, half: Half, counting: list[str]) -> tuple[str, str]:
    """The earlier instance that it is up to, and what is known of it."""
    what = _what(offer, half)
    for instance in counting:
        upstream_status = life.upstream.get(instance)
        if _failed(life, instance, offer, half):
            return instance, f"{channel_of(instance)} rolled {what} back"
        if upstream_status and (why := upstream_status.declined.get(half.release)):
            return instance, f"{channel_of(instance)} has not finalized {what}: {why}"
    lacking = next(one for one in counting if finalized_at(life, one, offer, half) is None)
    return lacking, f"{_names(ordering)} has not finalized {what} yet"


def finalized_at(life: Life, instance: str, offer: Offer, half: Half | None = None) -> Instant | None:
    """When an earlier instance finalized what one release of the attempt brings, as far as this one was informed.

    §10.1: a version in its own configuration needs that very pair; in a newer one its version and its configuration may have been
    finalized apart, unless that very pair failed there last. ``half`` None: that very pair.
    """
    upstream_status = life.upstream.get(instance)
    if upstream_status is None:
        return None
    exact = next((done.at for done in upstream_status.finalized if done.version == offer.version), None)
    if exact is not None or half is None or offer.configuration is None or _pair_failed(life, instance, offer):
        return exact
    if half.configures:
        found = (done.at for done in upstream_status.finalized if done.version.revision == offer.version.revision)
    else:
        found = (done.at for done in upstream_status.finalized if done.version.same(offer.version))
    return min(found, default=None)
