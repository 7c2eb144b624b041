"""How attempts end: finalized, rejected, replaced; and what an instance forgets then."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core import calendars
from setpoint.core.facts import Finalization, Neighbour
from setpoint.core.instance import gates, tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import KEPT_GOODS, PUBLISHED, Attempt, Kind, Life, Veto
from setpoint.model.policy import Strategy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import Instant

KEPT_VETOES = 50
"""So many are remembered of releases that cannot be wanted any more: naming their versions again lifts them."""
KEPT_SIGNALS = 100


def end_candidate(draft: Draft, outcome: str, why: str) -> None:
    """The attempt that gathers its gates, if there is one, ends."""
    candidate = draft.life.candidate
    if candidate:
        draft.record("attempt-ended", f"{draft.name(candidate.release)} is {outcome}: {why}", attempt=candidate, outcome=outcome)
        tasks.leave(draft, candidate)
        draft.set(candidate=None)


def finalize(draft: Draft, offer: Offer, attempt: Attempt, began: Instant | None) -> None:
    """The attempt converged: its version is *good*, those ordered after may go on. ``began`` None: nothing had to be deployed."""
    life = draft.life
    done = Finalization(offer.version, offer.release, draft.now)
    others = tuple(old for old in life.finalized if old.version != offer.version)
    first = next((old for old in (*draft.archive, *life.finalized) if old.version == offer.version), None)
    finalized = (*others, replace(done, at=first.at) if first else done)
    if len(finalized) > PUBLISHED:
        draft.archive = (*draft.archive, finalized[0])
        finalized = finalized[1:]
    draft.set(
        goods=(*(good for good in life.goods if good != offer.release), offer.release)[-KEPT_GOODS:],
        target=offer.release,
        frontier=max(life.frontier, offer.release) if attempt.kind is Kind.FORWARD else life.frontier,
        change=life.change + 1,
        rollout=None,
        failure=None,
        finalized=finalized,
        revoked=tuple(version for version in life.revoked if version != offer.version),
        slot=life.slot if began is None else _slot(draft, began),
    )
    tasks.forget_barrier(draft, offer.release)
    draft.record("finalized", f"{offer.version.name} is finalized", attempt=attempt, outcome="converged")
    forget(draft)


def _slot(draft: Draft, began: Instant) -> tuple[int, int]:
    cadence, slot = draft.rules.cadence, draft.life.slot
    offset = draft.life.rollout.offset if draft.life.rollout else 0
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, began + offset) if cadence else None
    if occurrence is None:
        return slot
    return (occurrence[0], slot[1] + 1 if slot[0] == occurrence[0] else 1)


def veto(draft: Draft, offer: Offer, reason: str, *, rejected: bool = False) -> None:
    """This version shall not be picked here again by itself; the approvals it had are used up."""
    life = draft.life
    others = tuple(old for old in life.vetoes if old.release != offer.release)
    used = dict(life.used)
    for use in draft.rules.approvals:
        prefix = gates.topic(use, offer.release, 0)
        for entity, status in life.topics.items():
            if entity == prefix or entity.startswith(f"{prefix}~"):
                used[entity] = status.number
    draft.set(vetoes=_remembered(life, (*others, Veto(offer.release, offer.version, reason, draft.now, rejected))), used=used)


def _remembered(life: Life, vetoes: tuple[Veto, ...]) -> tuple[Veto, ...]:
    """Those of releases that may still be wanted, all of them: a veto that is forgotten makes its release wanted again."""
    kept = {offer.release for offer in life.offers}
    forgotten = [veto for veto in vetoes if veto.release not in kept][:-KEPT_VETOES]
    return tuple(veto for veto in vetoes if veto not in forgotten)


def forget(draft: Draft) -> None:
    """Drop offers, topics, skips and old news that nothing can need any more, now that no rollout is under way."""
    life, policy = draft.life, draft.rules
    needed = {life.target, life.pin, *life.goods}
    if life.candidate:
        needed.add(life.candidate.release)
    oldest, mirrored = _oldest_wanted(life, policy.strategy, policy.mirror), _mirrored(life, policy.strategy, policy.mirror)
    offers = tuple(
        offer for offer in life.offers if offer.release >= oldest or offer.release in needed or offer.version in mirrored
    )
    if len(offers) == len(life.offers):
        return
    kept = {offer.release for offer in offers}
    draft.set(
        offers=offers,
        skips=tuple(skip for skip in life.skips if skip.release in kept)[-KEPT_SIGNALS:],
        topics={entity: status for entity, status in life.topics.items() if _release_of(entity) in kept},
        used={entity: number for entity, number in life.used.items() if _release_of(entity) in kept},
        neighbours={
            name: replace(neighbour, finalized=_still_asked(neighbour, offers)) for name, neighbour in life.neighbours.items()
        },
    )


def _still_asked(neighbour: Neighbour, offers: tuple[Offer, ...]) -> tuple[Finalization, ...]:
    wanted = {offer.asks(neighbour.instance) for offer in offers}
    return tuple(done for done in neighbour.finalized if done.version in wanted)


def _oldest_wanted(life: Life, strategy: Strategy, mirror: str) -> int:
    if strategy is not Strategy.MIRROR:
        return life.frontier
    neighbour = life.neighbours.get(mirror)
    return min([release for release in (neighbour.good if neighbour else 0, *life.goods) if release], default=0)


def _mirrored(life: Life, strategy: Strategy, mirror: str) -> set[Version]:
    """Versions that the mirrored channel may go back to, and this one with it."""
    neighbour = life.neighbours.get(mirror) if strategy is Strategy.MIRROR else None
    return {done.version for done in neighbour.finalized[-PUBLISHED:]} if neighbour else set()


def _release_of(topic: str) -> int:
    return int(topic.rpartition("#")[2].partition("~")[0])
