"""First contact: what runs already becomes *good* on a person's word, once a look has shown that it is just that."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.instance import outcomes
from setpoint.core.instance.state import Adopting, Attempt, Kind, Life, matches_spec, offer_of
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Watch
from setpoint.model.policy import Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer


def begin(turn: Turn, offer: Offer) -> None:
    """Observe the runtime, comparing with the adopted version; nothing to do where something was deployed already."""
    if not turn.life.target:
        turn.set(adopting=Adopting(offer.pair, turn.now, 0))


def advance(turn: Turn) -> None:
    """Take it over, or report what runs instead."""
    adopting = turn.life.adopting
    if adopting is None:
        return
    if turn.life.target or turn.removed:
        turn.set(adopting=None)
        return
    if adopting.failed:
        return
    offer = turn.kept(adopting.pair)
    if not adopting.watch:
        _look(turn, offer, adopting)
        return
    seen = turn.life.current
    if seen is None or seen.watch < adopting.watch or seen.unreachable:
        return
    if seen.total and matches_spec(seen, offer.spec):
        _take_over(turn, offer)
        return
    what = seen.message or (f"{', '.join(seen.versions)} runs" if seen.present else "nothing runs")
    turn.set(adopting=replace(adopting, failed=f"what runs is not {offer.version.name}: {what}"))
    turn.record("adopt-failed", f"{offer.version.name} is not adopted: {what}", release=offer.release)


def _look(turn: Turn, offer: Offer, adopting: Adopting) -> None:
    number, every = turn.life.applying.watch + 1, turn.rules.poll_moving
    turn.set(adopting=replace(adopting, watch=number))
    turn.set_applying(watch=number, every=every, look_requested=True)
    turn.out.append(Watch(number, every, offer.spec))


def _take_over(turn: Turn, offer: Offer) -> None:
    turn.set(adopting=None, attempts=turn.life.attempts + 1)
    turn.set_applying(spec=offer.spec, taken=turn.now, judges=turn.life.applying.watch)
    attempt = Attempt(
        turn.life.attempts, offer.release, Kind.FORWARD, Phase.POST_DEPLOYMENT, turn.now, turn.now, configured=offer.configured
    )
    turn.record("adopted", f"{offer.version.name} runs here already and is adopted", attempt=attempt)
    outcomes.finalize(turn, offer, attempt, None)


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
    text = f"{offer.version.name} is to be adopted: waits for an observation of the runtime"
    yield Reason(Code.ADOPTION_PENDING, text, since=adopting.at, awaits="a look at the runtime")
