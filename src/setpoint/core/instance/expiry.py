"""Orders of people that have an end (§10.8): it is a timer of the instance, a line of history, and that person's act."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core import orders
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Life, version_offer
from setpoint.model.people import By
from setpoint.model.time import Instant


def advance(draft: Draft) -> None:
    """End what is over before anything else is decided, and look again when the next order ends, by the wall clock (§10.17)."""
    life = draft.life
    if life.hold and _is_over(draft, life.hold.until):
        _record(draft, life.hold.by, "hold")
        draft.set(hold=None)
    if life.observing and _is_over(draft, life.observing.until):
        _record(draft, life.observing.by, "order to only observe")
        draft.set(observing=None)
    if life.pinned_by and _is_over(draft, life.pinned_until):
        pinned = version_offer(life, life.pin)
        _record(draft, life.pinned_by, f"pin to {pinned.version.name if pinned else f'release {life.pin}'}", life.pin)
        draft.set(pin=0, pinned_by=None, pinned_at=0, pinned_until=0)
    _skips(draft)
    draft.wake(life.wall.until(min((end for end in _ends(draft.life) if end), default=None)))


def _skips(draft: Draft) -> None:
    """A skip that ends before target moved does not count."""
    over = [skip for skip in draft.life.skips if _is_over(draft, skip.until)]
    for skip in over:
        what = "all gates" if skip.gate == "*" else skip.gate
        _record(draft, skip.by, f"skip of {what}", skip.release)
    if over:
        draft.set(skips=tuple(skip for skip in draft.life.skips if skip not in over))


def _ends(life: Life) -> Iterator[Instant]:
    yield life.pinned_until
    yield from (one.until for one in (life.hold, life.observing) if one)
    yield from (skip.until for skip in life.skips)


def _is_over(draft: Draft, until: Instant) -> bool:
    return 0 < until <= draft.life.wall.at(draft.now)


def _record(draft: Draft, by: By, what: str, release: int = 0) -> None:
    draft.record("expired", f"the {what} by {by.person} has ended{orders.because(by)}", release=release, by=by)
