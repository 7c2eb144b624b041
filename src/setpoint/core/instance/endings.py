"""How attempts end: finalized, rejected, replaced; and what an instance forgets then."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core import calendars
from setpoint.core.facts import Finalization, Neighbour
from setpoint.core.instance import tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import approval, task
from setpoint.core.instance.gates.context import Half, halves, keeps_version, only_configures, task_fingerprint
from setpoint.core.instance.state import KEPT_GOODS, KEPT_PAIRS, NOTHING, PUBLISHED, Attempt, Kind, Life, Veto, Vetoed
from setpoint.core.instance.transitions import Stage
from setpoint.model.policy import Strategy
from setpoint.model.release import Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Instant

KEPT_VETOES = 50
"""So many are remembered of releases that cannot be wanted any more: naming their versions again lifts them."""
KEPT_SKIPS = 100


def end_candidate(draft: Draft, outcome: Stage, why: str) -> None:
    """The attempt that gathers its gates, if there is one, ends."""
    candidate = draft.life.candidate
    if candidate:
        draft.move(candidate, outcome)
        draft.record("attempt-ended", f"{draft.name(candidate.pair)} is {outcome}: {why}", attempt=candidate, outcome=outcome)
        tasks.leave(draft, candidate)
        draft.set(candidate=None)


def finalize(draft: Draft, offer: Offer, attempt: Attempt, began: Instant | None) -> None:
    """The attempt converged: its pair is *good*, those ordered after may go on. ``began`` None: nothing had to be deployed."""
    draft.move(attempt, Stage.CONVERGED)
    if draft.life.candidate and draft.life.candidate.number == attempt.number:
        draft.set(candidate=None)
    life = draft.life
    done = Finalization(offer.version, offer.release, draft.now)
    others = tuple(old for old in life.finalized if old.version != offer.version)
    first = next((old for old in (*draft.archive, *life.finalized) if old.version == offer.version), None)
    finalized = (*others, replace(done, at=first.at) if first else done)
    if len(finalized) > PUBLISHED:
        draft.archive = (*draft.archive, finalized[0])
        finalized = finalized[1:]
    forward = attempt.kind is Kind.FORWARD
    spends = began is not None and not only_configures(life, offer)  # §10.1: a change of configuration uses no slot
    draft.set(
        goods=_kept_goods((*(good for good in life.goods if good != offer.pair), offer.pair)),
        target=offer.pair,
        frontier=max(life.frontier, offer.release) if forward else life.frontier,
        begun=max(life.begun, offer.configured) if forward else life.begun,
        change=life.change + 1,
        rollout=None,
        failure=None,
        finalized=finalized,
        revoked=tuple(one for one in life.revoked if not one.covers(offer.version)),
        slot=_slot(draft, began) if spends and began is not None else life.slot,
        ran=_ran(draft, offer, attempt),
    )
    tasks.forget_barrier(draft, offer.pair)
    draft.record("finalized", f"{draft.name(offer.pair)} is finalized", attempt=attempt, outcome="converged")
    forget(draft)


def _kept_goods(goods: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """§10.1: history keeps five *versions* to go back to, each in its last configurations."""
    kept: list[Pair] = []
    for good in reversed(goods):
        versions = {one.release for one in kept}
        same = sum(one.release == good.release for one in kept)
        if same < KEPT_PAIRS and (good.release in versions or len(versions) < KEPT_GOODS):
            kept.append(good)
    return tuple(reversed(kept))


def _ran(draft: Draft, offer: Offer, attempt: Attempt) -> dict[str, str]:
    """The tasks that succeeded for the version that is *good* now, each with what it ran."""
    rules, life = draft.rules, draft.life
    ran = dict(life.ran) if keeps_version(life, offer) else {}
    for use in rules.tasks:
        if task.succeeded(life, task.run_of(use, rules, life, offer, attempt)):
            ran[use.name] = task_fingerprint(use.task, life, offer, attempt)
    return ran


def _slot(draft: Draft, began: Instant) -> tuple[int, int]:
    cadence, slot = draft.rules.cadence, draft.life.slot
    offset = draft.life.rollout.offset if draft.life.rollout else 0
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, began + offset) if cadence else None
    if occurrence is None:
        return slot
    return (occurrence[0], slot[1] + 1 if slot[0] == occurrence[0] else 1)


def veto(draft: Draft, offer: Offer, reason: str, *, whole: bool, failed: bool) -> None:
    """Automation does not pick again here what the attempt changed (§10.1): ``whole``, the version in every configuration, else
    this pair. The approvals of an attempt that ``failed`` are used up (§4 Approvals); one that had been finalized did not fail.
    """
    scope = Vetoed.VERSION if whole else Vetoed.PAIR
    configures = offer.configuration.release if offer.configuration and not whole else 0
    _add_veto(draft, Veto(offer.release, offer.version, reason, draft.now, offer.configured, scope, configures=configures))
    for half in halves(draft.life, offer) if failed else ():
        _use_up(draft, half.release)


def veto_release(draft: Draft, offer: Offer, half: Half, reason: str) -> None:
    """A person rejected one release of an attempt: a version in every configuration, or a configuration with every version."""
    scope = Vetoed.CONFIGURATION if half.configures else Vetoed.VERSION
    _add_veto(draft, Veto(half.release, offer.version, reason, draft.now, offer.configured, scope, rejected=True))
    _use_up(draft, half.release)


def _add_veto(draft: Draft, added: Veto) -> None:
    life = draft.life
    others = tuple(old for old in life.vetoes if (old.pair, old.scope) != (added.pair, added.scope))
    draft.set(vetoes=_remembered(life, (*others, added)))


def _use_up(draft: Draft, release: int) -> None:
    used = dict(draft.life.used)
    for use in draft.rules.approvals:
        prefix = approval.topic(use, release, 0)
        for entity, status in draft.life.topics.items():
            if entity == prefix or entity.startswith(f"{prefix}~"):
                used[entity] = status.number
    if used != draft.life.used:
        draft.set(used=used)


def _remembered(life: Life, vetoes: tuple[Veto, ...]) -> tuple[Veto, ...]:
    """Those of releases that may still be wanted, all of them: a veto that is forgotten makes its release wanted again."""
    kept = {offer.release for offer in life.offers} | {one.configuration.release for one in life.configurations}
    forgotten = [veto for veto in vetoes if veto.release not in kept][:-KEPT_VETOES]
    return tuple(veto for veto in vetoes if veto not in forgotten)


def forget(draft: Draft) -> None:
    """Drop offers, topics, skips and old news that nothing can need any more, now that no rollout is under way."""
    life, policy = draft.life, draft.rules
    needed = {life.target, *life.goods}
    if life.candidate:
        needed.add(life.candidate.pair)
    oldest, mirrored = _oldest_wanted(life, policy.strategy, policy.mirror), _mirrored(life, policy.strategy, policy.mirror)
    versions = {life.target.release, life.pin, *(good.release for good in life.goods)}
    offers = tuple(
        offer
        for offer in life.offers
        if offer.pair in needed
        or (_may_come(life, offer) and (offer.release >= oldest or offer.release in versions or offer.version in mirrored))
    )
    if len(offers) == len(life.offers):
        return
    configured = {offer.configured for offer in offers}
    oldest_kept = min(newest_finalized(life), min(configured, default=0))
    configurations = tuple(
        one
        for one in life.configurations
        if one.configuration.configured in configured or one.configuration.configured > max(oldest_kept, newest_finalized(life))
    )
    kept = {offer.release for offer in offers} | {one.configuration.release for one in configurations}
    draft.set(
        offers=offers,
        configurations=configurations,
        skips=tuple(skip for skip in life.skips if skip.release in kept)[-KEPT_SKIPS:],
        topics={entity: status for entity, status in life.topics.items() if _release_of(entity) in kept},
        used={entity: number for entity, number in life.used.items() if _release_of(entity) in kept},
        neighbours={
            name: replace(neighbour, finalized=still_relevant(life, neighbour, offers))
            for name, neighbour in life.neighbours.items()
        },
    )


def _may_come(life: Life, offer: Offer) -> bool:
    """An older configuration than may come here any more is only needed by what is kept to go back to; a version release in its
    own configuration stays as what newer configurations are combined with.
    """
    return offer.configuration is None or offer.configured >= newest_finalized(life)


def newest_finalized(life: Life) -> int:
    """The configuration of *good*: nothing older comes here automatically."""
    return life.good.configured


def still_relevant(life: Life, neighbour: Neighbour, offers: tuple[Offer, ...]) -> tuple[Finalization, ...]:
    """Finalizations of another instance that an offer may be ordered after: of its version, or of its configuration."""
    asked = [offer.asks(neighbour.instance) for offer in offers]
    versions = {replace(version, revision="") for version in asked}
    revisions = {offer.version.revision for offer in offers if offer.configuration is not None}
    revisions.update(
        revision for one in life.configurations if (revision := one.configuration.after.get(neighbour.instance)) is not None
    )
    return tuple(
        done
        for done in neighbour.finalized
        if replace(done.version, revision="") in versions or done.version.revision in revisions
    )


def _oldest_wanted(life: Life, strategy: Strategy, mirror: str) -> int:
    if strategy is not Strategy.MIRROR:
        return life.frontier
    neighbour = life.neighbours.get(mirror)
    goods = (neighbour.good if neighbour else NOTHING, *life.goods)
    return min([good.release for good in goods if good], default=0)


def _mirrored(life: Life, strategy: Strategy, mirror: str) -> set[Version]:
    """Versions that the mirrored channel may go back to, and this one with it."""
    neighbour = life.neighbours.get(mirror) if strategy is Strategy.MIRROR else None
    return {done.version for done in neighbour.finalized[-PUBLISHED:]} if neighbour else set()


def _release_of(topic: str) -> int:
    return int(topic.rpartition("#")[2].partition("~")[0])
