"""How attempts end: finalized, rejected, replaced, failed, rolled back – and what an instance forgets then (§5).

A rollback starts immediately, past every gate and lease, and here only.
"""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core import calendars
from setpoint.core.facts import Failed, Finalization, InstanceStatus, Revoked, RolledBack
from setpoint.core.instance import selection
from setpoint.core.instance.gates import approval, task
from setpoint.core.instance.gates.context import Half, halves, keeps_version, only_configures, task_fingerprint
from setpoint.core.instance.requests import tasks
from setpoint.core.instance.state import (
    KEPT_GOODS,
    KEPT_PAIRS,
    NOTHING,
    PUBLISHED,
    Attempt,
    Failure,
    Hold,
    Kind,
    Life,
    Rollout,
    Veto,
    Vetoed,
)
from setpoint.core.instance.transitions import Stage
from setpoint.core.instance.turn import NO_CAUSE, Turn
from setpoint.model.grammars import versions
from setpoint.model.names import parse_topic
from setpoint.model.policy import Phase, Strategy
from setpoint.model.reasons import Cause, Code
from setpoint.model.release import Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Instant

KEPT_VETOES = 50
"""So many are remembered of releases that cannot be wanted any more: naming their versions again lifts them."""
KEPT_SKIPS = 100


def end_candidate(turn: Turn, outcome: Stage, why: str, cause: Cause = NO_CAUSE) -> None:
    """The attempt that gathers its gates, if there is one, ends."""
    candidate = turn.life.candidate
    if candidate:
        turn.move(candidate, outcome)
        turn.record(
            "attempt-ended", f"{turn.name(candidate.pair)} is {outcome}: {why}", attempt=candidate, outcome=outcome, cause=cause
        )
        tasks.leave(turn, candidate)
        turn.set(candidate=None)


def finalize(turn: Turn, offer: Offer, attempt: Attempt, began: Instant | None) -> None:
    """The attempt converged: its pair is *good*, those ordered after may go on. ``began`` None: nothing had to be deployed."""
    turn.move(attempt, Stage.CONVERGED)
    if turn.life.candidate and turn.life.candidate.number == attempt.number:
        turn.set(candidate=None)
    life = turn.life
    done = Finalization(offer.version, offer.release, turn.now)
    others = tuple(old for old in life.finalized if old.version != offer.version)
    first = next((old for old in (*turn.archive, *life.finalized) if old.version == offer.version), None)
    finalized = (*others, replace(done, at=first.at) if first else done)
    if len(finalized) > PUBLISHED:
        turn.archive = (*turn.archive, finalized[0])
        finalized = finalized[1:]
    forward = attempt.kind is Kind.FORWARD
    spends = began is not None and not only_configures(life, offer)  # §10.1: a change of configuration uses no slot
    turn.set(
        goods=_kept_goods((*(good for good in life.goods if good != offer.pair), offer.pair)),
        target=offer.pair,
        frontier=max(life.frontier, offer.release) if forward else life.frontier,
        configuration_frontier=max(life.configuration_frontier, offer.configured) if forward else life.configuration_frontier,
        change=life.change + 1,
        rollout=None,
        failure=None,
        finalized=finalized,
        revoked=tuple(one for one in life.revoked if not one.covers(offer.version)),
        slot=_slot(turn, began) if spends and began is not None else life.slot,
        ran=_ran(turn, offer, attempt),
    )
    tasks.forget_barrier(turn, offer.pair)
    turn.record("finalized", f"{turn.name(offer.pair)} is finalized", attempt=attempt, outcome="converged")
    forget(turn)


def _kept_goods(goods: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """§10.1: history keeps five *versions* to go back to, each in its last configurations."""
    kept: list[Pair] = []
    for good in reversed(goods):
        versions = {one.release for one in kept}
        same = sum(one.release == good.release for one in kept)
        if same < KEPT_PAIRS and (good.release in versions or len(versions) < KEPT_GOODS):
            kept.append(good)
    return tuple(reversed(kept))


def _ran(turn: Turn, offer: Offer, attempt: Attempt) -> dict[str, str]:
    """The tasks that succeeded for the version that is *good* now, each with what it ran."""
    rules, life = turn.rules, turn.life
    ran = dict(life.ran) if keeps_version(life, offer) else {}
    for use in rules.tasks:
        if task.succeeded(life, task.run_of(use, rules, life, offer, attempt)):
            ran[use.name] = task_fingerprint(use.task, life, offer, attempt)
    return ran


def _slot(turn: Turn, began: Instant) -> tuple[int, int]:
    cadence, slot = turn.rules.cadence, turn.life.slot
    offset = turn.life.rollout.offset if turn.life.rollout else 0
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, began + offset) if cadence else None
    if occurrence is None:
        return slot
    return (occurrence[0], slot[1] + 1 if slot[0] == occurrence[0] else 1)


def veto(turn: Turn, offer: Offer, reason: str, *, whole: bool, failed: bool) -> None:
    """Automation does not pick again here what the attempt changed (§10.1): ``whole``, the version in every configuration, else
    this pair. The approvals of an attempt that ``failed`` are used up (§4 Approvals); one that had been finalized did not fail.
    """
    scope = Vetoed.VERSION if whole else Vetoed.PAIR
    configures = offer.configuration.release if offer.configuration and not whole else 0
    _add_veto(turn, Veto(offer.release, offer.version, reason, turn.now, offer.configured, scope, configures=configures))
    for half in halves(turn.life, offer) if failed else ():
        _use_up(turn, half.release)


def veto_release(turn: Turn, offer: Offer, half: Half, reason: str) -> None:
    """A person rejected one release of an attempt: a version in every configuration, or a configuration with every version."""
    scope = Vetoed.CONFIGURATION if half.configures else Vetoed.VERSION
    _add_veto(turn, Veto(half.release, offer.version, reason, turn.now, offer.configured, scope, rejected=True))
    _use_up(turn, half.release)


def _add_veto(turn: Turn, added: Veto) -> None:
    life = turn.life
    others = tuple(old for old in life.vetoes if (old.pair, old.scope) != (added.pair, added.scope))
    turn.set(vetoes=_remembered(life, (*others, added)))


def _use_up(turn: Turn, release: int) -> None:
    used = dict(turn.life.used)
    for use in turn.rules.approvals:
        for entity, status in turn.life.topics.items():
            if parse_topic(entity)[:3] == (use.subject, use.topic, release):
                used[entity] = status.number
    if used != turn.life.used:
        turn.set(used=used)


def _remembered(life: Life, vetoes: tuple[Veto, ...]) -> tuple[Veto, ...]:
    """Those of releases that may still be wanted, all of them: a veto that is forgotten makes its release wanted again."""
    kept = {offer.release for offer in life.offers} | {one.configuration.release for one in life.configurations}
    forgotten = [veto for veto in vetoes if veto.release not in kept][:-KEPT_VETOES]
    return tuple(veto for veto in vetoes if veto not in forgotten)


def forget(turn: Turn) -> None:
    """Drop offers, topics, skips and old news that nothing can need any more, now that no rollout is under way."""
    life, policy = turn.life, turn.rules
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
    turn.set(
        offers=offers,
        configurations=configurations,
        skips=tuple(skip for skip in life.skips if skip.release in kept)[-KEPT_SKIPS:],
        topics={entity: status for entity, status in life.topics.items() if approval.release_of(entity) in kept},
        used={entity: number for entity, number in life.used.items() if approval.release_of(entity) in kept},
        upstream={
            name: replace(upstream_status, finalized=still_relevant(life, upstream_status, offers))
            for name, upstream_status in life.upstream.items()
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


def still_relevant(life: Life, upstream_status: InstanceStatus, offers: tuple[Offer, ...]) -> tuple[Finalization, ...]:
    """Finalizations of another instance that an offer may be ordered after: of its version, or of its configuration."""
    required = [offer.required_version(upstream_status.instance) for offer in offers]
    versions = {replace(version, revision="") for version in required}
    revisions = {offer.version.revision for offer in offers if offer.configuration is not None}
    revisions.update(
        revision for one in life.configurations if (revision := one.configuration.after.get(upstream_status.instance)) is not None
    )
    return tuple(
        done
        for done in upstream_status.finalized
        if replace(done.version, revision="") in versions or done.version.revision in revisions
    )


def _oldest_wanted(life: Life, strategy: Strategy, mirror: str) -> int:
    if strategy is not Strategy.MIRROR:
        return life.frontier
    upstream_status = life.upstream.get(mirror)
    goods = (upstream_status.good if upstream_status else NOTHING, *life.goods)
    return min([good.release for good in goods if good], default=0)


def _mirrored(life: Life, strategy: Strategy, mirror: str) -> set[Version]:
    """Versions that the mirrored channel may go back to, and this one with it."""
    upstream_status = life.upstream.get(mirror) if strategy is Strategy.MIRROR else None
    return {done.version for done in upstream_status.finalized[-PUBLISHED:]} if upstream_status else set()


KEPT_NEWS = 16


def fail(turn: Turn, rollout: Rollout, reason: str, cause: Cause = NO_CAUSE, *, sure: bool = False) -> None:
    """The rollout failed: back to *good*, or, where that cannot be, hands off with the reason why.

    A member that reported to its set that it passed waits for the set, unless ``sure``: the others may be finalized by now.
    """
    if rollout.passed and not sure:
        turn.set_rollout(rollout, doubt=rollout.doubt or reason)
        return
    life, pair = turn.life, rollout.attempt.pair
    why_not = ""
    if not turn.rules.auto_rollback:
        why_not = "automatic rollback is off"
    elif not life.good or life.good == pair:
        why_not = "no good version to go back to"
    else:
        why_not = no_way_back(life, life.good) or too_old(turn.kept(pair), turn.kept(life.good))
    if not why_not:
        go_back(turn, rollout, reason, life.good, cause)
        return
    turn.move(rollout.attempt, Stage.FAILED)
    remember_failure(turn, pair, reason)
    tasks.leave(turn, rollout.attempt)
    turn.set(rollout=None, failure=Failure(_brings(turn, pair), reason, why_not, turn.now))
    text = f"{turn.name(pair)} failed: {reason}; not rolled back: {why_not}"
    turn.record("failed", text, attempt=rollout.attempt, outcome="failed", cause=cause)


def _brings(turn: Turn, pair: Pair) -> int:
    """The release that brought what changed: that of the version, or of the configuration where the version stayed."""
    offer = turn.kept(pair)
    configuration = offer.configuration
    return configuration.release if configuration and only_configures(turn.life, offer) else pair.release


def no_way_back(life: Life, to: Pair) -> str:
    """Why nothing goes back to this pair automatically: a task that cannot be undone was started since; empty: none was."""
    barrier = life.irreversible
    if barrier is None or not barrier.bars(to):
        return ""
    release = barrier.release if to.release < barrier.release else _configuration_release(life, barrier.configured)
    return f"{barrier.task} of release {release} was started, and cannot be undone"


def _configuration_release(life: Life, configured: int) -> int:
    known = (one.configuration for one in life.configurations)
    return next((one.release for one in known if one.configured == configured), 0)


def too_old(failed: Offer, to: Offer) -> str:
    """Why ``notBelow`` of what failed forbids to go back to this one; empty: it does not. Nothing is guessed."""
    bound, name = failed.not_below, to.version.name
    if not bound or name == bound:
        return ""
    below = f"older than {bound}, below which {failed.version.name} must not be rolled back"
    low, found = versions.parse(bound), versions.parse(name)
    if low is None or found is None:
        return f"it is not known whether {name} is {below}"
    return f"{name} is {below}" if found < low else ""


def go_back(turn: Turn, rollout: Rollout, reason: str, to: Pair, cause: Cause = NO_CAUSE, *, by_hand: bool = False) -> None:
    """Target becomes an older release; the attempt stays open until that is observed."""
    turn.move(rollout.attempt, Stage.REVERTING)
    remember_failure(turn, rollout.attempt.pair, reason)
    text = f"{turn.name(rollout.attempt.pair)} goes back to {turn.name(to)}: {reason}"
    turn.record("rolling-back", text, attempt=rollout.attempt, cause=cause)
    tasks.leave(turn, rollout.attempt)
    attempt = replace(rollout.attempt, phase=Phase.DEPLOYMENT, entered=turn.now, gates={}, tasks={})
    _head_back(turn, Rollout(attempt, to, turn.now, back=True, by_hand=by_hand, failure=reason, lease=rollout.lease))


def _head_back(turn: Turn, rollout: Rollout) -> None:
    turn.set(rollout=rollout, target=rollout.to, failure=None, breaker=None)
    tasks.forget_barrier(turn, rollout.to)
    turn.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)


def remember_failure(turn: Turn, pair: Pair, reason: str) -> None:
    """What the attempt changed is vetoed here, and those ordered after learn why it does not come."""
    offer = turn.kept(pair)
    _remember(turn, offer, reason, kept=only_configures(turn.life, offer), failed=True)


def _remember(turn: Turn, offer: Offer, reason: str, *, kept: bool, failed: bool) -> None:
    veto(turn, offer, reason, whole=not kept, failed=failed)
    configuration = offer.configuration.release if offer.configuration else 0
    others = (old for old in turn.life.rolled_back if old.pair != offer.pair)
    turn.set(rolled_back=(*others, Failed(offer.pair, offer.version, configuration, kept))[-KEPT_NEWS:])


def give_up_bad_versions(turn: Turn) -> None:
    """Know which of the kept releases are bad now; what is rolled out although it was ruled out fails, or goes back further."""
    life = turn.life
    if life.line is None:
        return
    tainted = tuple(dict.fromkeys(offer.release for offer in life.offers if offer.version.name in life.line.bad))
    if tainted != life.tainted:
        turn.set(tainted=tainted)
    rollout = turn.life.rollout
    if rollout is None:
        return
    offer = turn.offer(rollout.to)
    reason = selection.ruled_out(turn.life, offer) if offer else ""
    if reason and not rollout.back:
        fail(turn, rollout, reason, Cause(Code.VERSION_BAD))
    elif rollout.to.release in tainted and rollout.back and _further_back(turn, rollout):
        _head_back(turn, replace(rollout, to=turn.life.good, began=turn.now, progress=0, idle=0))


def _further_back(turn: Turn, rollout: Rollout) -> bool:
    good, left = turn.offer(turn.life.good), turn.offer(rollout.attempt.pair)
    return good is not None and not no_way_back(turn.life, good.pair) and not (left and too_old(left, good))


def by_hand(turn: Turn, fact: RolledBack) -> None:
    """A person goes back; automation keeps off until a person lets it go on."""
    life = turn.life
    reason = f"rolled back by {fact.by.person}{fact.by.because}"
    end_candidate(turn, Stage.CANCELLED, reason)
    turn.set(hold=Hold(fact.by, fact.at), pin=0, pinned_by=None, pinned_at=0, pinned_until=0)
    if life.rollout:
        _interrupt(turn, life.rollout, fact, reason)
        return
    before = [good for good in life.goods if good != life.target and good.release not in life.tainted]
    to = fact.offer.pair if fact.offer else (before[-1] if before else NOTHING)
    if not to or to == life.target:
        return
    why_not = "" if fact.offer or not life.target else too_old(turn.kept(life.target), turn.kept(to))
    if why_not:
        turn.record("signal", f"{turn.name(life.target)} stays: {why_not}", release=life.target.release, by=fact.by)
    else:
        _from_rest(turn, to, reason)


def _interrupt(turn: Turn, rollout: Rollout, fact: RolledBack, reason: str) -> None:
    to = fact.offer.pair if fact.offer else turn.life.good
    if rollout.back:
        if fact.offer and to != rollout.to:
            if rollout.stuck:
                turn.move(rollout.attempt, Stage.REVERTING)
            again = Rollout(rollout.attempt, to, turn.now, back=True, by_hand=True, failure=reason, lease=rollout.lease)
            _head_back(turn, again)
        else:
            tasks.forget_barrier(turn, rollout.to)
        return
    left = turn.kept(rollout.attempt.pair)
    if to and to != left.pair and (fact.offer or not too_old(left, turn.kept(to))):
        go_back(turn, rollout, reason, to, by_hand=fact.offer is not None)
    else:
        fail(turn, rollout, reason, sure=True)


def _from_rest(turn: Turn, to: Pair, reason: str) -> None:
    """What is finalized is gone back from: that revokes it for those ordered after (§10.1: what changed, as for a veto)."""
    life, found = turn.life, turn.kept(to)
    left = turn.offer(life.target)
    if left:
        revoked = Revoked(left.version, whole=not left.version.same(found.version))
        # judged against what is gone back to: *good* is still what is left
        _remember(turn, left, reason, kept=not revoked.whole, failed=False)
        others = (one for one in life.revoked if one != revoked)
        finalized = tuple(done for done in turn.life.finalized if not revoked.covers(done.version))
        turn.archive = tuple(done for done in turn.archive if not revoked.covers(done.version))
        turn.set(revoked=(*others, revoked)[-KEPT_NEWS:], finalized=finalized)
    turn.set(attempts=life.attempts + 1)
    attempt = Attempt(turn.life.attempts, to.release, Kind.BACK, Phase.DEPLOYMENT, turn.now, turn.now, configured=to.configured)
    turn.move(attempt, Stage.REVERTING)
    turn.record("rolling-back", f"goes back to {turn.name(to)}: {reason}", attempt=attempt)
    _head_back(turn, Rollout(attempt, to, turn.now, back=True, by_hand=True, failure=reason))


def ended(turn: Turn, rollout: Rollout) -> None:
    """The version gone back to was observed."""
    turn.move(rollout.attempt, Stage.ROLLED_BACK)
    turn.set(rollout=None)
    if rollout.by_hand:
        goods = turn.life.goods
        kept = goods[: goods.index(rollout.to)] if rollout.to in goods else tuple(good for good in goods if good < rollout.to)
        turn.set(goods=(*kept, rollout.to), change=turn.life.change + 1)
    text = f"{turn.name(rollout.to)} runs again: {rollout.failure}"
    turn.record("rolled-back", text, attempt=rollout.attempt, outcome="rolled-back")
    forget(turn)
