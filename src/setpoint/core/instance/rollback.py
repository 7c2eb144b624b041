"""Going back: at once, past every gate and lease, and here only."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.facts import RolledBack
from setpoint.core.instance import endings, selection, tasks
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Attempt, Failure, Hold, Kind, Life, Rollout
from setpoint.model import versions
from setpoint.model.policy import Phase
from setpoint.model.release import Offer

KEPT_NEWS = 16


def fail(draft: Draft, rollout: Rollout, reason: str, *, sure: bool = False) -> None:
    """The rollout failed: back to *good*, or, where that cannot be, hands off with the reason why.

    What told its set that it has passed asks the set first, unless ``sure``: by now the others may have been finalized.
    """
    if rollout.passed and not sure:
        draft.set_rollout(rollout, doubt=rollout.doubt or reason)
        return
    life, release = draft.life, rollout.attempt.release
    why_not = ""
    if not draft.rules.auto_rollback:
        why_not = "automatic rollback is off"
    elif not life.good or life.good == release:
        why_not = "there is no good version to go back to"
    else:
        why_not = no_way_back(life, life.good) or too_old(draft.kept(release), draft.kept(life.good))
    if not why_not:
        go_back(draft, rollout, reason, life.good)
        return
    remember_failure(draft, release, reason)
    tasks.leave(draft, rollout.attempt)
    draft.set(rollout=None, failure=Failure(release, reason, why_not, draft.now))
    text = f"{draft.name(release)} failed: {reason}; not rolled back: {why_not}"
    draft.record("failed", text, attempt=rollout.attempt, outcome="failed")


def no_way_back(life: Life, to: int) -> str:
    """Why nothing goes back to this release by itself: a task that cannot be undone was started since; empty: none was."""
    barrier = life.irreversible
    if barrier is None or to >= barrier.release:
        return ""
    return f"{barrier.task} of release {barrier.release} was started, and cannot be undone"


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


def go_back(draft: Draft, rollout: Rollout, reason: str, to: int, *, by_hand: bool = False) -> None:
    """Target becomes an older release; the attempt stays open until that is observed."""
    remember_failure(draft, rollout.attempt.release, reason)
    text = f"{draft.name(rollout.attempt.release)} goes back to {draft.name(to)}: {reason}"
    draft.record("rolling-back", text, attempt=rollout.attempt)
    tasks.leave(draft, rollout.attempt)
    attempt = replace(rollout.attempt, phase=Phase.DEPLOYMENT, entered=draft.now, gates={}, tasks={})
    _head_back(draft, Rollout(attempt, to, draft.now, back=True, by_hand=by_hand, failure=reason, lease=rollout.lease))


def _head_back(draft: Draft, rollout: Rollout) -> None:
    draft.set(rollout=rollout, target=rollout.to, failure=None, breaker=None)
    tasks.forget_barrier(draft, rollout.to)
    draft.set_applying(spec="", errors=0, error="", terminal=False, retry_at=0)


def remember_failure(draft: Draft, release: int, reason: str) -> None:
    """The release is vetoed here, and those ordered after learn why it does not come."""
    endings.veto(draft, draft.kept(release), reason)
    draft.set(rolled_back=(*(old for old in draft.life.rolled_back if old != release), release)[-KEPT_NEWS:])


def taint(draft: Draft) -> None:
    """Know which of the kept releases are bad now; what is rolled out although it was ruled out fails, or goes back further."""
    life = draft.life
    if life.line is None:
        return
    tainted = tuple(offer.release for offer in life.offers if offer.version.name in life.line.bad)
    if tainted != life.tainted:
        draft.set(tainted=tainted)
    rollout = draft.life.rollout
    if rollout is None:
        return
    offer = draft.offer(rollout.to)
    reason = selection.ruled_out(draft.life, offer) if offer else ""
    if reason and not rollout.back:
        fail(draft, rollout, reason)
    elif rollout.to in tainted and rollout.back and _further_back(draft, rollout):
        _head_back(draft, replace(rollout, to=draft.life.good, began=draft.now, progress=0, idle=0))


def _further_back(draft: Draft, rollout: Rollout) -> bool:
    good, left = draft.offer(draft.life.good), draft.offer(rollout.attempt.release)
    return good is not None and not no_way_back(draft.life, good.release) and not (left and too_old(left, good))


def by_hand(draft: Draft, fact: RolledBack) -> None:
    """A person goes back; automation keeps off until a person lets it go on."""
    life = draft.life
    because = f": {fact.by.why}" if fact.by.why else ""
    reason = f"rolled back by {fact.by.person}{because}"
    endings.end_candidate(draft, "cancelled", reason)
    draft.set(hold=Hold(fact.by, fact.at), pin=0, pinned_by=None, pinned_at=0, pinned_until=0)
    if life.rollout:
        _interrupt(draft, life.rollout, fact, reason)
        return
    before = [good for good in life.goods if good != life.target and good not in life.tainted]
    to = fact.offer.release if fact.offer else (before[-1] if before else 0)
    if not to or to == life.target:
        return
    why_not = "" if fact.offer or not life.target else too_old(draft.kept(life.target), draft.kept(to))
    if why_not:
        draft.record("signal", f"{draft.name(life.target)} stays: {why_not}", release=life.target, by=fact.by)
    else:
        _from_rest(draft, to, reason)


def _interrupt(draft: Draft, rollout: Rollout, fact: RolledBack, reason: str) -> None:
    to = fact.offer.release if fact.offer else draft.life.good
    if rollout.back:
        if fact.offer and to != rollout.to:
            again = Rollout(rollout.attempt, to, draft.now, back=True, by_hand=True, failure=reason, lease=rollout.lease)
            _head_back(draft, again)
        else:
            tasks.forget_barrier(draft, rollout.to)
        return
    if to and to != rollout.attempt.release and (fact.offer or not too_old(draft.kept(rollout.attempt.release), draft.kept(to))):
        go_back(draft, rollout, reason, to, by_hand=fact.offer is not None)
    else:
        fail(draft, rollout, reason, sure=True)


def _from_rest(draft: Draft, to: int, reason: str) -> None:
    """What is finalized is gone back from: that revokes it for those ordered after."""
    life = draft.life
    left = draft.offer(life.target)
    if left:
        remember_failure(draft, left.release, reason)
        revoked = (*(version for version in life.revoked if version != left.version), left.version)[-KEPT_NEWS:]
        finalized = tuple(done for done in draft.life.finalized if done.version != left.version)
        draft.archive = tuple(done for done in draft.archive if done.version != left.version)
        draft.set(revoked=revoked, finalized=finalized)
    draft.set(attempts=life.attempts + 1)
    attempt = Attempt(draft.life.attempts, to, Kind.BACK, Phase.DEPLOYMENT, draft.now, draft.now)
    draft.record("rolling-back", f"goes back to {draft.name(to)}: {reason}", attempt=attempt)
    _head_back(draft, Rollout(attempt, to, draft.now, back=True, by_hand=True, failure=reason))


def ended(draft: Draft, rollout: Rollout) -> None:
    """The version gone back to was observed."""
    draft.set(rollout=None)
    if rollout.by_hand:
        goods = draft.life.goods
        kept = goods[: goods.index(rollout.to)] if rollout.to in goods else tuple(good for good in goods if good < rollout.to)
        draft.set(goods=(*kept, rollout.to), change=draft.life.change + 1)
    text = f"{draft.name(rollout.to)} runs again: {rollout.failure}"
    draft.record("rolled-back", text, attempt=rollout.attempt, outcome="rolled-back")
    endings.forget(draft)
