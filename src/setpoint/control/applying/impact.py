"""What a new configuration changes for one instance: for its good version, and for the one that may come (§10.1 Shown)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from setpoint.core.facts import Part
from setpoint.core.instance.selection import dropped, is_ahead, vetoed
from setpoint.core.instance.state import Life, offer_of
from setpoint.model.policy import Policy, Strategy
from setpoint.model.release import Offer


@dataclass(frozen=True)
class Impact:
    """What changes."""

    takes: tuple[str, ...]
    """For the good version and for the pending one, for people; empty: nothing of theirs changes."""
    differs: bool
    """Whether any version that the instance may run changes, or cannot come with the configuration."""
    released: bool
    """Whether there is a good or a pending version."""

    @property
    def shown(self) -> str:
        """One sentence for people, such as ``configuration only, stays 1.4.2``."""
        if self.takes:
            return "; ".join(self.takes)
        return f"takes no part: {'nothing changes here' if self.released else 'nothing is released here yet'}"


def impact_of(life: Life, policy: Policy, mine: Mapping[int, Part], lacking: Mapping[int, str]) -> Impact:
    """Compare what an instance was offered with ``mine``: release -> its part in the new configuration.

    ``lacking``: release -> why it cannot come with the new configuration.
    """
    offered = {offer.release: offer for offer in life.offers}
    changed = {number for number, part in mine.items() if number not in offered or offered[number].spec != part.spec}
    good = offer_of(life, life.good)
    pending = next((one for one in reversed(life.offers) if one.release in mine and _may_come(policy, life, one)), None)
    takes = _takes(good, pending, mine, lacking)
    return Impact(tuple(takes), bool(lacking or changed), good is not None or pending is not None)


def _takes(good: Offer | None, pending: Offer | None, mine: Mapping[int, Part], lacking: Mapping[int, str]) -> Iterator[str]:
    if good is not None and good.release in lacking:
        yield f"takes no part: {lacking[good.release]}"
    elif good is not None and _changes(good, mine):
        yield f"configuration only, stays {good.version.name}"
    if pending is not None and _changes(pending, mine):
        yield f"{pending.version.name} (pending) will come with it"


def _changes(offer: Offer, mine: Mapping[int, Part]) -> bool:
    return offer.release in mine and mine[offer.release].spec != offer.spec


def _may_come(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether selection considers a version other than *good* here: the pin, else what would come anyway (§10.1)."""
    if offer.release == life.good.release or (policy.strategy is Strategy.MIRROR and not life.pin):
        return False
    if life.pin:
        return offer.release == life.pin
    return is_ahead(life, offer) and not dropped(policy, life, offer) and not vetoed(life, offer)
