"""Releases that an instance does not take at all: told to those ordered after the group that it is a member of.

Who waits at a gate will take it, and whose rollout failed had its try: neither declines.
"""

from __future__ import annotations

from setpoint.core import calendars
from setpoint.core.instance import selection
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates.naming import needed_by
from setpoint.core.instance.state import Life, offer_of, version_offer
from setpoint.model.policy import Cadence, Policy, Strategy
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.time import Instant

KEPT = 16
"""So many of the newest releases are spoken of."""


def advance(draft: Draft) -> None:
    """Know which recent releases are declined now, and look again when the cadence changes that."""
    rules, life = draft.rules, draft.life
    found: dict[int, str] = {}
    if _may_decline(rules, life):
        offers = _open(life)
        found = {number: why for number, offer in offers.items() if (why := why_not(rules, life, offer, draft.now))}
        if offers:
            draft.wake(_turns(rules, life, draft.now))
    if found != life.declined:
        draft.set(declined=found)
    abstains = tuple(one.configuration.release for one in life.configurations if _abstains(rules, life, one.configuration))
    if abstains != life.abstains:
        draft.set(abstains=abstains)


def _abstains(policy: Policy, life: Life, configuration: Configuration) -> bool:
    """Whether nothing that may run here would change by this configuration (§10.1 Made). What newer ones went past stays as it
    was: the offers that it would have changed may be forgotten.
    """
    attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
    if any(attempt and attempt.configured == configuration.configured for attempt in attempts) or life.failure:
        return False
    if configuration.configured <= selection.newest_configuration(life):
        return configuration.release in life.abstains
    return not any(
        _may_run(policy, life, offer) and _changes(life, offer)
        for offer in life.offers
        if offer.configured == configuration.configured
    )


def _may_run(policy: Policy, life: Life, offer: Offer) -> bool:
    if offer.release in {life.good.release, life.pin}:
        return True
    if policy.strategy is Strategy.MIRROR:
        neighbour = life.neighbours.get(policy.mirror)
        return neighbour is not None and neighbour.good.release == offer.release
    return selection.is_ahead(life, offer) and not selection.dropped(policy, life, offer) and not selection.vetoed(life, offer)


def _changes(life: Life, offer: Offer) -> bool:
    """Compared with *good*, or with the same version in the configuration before."""
    older = [one for one in life.offers if one.release == offer.release and one.configured < offer.configured]
    before = offer_of(life, life.good) if offer.release == life.good.release else older[-1] if older else None
    return before is None or before.spec != offer.spec


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


def _open(life: Life) -> dict[int, Offer]:
    """The newest releases that are neither begun nor out of question, each with what it would bring."""
    under_way = life.rollout.attempt.release if life.rollout else 0
    begun, found = selection.floor(life), dict[int, Offer]()
    for offer in life.offers[-KEPT:]:
        if offer.release > begun and offer.release != under_way and not selection.vetoed(life, offer):
            found.setdefault(offer.release, offer)
    for one in life.configurations[-KEPT:]:
        good = offer_of(life, Pair(life.good.release, one.configuration.configured))
        newer = one.configuration.configured > selection.newest_configuration(life)
        if good is not None and newer and not selection.vetoed(life, good):
            found[one.configuration.release] = good
    return found


def why_not(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    """Why an offer is not taken; empty: it is, it waits at a gate, or it failed here. The text changes only with its cause."""
    if life.pin and life.pin != offer.release:
        pinned = version_offer(life, life.pin)
        return f"pinned to {pinned.version.name if pinned else f'release {life.pin}'}"
    if life.hold:
        return f"held by {life.hold.by.person}"
    if life.observing or policy.drift.mode == "observe":
        return "only observed"
    if life.pin:
        return ""
    if offer.release == life.good.release:
        return _cadence(policy, life, offer, now)
    if policy.strategy is Strategy.MANUAL and not offer.addressed:
        return "takes only what a person sends to it"
    return selection.refusal(policy, life, offer) or _cadence(policy, life, offer, now)


def _cadence(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    if policy.cadence is None or not needed_by(None, "cadence", policy, life, offer):
        return ""
    if offer.release == life.good.release:
        occurrence = calendars.occurrence(policy.cadence.calendar, policy.cadence.timezone, life.wall.at(now))
    else:
        occurrence = _slot(policy.cadence, life, now)
    return "" if occurrence else "its cadence admits nothing now"


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
