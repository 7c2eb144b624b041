"""What comes back from the runtime: ends of applies and looks, by their numbers. Deadlines count observed time only."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.backoff import backoff
from setpoint.core.facts import Applied, Observed, Unobserved
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import calendar
from setpoint.core.instance.state import Rollout, Seen, matches_spec
from setpoint.model.observation import Observation
from setpoint.model.policy import Phase
from setpoint.model.time import Duration, Instant


def applied(draft: Draft, fact: Applied) -> None:
    """The apply in flight ended; one that is not in flight any more is stale."""
    applying = draft.life.applying
    if not applying.operation or fact.operation != applying.operation:
        return
    if not applying.spec:
        draft.set_applying(operation="", every=0)  # target moved meanwhile: this end says nothing about what is wanted now
        return
    if not fact.error:
        draft.set_applying(operation="", taken=draft.now, judges=applying.watch, errors=0, error="", terminal=False, retry_at=0)
        return
    errors = applying.errors + 1
    retry_at = draft.now + backoff(errors, draft.entity)
    draft.set_applying(operation="", taken=0, errors=errors, error=fact.error, terminal=fact.terminal, retry_at=retry_at, every=0)
    draft.record(
        "apply-failed",
        f"apply {applying.count} failed: {fact.error}",
        release=draft.life.target.release,
        outcome="terminal" if fact.terminal else "transient",
    )


def observed(draft: Draft, fact: Observed) -> None:
    """A look: an earlier one never replaces a later one."""
    before = draft.life.current
    if before is not None and fact.look <= before.look:
        return
    target = draft.offer(draft.life.target)
    seen = summary(fact, draft.now, target.spec if target else "")
    draft.set(current=seen)
    if fact.watch >= draft.life.applying.watch:
        draft.set_applying(asked=False)
    if draft.life.rollout:
        _count_time(draft, draft.life.rollout, before, seen, fact.gap)


def unobserved(draft: Draft, fact: Unobserved) -> None:
    """The runtime cannot be asked: what was seen last stays, with its age, and no time passes."""
    before = draft.life.current
    if before is not None and fact.look <= before.look:
        return
    blind = before or Seen(fact.look, fact.watch, draft.now)
    draft.set(current=replace(blind, look=fact.look, unreachable=fact.message or "the runtime cannot be reached"))


def summary(fact: Observed, now: Instant, spec: str) -> Seen:
    """An observation in short, counted against the spec that is target."""
    observation: Observation = fact.observation
    active = [thing for thing in observation.objects if thing.active]
    return Seen(
        fact.look,
        fact.watch,
        now,
        versions=observation.versions,
        digests=tuple(sorted({thing.digest for thing in active})),
        present=len(observation.objects),
        total=len(active),
        healthy=sum(thing.healthy is True for thing in active),
        unknown=sum(thing.healthy is None for thing in active),
        fresh=sum(thing.healthy is True and thing.digest == spec for thing in observation.objects),
        complete=observation.complete,
        difference=observation.difference,
        message=observation.message,
    )


def _count_time(draft: Draft, rollout: Rollout, before: Seen | None, seen: Seen, gap: Duration) -> None:
    offer = draft.offer(rollout.to)
    spec = offer.spec if offer else ""
    gap = 0 if calendar.stands_still(draft.rules, draft.life, draft.now) else gap
    hands_off = draft.life.observing or any(status.pause for status in draft.life.scopes.values())
    counted = 0 if hands_off else min(gap, max(draft.now - rollout.began, 0))
    settled_before = matches_spec(before, spec)
    if rollout.attempt.phase is Phase.POST_DEPLOYMENT and not rollout.back:
        sick = 0 if matches_spec(seen, spec) else rollout.sick + (0 if settled_before else counted)
        if sick != rollout.sick:
            draft.set_rollout(rollout, sick=sick)
        return
    applying = draft.life.applying
    fresh = seen.fresh if applying.spec == spec else 0
    if fresh > rollout.progress:
        draft.set_rollout(rollout, progress=fresh, idle=0)
    elif not settled_before:
        draft.set_rollout(rollout, idle=rollout.idle + counted)
