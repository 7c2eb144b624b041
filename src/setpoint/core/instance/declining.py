"""Releases that an instance does not take at all: told to those ordered after the group that it is a member of.

Who waits at a gate will take it, and whose rollout failed had its try: neither declines.
"""

from __future__ import annotations

from setpoint.core import calendars
from setpoint.core.instance import gates, selection
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Life
from setpoint.model.policy import Cadence, Policy, Strategy
from setpoint.model.release import Offer
from setpoint.model.time import Instant

KEPT = 16
"""So many of the newest releases are spoken of."""


def advance(draft: Draft) -> None:
    """Know which recent releases are declined now, and look again when the cadence changes that."""
    rules, life = draft.rules, draft.life
    found: dict[int, str] = {}
    if _may_decline(rules, life):
        offers = _open(life)
        found = {offer.release: why for offer in offers if (why := why_not(rules, life, offer, draft.now))}
        if offers:
            draft.wake(_turns(rules, life, draft.now))
    if found != life.declined:
        draft.set(declined=found)


def _may_decline(policy: Policy, life: Life) -> bool:
    return bool(
        life.pin
        or life.hold
        or life.observing
        or policy.accepts
        or policy.cadence
        or policy.strategy is Strategy.MANUAL
        or policy.drift.mode == "observe"
    )


def _open(life: Life) -> list[Offer]:
    """The newest releases that are neither begun nor out of question."""
    begun, under_way = selection.floor(life), life.rollout.attempt.release if life.rollout else 0
    newer = (offer for offer in life.offers[-KEPT:] if offer.release > begun and offer.release != under_way)
    return [offer for offer in newer if not selection.vetoed(life, offer)]


def why_not(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    """Why an offer is not taken; empty: it is, it waits at a gate, or it failed here. The text does not change by itself."""
    if life.pin and life.pin != offer.release:
        return f"pinned to {_name(life, life.pin)}"
    if life.hold:
        return f"held by {life.hold.by.person}"
    if life.observing or policy.drift.mode == "observe":
        return "only observed"
    if life.pin:
        return ""
    if policy.strategy is Strategy.MANUAL and not offer.addressed:
        return "takes only what a person sends to it"
    return selection.refusal(policy, life, offer) or _cadence(policy, life, offer, now)


def _name(life: Life, release: int) -> str:
    return next((offer.version.name for offer in life.offers if offer.release == release), f"release {release}")


def _cadence(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    if policy.cadence is None or gates.skipped(life, offer.release, "cadence") or _slot(policy.cadence, life, now):
        return ""
    return "its cadence admits nothing now"


def _slot(cadence: Cadence, life: Life, now: Instant) -> tuple[Instant, Instant] | None:
    """The occurrence that admits a release now, if one does."""
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    used = occurrence is not None and life.slot[0] == occurrence[0] and life.slot[1] >= cadence.max
    return None if used else occurrence


def _turns(policy: Policy, life: Life, now: Instant) -> Instant | None:
    """When the cadence begins to admit a release, or ceases to, by the clock."""
    cadence = policy.cadence
    if cadence is None:
        return None
    slot = _slot(cadence, life, now)
    following = None if slot else calendars.next_occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    return life.wall.until(slot[1] if slot else following[0] if following else None)
