"""First contact: what runs already becomes *good* on a person's word, once a look has shown that it is just that."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.instance import endings
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Adopting, Attempt, Kind, Life, matches_spec, offer_of
from setpoint.core.instructions import Watch
from setpoint.model.policy import Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer


def begin(draft: Draft, offer: Offer) -> None:
    """Look, comparing with what is said to run. Where something was deployed already, there is nothing to adopt."""
    if not draft.life.target:
        draft.set(adopting=Adopting(offer.pair, draft.now, 0))


def advance(draft: Draft) -> None:
    """Take it over, or say what runs instead."""
    adopting = draft.life.adopting
    if adopting is None or adopting.failed:
        return
    if draft.life.target or draft.removed:
        draft.set(adopting=None)
        return
    offer = draft.kept(adopting.pair)
    if not adopting.watch:
        _look(draft, offer, adopting)
        return
    seen = draft.life.current
    if seen is None or seen.watch < adopting.watch or seen.unreachable:
        return
    if seen.total and matches_spec(seen, offer.spec):
        _take_over(draft, offer)
        return
    what = seen.message or (f"{', '.join(seen.versions)} runs" if seen.present else "nothing runs")
    draft.set(adopting=replace(adopting, failed=f"what runs is not {offer.version.name}: {what}"))
    draft.record("adopt-failed", f"{offer.version.name} is not adopted: {what}", release=offer.release)


def _look(draft: Draft, offer: Offer, adopting: Adopting) -> None:
    number, every = draft.life.applying.watch + 1, draft.rules.poll_moving
    draft.set(adopting=replace(adopting, watch=number))
    draft.set_applying(watch=number, every=every, asked=True)
    draft.out.append(Watch(number, every, offer.spec))


def _take_over(draft: Draft, offer: Offer) -> None:
    draft.set(adopting=None, attempts=draft.life.attempts + 1)
    draft.set_applying(spec=offer.spec, taken=draft.now, judges=draft.life.applying.watch)
    attempt = Attempt(
        draft.life.attempts, offer.release, Kind.FORWARD, Phase.POST_DEPLOYMENT, draft.now, draft.now, configured=offer.configured
    )
    draft.record("adopted", f"{offer.version.name} runs here already and is adopted", attempt=attempt)
    endings.finalize(draft, offer, attempt, None)


def reasons(life: Life) -> Iterator[Reason]:
    """What an adoption waits for, or why it came to nothing."""
    adopting = life.adopting
    offer = offer_of(life, adopting.pair) if adopting else None
    if adopting is None or offer is None:
        return
    if adopting.failed:
        yield Reason(
            Code.ADOPTION_FAILED,
            adopting.failed,
            since=adopting.at,
            awaits="a release",
            unblock="adopt or release another version",
        )
        return
    text = f"{offer.version.name} is said to run here already; it is looked at"
    yield Reason(Code.ADOPTION_PENDING, text, since=adopting.at, awaits="a look at the runtime")
