"""Going back: at once, past every gate and lease, and here only."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.facts import Failed, Revoked, RolledBack
from setpoint.core.instance import endings, selection, tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates.context import only_configures
from setpoint.core.instance.state import NOTHING, Attempt, Failure, Hold, Kind, Life, Rollout
from setpoint.core.instance.transitions import Stage
from setpoint.model import versions
from setpoint.model.policy import Phase
from setpoint.model.release import Offer, Pair

KEPT_NEWS = 16


def fail(draft: Draft, rollout: Rollout, reason: str, *, sure: bool = False) -> None:
    """The rollout failed: back to *good*, or, where that cannot be, hands off with the reason why.

    What told its set that it has passed asks the set first, unless ``sure``: by now the others may have been finalized.
    """
    if rollout.passed and not sure:
        draft.set_rollout(rollout, doubt=rollout.doubt or reason)
        return
    life, pair = draft.life, rollout.attempt.pair
    why_not = ""
    if not draft.rules.auto_rollback:
        why_not = "automatic rollback is off"
    elif not life.good or life.good == pair:
        why_not = "there is no good version to go back to"
    else:
        why_not = no_way_back(life, life.good) or too_old(draft.kept(pair), draft.kept(life.good))
    if not why_not:
        go_back(draft, rollout, reason, life.good)
        return
    draft.move(rollout.attempt, Stage.FAILED)
    remember_failure(draft, pair, reason)
    tasks.leave(draft, rollout.attempt)
    draft.set(rollout=None, failure=Failure(_brings(draft, pair), reason, why_not, draft.now))
    text = f"{draft.name(pair)} failed: {reason}; not rolled back: {why_not}"
    draft.record("failed", text, attempt=rollout.attempt, outcome="failed")


def _brings(draft: Draft, pair: Pair) -> int:
    """The release that brought what changed: that of the version, or of the configuration where the version stayed."""
    offer = draft.kept(pair)
    configuration = offer.configuration
    return configuration.release if configuration and only_configures(draft.life, offer) else pair.release


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
        return f"it cannot be told whether {name} is {below}"
    return f"{name} is {below}" if found < low else ""


def go_back(draft: Draft, rollout: Rollout, reason: str, to: Pair, *, by_hand: bool = False) -> None:
    """Target becomes an older release; the attempt stays open until that is observed."""
    draft.move(rollout.attempt, Stage.REVERTING)
    remember_failure(draft, rollout.attempt.pair, reason)
    text = f"{draft.name(rollout.attempt.pair)} goes back to {draft.name(to)}: {reason}"
    draft.record("rolling-back", text, attempt=rollout.attempt)
    tasks.leave(draft, rollout.attempt)
    attempt = replace(rollout.attempt, phase=Phase.DEPLOYMENT, entered=draft.now, gates={}, tasks={})
    _head_back(draft, Rollout(attempt, to, draft.now, back=True, by_hand=by_hand, failure=reason, lease=rollout.lease))


def _head_back(draft: Draft, rollout: Rollout) -> None:
    draft.set(rollout=rollout, target=rollout.to, failure=None, breaker=None)
    tasks.forget_barrier(draft, rollout.to)
    draft.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)


def remember_failure(draft: Draft, pair: Pair, reason: str) -> None:
    """What the attempt changed is vetoed here, and those ordered after learn why it does not come."""
    offer = draft.kept(pair)
    _remember(draft, offer, reason, kept=only_configures(draft.life, offer), failed=True)


def _remember(draft: Draft, offer: Offer, reason: str, *, kept: bool, failed: bool) -> None:
    endings.veto(draft, offer, reason, whole=not kept, failed=failed)
    configuration = offer.configuration.release if offer.configuration else 0
    others = (old for old in draft.life.rolled_back if old.pair != offer.pair)
    draft.set(rolled_back=(*others, Failed(offer.pair, offer.version, configuration, kept))[-KEPT_NEWS:])


def taint(draft: Draft) -> None:
    """Know which of the kept releases are bad now; what is rolled out although it was ruled out fails, or goes back further."""
    life = draft.life
    if life.line is None:
        return
    tainted = tuple(dict.fromkeys(offer.release for offer in life.offers if offer.version.name in life.line.bad))
    if tainted != life.tainted:
        draft.set(tainted=tainted)
    rollout = draft.life.rollout
    if rollout is None:
        return
    offer = draft.offer(rollout.to)
    reason = selection.ruled_out(draft.life, offer) if offer else ""
    if reason and not rollout.back:
        fail(draft, rollout, reason)
    elif rollout.to.release in tainted and rollout.back and _further_back(draft, rollout):
        _head_back(draft, replace(rollout, to=draft.life.good, began=draft.now, progress=0, idle=0))


def _further_back(draft: Draft, rollout: Rollout) -> bool:
    good, left = draft.offer(draft.life.good), draft.offer(rollout.attempt.pair)
    return good is not None and not no_way_back(draft.life, good.pair) and not (left and too_old(left, good))


def by_hand(draft: Draft, fact: RolledBack) -> None:
    """A person goes back; automation keeps off until a person lets it go on."""
    life = draft.life
    because = f": {fact.by.why}" if fact.by.why else ""
    reason = f"rolled back by {fact.by.person}{because}"
    endings.end_candidate(draft, Stage.CANCELLED, reason)
    draft.set(hold=Hold(fact.by, fact.at), pin=0, pinned_by=None, pinned_at=0, pinned_until=0)
    if life.rollout:
        _interrupt(draft, life.rollout, fact, reason)
        return
    before = [good for good in life.goods if good != life.target and good.release not in life.tainted]
    to = fact.offer.pair if fact.offer else (before[-1] if before else NOTHING)
    if not to or to == life.target:
        return
    why_not = "" if fact.offer or not life.target else too_old(draft.kept(life.target), draft.kept(to))
    if why_not:
        draft.record("signal", f"{draft.name(life.target)} stays: {why_not}", release=life.target.release, by=fact.by)
    else:
        _from_rest(draft, to, reason)


def _interrupt(draft: Draft, rollout: Rollout, fact: RolledBack, reason: str) -> None:
    to = fact.offer.pair if fact.offer else draft.life.good
    if rollout.back:
        if fact.offer and to != rollout.to:
            if rollout.stuck:
                draft.move(rollout.attempt, Stage.REVERTING)
            again = Rollout(rollout.attempt, to, draft.now, back=True, by_hand=True, failure=reason, lease=rollout.lease)
            _head_back(draft, again)
        else:
            tasks.forget_barrier(draft, rollout.to)
        return
    left = draft.kept(rollout.attempt.pair)
    if to and to != left.pair and (fact.offer or not too_old(left, draft.kept(to))):
        go_back(draft, rollout, reason, to, by_hand=fact.offer is not None)
    else:
        fail(draft, rollout, reason, sure=True)


def _from_rest(draft: Draft, to: Pair, reason: str) -> None:
    """What is finalized is gone back from: that revokes it for those ordered after (§10.1: what changed, as for a veto)."""
    life, found = draft.life, draft.kept(to)
    left = draft.offer(life.target)
    if left:
        revoked = Revoked(left.version, whole=not left.version.same(found.version))
        # judged against what is gone back to: *good* is still what is left
        _remember(draft, left, reason, kept=not revoked.whole, failed=False)
        others = (one for one in life.revoked if one != revoked)
        finalized = tuple(done for done in draft.life.finalized if not revoked.covers(done.version))
        draft.archive = tuple(done for done in draft.archive if not revoked.covers(done.version))
        draft.set(revoked=(*others, revoked)[-KEPT_NEWS:], finalized=finalized)
    draft.set(attempts=life.attempts + 1)
    attempt = Attempt(
        draft.life.attempts, to.release, Kind.BACK, Phase.DEPLOYMENT, draft.now, draft.now, configured=to.configured
    )
    draft.move(attempt, Stage.REVERTING)
    draft.record("rolling-back", f"goes back to {draft.name(to)}: {reason}", attempt=attempt)
    _head_back(draft, Rollout(attempt, to, draft.now, back=True, by_hand=True, failure=reason))


def ended(draft: Draft, rollout: Rollout) -> None:
    """The version gone back to was observed."""
    draft.move(rollout.attempt, Stage.ROLLED_BACK)
    draft.set(rollout=None)
    if rollout.by_hand:
        goods = draft.life.goods
        kept = goods[: goods.index(rollout.to)] if rollout.to in goods else tuple(good for good in goods if good < rollout.to)
        draft.set(goods=(*kept, rollout.to), change=draft.life.change + 1)
    text = f"{draft.name(rollout.to)} runs again: {rollout.failure}"
    draft.record("rolled-back", text, attempt=rollout.attempt, outcome="rolled-back")
    endings.forget(draft)
