"""Which release an instance wants: forward only, unless a person or a mirrored channel goes back."""

from __future__ import annotations

import msgspec

from setpoint.core.instance import gates
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import Kind, Life, offer_of
from setpoint.model import versions
from setpoint.model.policy import Accepts, Ordering, Policy, Strategy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant

RELEASE = "release"
"""Skipping this gate of a release takes the release out of a train here."""
_NOTHING_RELEASED = Reason("release", "nothing has been released here yet", awaits="a release", unblock="release a version")
_RANKS = {"none": 0, "back": 0, "prerelease": 0, "patch": 1, "minor": 2, "major": 3}


class Want(msgspec.Struct, frozen=True, gc=False):
    """A release to be brought here, and why."""

    offer: Offer
    kind: Kind
    change: int = 0


def wanted(policy: Policy, life: Life, now: Instant) -> Want | None:
    """What selection picks now; None when what is wanted is here already, is on its way, or nothing may start."""
    want = _picked(policy, life, now)
    if want is None or vetoed(life, want.offer) or ruled_out(life, want.offer) or _here(life, want.offer):
        return None
    if want.kind is Kind.FORWARD and out_with_its_set(life, want.offer):
        return None
    return want


def _here(life: Life, offer: Offer) -> bool:
    rollout = life.rollout
    if rollout:
        return not rollout.back and rollout.attempt.release == offer.release
    return life.target == life.good == offer.release


def _picked(policy: Policy, life: Life, now: Instant) -> Want | None:
    if life.pin:
        pinned = offer_of(life, life.pin)
        return Want(pinned, Kind.PIN) if pinned else None
    if policy.strategy is Strategy.MIRROR:
        return _mirrored(policy, life)
    if policy.strategy is Strategy.NEWEST_READY:
        newer = _newer(policy, life)
        found = _newest_ready(policy, life, newer, now) if newer else None
    else:
        found = chosen(policy, life)
    return Want(found, Kind.FORWARD) if found else _frontier(life)


def chosen(policy: Policy, life: Life) -> Offer | None:
    """What is picked among newer releases by a strategy that does not ask how ready they are."""
    if policy.strategy is Strategy.EVERY:
        return next_in_train(policy, life)
    return next(reversed(_newer(policy, life)), None)


def _newer(policy: Policy, life: Life) -> list[Offer]:
    begun = floor(life)
    return [offer for offer in life.offers if offer.release > begun and eligible(policy, life, offer)]


def _frontier(life: Life) -> Want | None:
    newest_begun = offer_of(life, floor(life))
    return Want(newest_begun, Kind.FORWARD) if newest_begun else None


def floor(life: Life) -> int:
    """Selection considers only releases newer than this: than the frontier, and than what a pin has finalized since."""
    return max(life.frontier, life.good)


def eligible(policy: Policy, life: Life, offer: Offer, *, alone: bool = False) -> bool:
    """Whether automatic selection may consider this offer at all; ``alone``: whatever the others of its set say."""
    return not vetoed(life, offer) and not dropped(policy, life, offer) and (alone or not out_with_its_set(life, offer))


def dropped(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether this offer is out of question for good: bad, cancelled, not accepted, or sent by nobody to a manual channel."""
    if offer.adopt or ruled_out(life, offer) or (policy.strategy is Strategy.MANUAL and not offer.addressed):
        return True
    return refusal(policy, life, offer) is not None


def ruled_out(life: Life, offer: Offer) -> str:
    """Why a person took this release out: cancelled, or its version marked bad; empty: nobody did."""
    line = life.line
    if line is None:
        return ""
    if offer.release in line.cancelled:
        return f"cancelled by {line.cancelled[offer.release].by.person}"
    mark = line.bad.get(offer.version.name)
    if mark is None:
        return ""
    return f"{offer.version.name} was marked bad by {mark.by.person}" + (f": {mark.by.why}" if mark.by.why else "")


def out_with_its_set(life: Life, offer: Offer) -> str:
    """Why another member took this release out for the whole set; empty: none did."""
    status = life.sets.get(offer.set) if offer.set else None
    return f"its set does not take it any more: {status.out}" if status and status.out else ""


def taken_out(life: Life, offer: Offer) -> str:
    """Why this release does not come here any more, by a person's word or another member's; empty: it may."""
    return ruled_out(life, offer) or out_with_its_set(life, offer)


def next_in_train(policy: Policy, life: Life) -> Offer | None:
    """The oldest release newer than the frontier, none skipped; ``urgent`` ones go first. A vetoed one stops the train."""
    waiting = [offer for offer in life.offers if _aboard(life, offer) and not _out_of_train(policy, life, offer)]
    urgent = next((offer for offer in waiting if offer.urgent), None)
    return urgent or next(iter(waiting), None)


def _aboard(life: Life, offer: Offer) -> bool:
    """Newer than all that was begun here, or begun last and never finalized: the train does not leave it behind, unless a pin
    has finalized something newer.
    """
    return offer.release > floor(life) or (offer.release == life.frontier > life.good and offer.release not in life.goods)


def _out_of_train(policy: Policy, life: Life, offer: Offer) -> bool:
    return dropped(policy, life, offer) or bool(out_with_its_set(life, offer)) or not_awaited(policy, life, offer)


def not_awaited(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a train does not wait for this release: a person skipped it, or an earlier channel passed it over."""
    return gates.skipped(life, offer.release, RELEASE) or _passed_over(policy, life, offer)


def left_behind(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a train goes on without this release."""
    return not _aboard(life, offer) or _out_of_train(policy, life, offer)


def _passed_over(policy: Policy, life: Life, offer: Offer) -> bool:
    """An earlier channel went past this release without ever finalizing it, so it never will."""
    return any(_lost(life, ordering, offer) for ordering in policy.orderings if ordering.instances)


def _lost(life: Life, ordering: Ordering, offer: Offer) -> bool:
    """So many went past it that the ordering can never be met. Those of a group that did do not count."""
    past = {one for one in ordering.instances if gates.passed_over(life, one, offer) and not life.neighbours[one].truncated}
    counting = [one for one in ordering.instances if one not in past or one not in ordering.members]
    return not counting or len(counting) - sum(one in past for one in counting) < (ordering.need or len(counting))


def _newest_ready(policy: Policy, life: Life, offers: list[Offer], now: Instant) -> Offer:
    if len(offers) == 1:
        return offers[0]
    levels = {offer.release: _common_level(policy, life, offer, now) for offer in offers}
    return max(offers, key=lambda offer: (levels[offer.release], offer.release))


def _common_level(policy: Policy, life: Life, offer: Offer, now: Instant) -> int:
    """A set is selected as a whole: what counts is how ready the release is at every member."""
    status = life.sets.get(offer.set) if offer.set else None
    common = 2 if not offer.set or (status and status.stage == "ended") else status.level if status else 0
    return min(common, level(policy, life, offer, now)) if common else 0


def level(policy: Policy, life: Life, offer: Offer, now: Instant) -> int:
    """How ready a release is here: 1, what it is ordered after is met; 2, its approvals are complete as well."""
    if any(gates.earlier(policy, life, offer, now)):
        return 0
    return 1 if any(gates.approvals(policy, life, offer, 0, now)) else 2


def soonest(policy: Policy, life: Life, now: Instant) -> Instant | None:
    """When a soak of an offer that is not the candidate ends, so that selection may change by the clock alone."""
    if life.pin or policy.strategy is not Strategy.NEWEST_READY or not any(ordering.soak for ordering in policy.orderings):
        return None
    newer = (offer for offer in life.offers if offer.release > floor(life) and eligible(policy, life, offer))
    return min(
        (reason.until for offer in newer for reason in gates.orderings(policy, life, offer, now) if reason.until), default=None
    )


def _mirrored(policy: Policy, life: Life) -> Want | None:
    neighbour = life.neighbours.get(policy.mirror)
    if neighbour is None or not neighbour.good:
        return None
    offer = offer_of(life, neighbour.good)
    if offer is None:
        offer = next((known for known in reversed(life.offers) if known.version == neighbour.version), None)
    return Want(offer, Kind.MIRROR, neighbour.change) if offer else None


def vetoed(life: Life, offer: Offer) -> bool:
    """Whether this release, or an earlier one of the same version, failed, was rejected or was rolled back here."""
    known = life.vetoes
    return bool(known) and any(veto.release == offer.release or veto.version == offer.version for veto in known)


def refusal(policy: Policy, life: Life, offer: Offer) -> str | None:
    """Why ``accepts`` does not take this offer; None: it does."""
    accepts = policy.accepts
    if accepts is None or not applies(accepts.when, policy, life, offer):
        return None
    name = offer.version.name
    if not versions.parse_range(accepts.range).contains(name, prereleases=accepts.prereleases):
        return f"{name} is not in the accepted range {accepts.range}"
    good = offer_of(life, life.good)
    if good is None or good.version.name == name:
        return None
    return _wrong_step(accepts, good.version.name, name)


def _wrong_step(accepts: Accepts, good: str, name: str) -> str | None:
    if not accepts.min_step and not accepts.max_step:
        return None
    step = versions.step(good, name)
    if step == "unknown":
        return f"the step from {good} to {name} cannot be told: one of them is no SemVer version"
    if accepts.min_step and _RANKS[step] < _RANKS[accepts.min_step]:
        return f"{name} is a smaller step from {good} than the {accepts.min_step} ones accepted here"
    if accepts.max_step and _RANKS[step] > _RANKS[accepts.max_step]:
        return f"{name} is a larger step from {good} than the {accepts.max_step} ones accepted here"
    return None


def nothing_wanted(policy: Policy, life: Life) -> Reason | None:
    """Why nothing is on its way although the newest release is not what is finalized here; None: it is, or there is none."""
    if life.pin:
        return _pin_reason(life)
    if policy.strategy is Strategy.MIRROR:
        return _mirror_reason(policy, life)
    if policy.strategy is Strategy.EVERY:
        return _stopped_train(policy, life)
    newest = life.offers[-1] if life.offers else None
    if newest is None:
        return None if life.good else _NOTHING_RELEASED
    veto = next(
        (veto for veto in reversed(life.vetoes) if veto.release == newest.release or veto.version == newest.version), None
    )
    if veto and not (life.target and newest.release == life.good):
        return Reason(
            "veto",
            f"{newest.version.name} is vetoed here: {veto.reason}",
            since=veto.at,
            awaits="a newer release",
            unblock=f"retry release {veto.release}, or release another version",
        )
    return _out_of_question(policy, life, newest)


def _out_of_question(policy: Policy, life: Life, newest: Offer) -> Reason | None:
    """The newest release is not taken here, and nothing else is on its way."""
    if life.target and newest.release in {life.good, life.target}:
        return None
    out = taken_out(life, newest)
    if not out and gates.skipped(life, newest.release, RELEASE):
        out = f"{newest.version.name} was skipped here"
    if out:
        return Reason("bad", f"release {newest.release}: {out}", since=newest.at, awaits="a newer release")
    if policy.strategy is Strategy.MANUAL and not newest.addressed:
        text = "takes only what a person sends to it"
        return None if life.target else Reason("manual", text, awaits="a release sent here", unblock="promote, or release --to")
    refused = refusal(policy, life, newest)
    if refused is None:
        return None
    unblock = "release another version, or pin it"
    return Reason("accepts", refused, since=newest.at, awaits="a release that is accepted", unblock=unblock)


def _stopped_train(policy: Policy, life: Life) -> Reason | None:
    following = next_in_train(policy, life)
    veto = next((veto for veto in reversed(life.vetoes) if following and veto.version == following.version), None)
    if following is None and life.offers:
        passed = Reason("train", "every release so far was passed over by an earlier channel", awaits="a release")
        return _out_of_question(policy, life, life.offers[-1]) or (None if life.target else passed)
    if following is None or veto is None:
        return None if life.good else _NOTHING_RELEASED
    return Reason(
        "train",
        f"the train stops at {following.version.name}: {veto.reason}",
        since=veto.at,
        awaits="a person",
        unblock=f"retry, skip or cancel release {following.release}",
        failed=True,
    )


def _pin_reason(life: Life) -> Reason | None:
    pinned = offer_of(life, life.pin)
    if pinned is None:
        return None
    out = ruled_out(life, pinned)
    if out and life.pin != life.target:
        return Reason("pin", f"pinned to {pinned.version.name}, but {out}", awaits="unpin", unblock="unpin, or mark it good")
    if not vetoed(life, pinned):
        return None
    return Reason(
        "pin", f"pinned to {pinned.version.name}, which failed here", awaits="unpin or retry", unblock="unpin, or retry"
    )


def _mirror_reason(policy: Policy, life: Life) -> Reason | None:
    source = gates.channel_of(policy.mirror)
    neighbour = life.neighbours.get(policy.mirror)
    if neighbour is None or not neighbour.good:
        return Reason(
            "mirror",
            f"mirrors {source}, which has finalized nothing yet",
            subject=policy.mirror,
            awaits=f"a finalized version in {source}",
        )
    want = _mirrored(policy, life)
    if want is None:
        return Reason(
            "mirror", f"the version that {source} runs is not known here", subject=policy.mirror, awaits=f"a release in {source}"
        )
    out = ruled_out(life, want.offer)
    if out and life.target != want.offer.release:
        return Reason("mirror", f"{source} runs {want.offer.version.name}, but {out}", awaits=f"a change in {source}")
    if vetoed(life, want.offer):
        text = f"{want.offer.version.name}, which {source} runs, failed here"
        return Reason(
            "veto", text, subject=policy.mirror, awaits=f"a change in {source}", unblock=f"retry release {want.offer.release}"
        )
    return None
