"""Record facts in the state. One function per kind of fact; the only decision here is whether a fact is stale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.facts import (
    AnyFact,
    Applied,
    CheckStatus,
    Configured,
    Finalization,
    FinalizationReported,
    FinalizationRequested,
    Granted,
    Healing,
    Held,
    InstanceStatus,
    LineStatus,
    Observed,
    Observing,
    Offered,
    Order,
    Pinned,
    Queued,
    Reconfigured,
    Removed,
    Resumed,
    Retried,
    RolledBack,
    RunAssigned,
    ScopeStatus,
    SetStatus,
    Signal,
    Skipped,
    TakenDown,
    TaskStatus,
    TopicStatus,
    Unobserved,
    Unpinned,
)
from setpoint.core.instance import adoption, observation, outcomes, selection
from setpoint.core.instance.gates import task as gate_of_task
from setpoint.core.instance.requests import admission, check_runs, sets, tasks, waves
from setpoint.core.instance.state import Attempt, Hold, Life, Reconfiguration, Skip, Veto, Vetoed, offer_of, version_offer
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.names import instance_entity, parse_task, service_of, versions_of, with_configuration
from setpoint.model.people import By
from setpoint.model.policy import CheckUse, Policy, Strategy
from setpoint.model.release import Offer
from setpoint.model.spec import Version

KEPT_CONFIGURATIONS = 16
"""Configuration releases that are remembered although they were not started."""


def record(turn: Turn, facts: Sequence[AnyFact]) -> None:
    """Remember what happened."""
    if (wall := turn.life.wall.updated(facts)) is not turn.life.wall:
        turn.set(wall=wall)
    for fact in facts:
        _record(turn, fact)


def _record(turn: Turn, fact: AnyFact) -> None:
    """Remember one fact. Facts of other actors' kinds are dropped, and so are acts of people that were delivered before."""
    handle = _HANDLERS.get(type(fact))
    if handle is None:
        return
    if isinstance(fact, Signal) and fact.id:
        signals = orders.remember(turn.life.signals, fact.id)
        if signals is None:
            return
        turn.set(signals=signals)
    handle(turn, fact)


# --- configuration and releases ----------------------------------------------------------------------------------------


def _configured(turn: Turn, fact: Configured) -> None:
    if not _newer(turn, fact.number):
        return
    old, new = turn.policy, fact.policy
    turn.removed = False
    if turn.life.down:
        turn.set(down=None)
    if old == new:
        return
    turn.policy = new
    if old is not None:
        _forget_changed_gates(turn, old, new)
        _add_orderings(turn, old, new)


def _newer(turn: Turn, number: int) -> bool:
    """Whether a revision of the configuration is not older than the last one."""
    if number < turn.life.configured:
        return False
    if number > turn.life.configured:
        turn.set(configured=number)
    return True


def _forget_changed_gates(turn: Turn, old: Policy, new: Policy) -> None:
    """Forget checks that changed, so that they are requested again; phases that were left stay left."""

    def kept(attempt: Attempt | None) -> Attempt | None:
        if attempt is None:
            return None
        before, after = _by_name(old, attempt), _by_name(new, attempt)
        same = {name: gate for name, gate in attempt.gates.items() if name in after and before.get(name) == after[name]}
        return attempt if len(same) == len(attempt.gates) else replace(attempt, gates=same)

    rollout = turn.life.rollout
    turn.set(candidate=kept(turn.life.candidate))
    if rollout:
        turn.set_rollout(rollout, attempt=cast("Attempt", kept(rollout.attempt)))


def _add_orderings(turn: Turn, old: Policy, new: Policy) -> None:
    """What is committed is not held by an ordering, of whatever kind, that it did not have when it was (§10.14)."""
    candidate = turn.life.candidate
    if candidate is None or not candidate.committed:
        return
    known = _orderings_of(old)
    if added := tuple(dict.fromkeys((*candidate.added, *(name for name in _orderings_of(new) if name not in known)))):
        turn.set(candidate=replace(candidate, added=added))


def _orderings_of(policy: Policy) -> list[str]:
    return [*(one.name for one in policy.orderings), *(one.name for one in policy.services)]


def _by_name(policy: Policy, attempt: Attempt) -> dict[str, CheckUse]:
    return {use.name: use for use in policy.checks if use.phase is attempt.phase}


def _removed(turn: Turn, fact: Removed) -> None:
    if _newer(turn, fact.number):
        turn.removed = True
        if fact.down and turn.life.down is None:
            turn.set(down=Hold(By("configuration", "onRemove: destroy"), fact.at))


def _taken_down(turn: Turn, fact: TakenDown) -> None:
    if turn.removed and turn.life.down is None:
        turn.set(down=Hold(fact.by, fact.at))
        _record_act(turn, fact, "has it taken down")


def _offered(turn: Turn, fact: Offered) -> None:
    offer, life = fact.offer, turn.life
    if _keep(turn, offer):
        sets.join(turn, offer.set)
        addressed = offer.addressed and not offer.automatic
        if addressed and life.hold:
            turn.record(
                "resumed",
                f"the hold of {life.hold.by.person} ends: release {offer.release} is addressed here",
                release=offer.release,
            )
        if not offer.automatic:
            turn.set(vetoes=tuple(veto for veto in life.vetoes if not _named_again(veto, offer)))
        if addressed:
            turn.set(hold=None)
        if offer.adopt:
            adoption.begin(turn, offer)
        elif life.adopting and life.adopting.failed:
            turn.set(adopting=None)
        for known in turn.life.configurations:
            _combine(turn, known, offer)
    elif version_offer(turn.life, offer.release) is None:
        sets.join(turn, offer.set)
        waves.decline(turn, offer)


def _named_again(veto: Veto, offer: Offer) -> bool:
    """§3 Veto: a newer release that names the version on purpose lifts it."""
    return veto.scope is not Vetoed.CONFIGURATION and veto.version.same(offer.version) and veto.release < offer.release


def _keep(turn: Turn, offer: Offer) -> bool:
    life = turn.life
    mirrors = turn.policy is not None and turn.policy.strategy is Strategy.MIRROR
    if offer.release <= life.frontier and not mirrors:
        return False
    return keep(turn, offer)


def keep(turn: Turn, offer: Offer) -> bool:
    """Keep an offer that a person named, however old it is; whether it is new here."""
    if offer_of(turn.life, offer.pair) is not None:
        return False
    turn.set(offers=tuple(sorted((*turn.life.offers, offer), key=lambda known: known.pair)))
    _request_finalizations(turn, offer)
    return True


def _reconfigured(turn: Turn, fact: Reconfigured) -> None:
    """§10.1: what each version release would be with a newer configuration; which of them comes is decided at every selection."""
    life, configuration = turn.life, fact.configuration
    older = configuration.configured < life.good.configured
    if older or any(known.configuration.configured == configuration.configured for known in life.configurations):
        return
    known = Reconfiguration(configuration, fact.parts, fact.lacking)
    ascending = sorted((*life.configurations, known), key=lambda one: one.configuration.configured)
    turn.set(configurations=tuple(ascending))
    sets.join(turn, configuration.set)
    for offer in [one for one in life.offers if one.configuration is None or one.configuration.release == 0]:
        _combine(turn, known, offer)
    _drop_oldest(turn)


def _combine(turn: Turn, known: Reconfiguration, offer: Offer) -> None:
    """A version release in a newer configuration than its own."""
    configuration, part = known.configuration, known.parts.get(offer.release)
    if part is None or configuration.configured <= offer.configured:
        return
    combined = replace(
        offer,
        version=part.version,
        spec=part.spec,
        parameters=part.parameters,
        not_below=part.not_below,
        configured=configuration.configured,
        configuration=configuration,
        set=with_configuration(offer.set, configuration.configured) if offer.set else "",
    )
    if keep(turn, combined):
        sets.join(turn, combined.set)


def _drop_oldest(turn: Turn) -> None:
    """Drop the oldest of many configurations that were not started: only the newest may still be taken."""
    life = turn.life
    attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
    needed = {life.target, *life.goods, *(attempt.pair for attempt in attempts if attempt)}
    dropped = {one.configuration.configured for one in life.configurations[:-KEPT_CONFIGURATIONS]}
    if not dropped:
        return
    offers = tuple(
        offer for offer in life.offers if offer.configuration is None or offer.configured not in dropped or offer.pair in needed
    )
    unused = dropped - {offer.configured for offer in offers}
    configurations = tuple(one for one in life.configurations if one.configuration.configured not in unused)
    turn.set(offers=offers, configurations=configurations)


# --- other instances ---------------------------------------------------------------------------------------------------


def _instance_status(turn: Turn, fact: InstanceStatus) -> None:
    known = turn.life.upstream.get(fact.instance)
    if known is not None and known.number >= fact.number:
        return
    known_finalized = {done.version: done for done in (*(known.finalized if known else ()), *fact.finalized)}
    counting = tuple(
        replace(done, at=min(done.at, turn.now))
        for version, done in known_finalized.items()
        if not any(revoked.covers(version) for revoked in fact.revoked)
    )
    fact = replace(fact, finalized=counting)
    fact = replace(fact, finalized=outcomes.still_relevant(turn.life, fact, turn.life.offers))
    turn.set(upstream={**turn.life.upstream, fact.instance: fact})
    if known is None and fact.truncated:
        for offer in turn.life.offers:
            _request_finalization(turn, fact.instance, offer)


def _request_finalizations(turn: Turn, offer: Offer) -> None:
    """A new offer of an old version: those before may have finalized it long ago, or just now, before the offer came."""
    for instance in turn.life.upstream:
        _request_finalization(turn, instance, offer)


def _request_finalization(turn: Turn, instance: str, offer: Offer) -> None:
    known = turn.life.upstream[instance]
    wanted = offer.required_version(instance)
    if known.number and not any(done.version == wanted for done in known.finalized):
        apart = offer.configuration is not None
        turn.out.append(
            Send(instance_entity(instance), FinalizationRequested(requester=turn.entity, version=wanted, apart=apart))
        )
    after = offer.configuration.after.get(instance) if offer.configuration else None
    if known.number and after is not None and not any(done.version.revision == after for done in known.finalized):
        turn.out.append(
            Send(
                instance_entity(instance),
                FinalizationRequested(requester=turn.entity, version=Version("", revision=after), apart=True),
            )
        )


def _finalization_requested(turn: Turn, fact: FinalizationRequested) -> None:
    """Reply with that pair, the version's first finalization in any configuration, and the configuration's with any version."""
    everything: tuple[Finalization, ...] = (*turn.archive, *turn.life.finalized)
    wanted = fact.version
    found = (
        next((done for done in everything if done.version == wanted), None),
        next((done for done in everything if done.version.same(wanted)), None),
        next((done for done in everything if fact.apart and done.version.revision == wanted.revision), None),
    )
    for done in dict.fromkeys(one for one in found if one is not None):
        turn.out.append(Send(fact.requester, FinalizationReported(instance=turn.instance, finalization=done)))


def _finalization_reported(turn: Turn, fact: FinalizationReported) -> None:
    known = turn.life.upstream.get(fact.instance)
    done = fact.finalization
    if known is None or any(revoked.covers(done.version) for revoked in known.revoked):
        return
    if any(old.version == done.version for old in known.finalized):
        return
    known_finalized = replace(known, finalized=(*known.finalized, replace(done, at=min(done.at, turn.now))))
    turn.set(upstream={**turn.life.upstream, fact.instance: known_finalized})


# --- checks and topics -------------------------------------------------------------------------------------------------


def _in_attempts(turn: Turn, change: Callable[[Attempt], Attempt]) -> None:
    candidate, rollout = turn.life.candidate, turn.life.rollout
    if candidate:
        changed = change(candidate)
        if changed is not candidate:
            turn.set(candidate=changed)
    if rollout:
        changed = change(rollout.attempt)
        if changed is not rollout.attempt:
            turn.set_rollout(rollout, attempt=changed)


def _run_assigned(turn: Turn, fact: RunAssigned) -> None:
    _in_attempts(turn, lambda attempt: check_runs.record_run_assigned(attempt, fact))


def _check_status(turn: Turn, fact: CheckStatus) -> None:
    _in_attempts(turn, lambda attempt: check_runs.record_check_status(attempt, fact, turn.policy))


def _topic_status(turn: Turn, fact: TopicStatus) -> None:
    known = turn.life.topics.get(fact.topic)
    if known is None or known.number < fact.number:
        turn.set(topics={**turn.life.topics, fact.topic: fact})


# --- the line and the scopes above -------------------------------------------------------------------------------------


def _line_status(turn: Turn, fact: LineStatus) -> None:
    known = turn.life.line
    if known is not None and known.number >= fact.number:
        return
    service = service_of(turn.instance)
    bad, absolved = versions_of(service, fact.bad), versions_of(service, fact.absolved)
    before = known.absolved if known else {}
    news = {name for name, at in absolved.items() if before.get(name) != at}
    vetoes = tuple(veto for veto in turn.life.vetoes if veto.version.name not in news)
    turn.set(line=replace(fact, bad=bad, absolved=absolved), vetoes=vetoes)


def _scope_status(turn: Turn, fact: ScopeStatus) -> None:
    known = turn.life.scopes.get(fact.scope)
    if known is None or known.number < fact.number:
        turn.set(scopes={**turn.life.scopes, fact.scope: fact})


# --- signals -----------------------------------------------------------------------------------------------------------


def _record_act(turn: Turn, fact: Signal, act: str, release: int = 0) -> None:
    ends = orders.ending(fact.until) if isinstance(fact, Order) else ""
    turn.record("signal", f"{fact.by.person} {act}{ends}{fact.by.because}", release=release, by=fact.by)


def _skipped(turn: Turn, fact: Skipped) -> None:
    life = turn.life
    known = next((skip for skip in life.skips if skip.release == fact.release and skip.gate == fact.gate), None)
    if known and not orders.restates(fact, known.by, known.until):
        return
    by, at = (orders.restated(fact, known.by), known.at) if known else (fact.by, fact.at)
    others = tuple(skip for skip in life.skips if skip is not known)
    turn.set(skips=(*others, Skip(fact.release, fact.gate, by, at, fact.until)))
    _record_act(turn, fact, f"skips {'all gates' if fact.gate == '*' else fact.gate}", fact.release)


def _pinned(turn: Turn, fact: Pinned) -> None:
    """A person wants the version: that lifts its veto (§3), and not the one of a configuration that failed with it (§10.1)."""
    by = turn.life.pinned_by
    if turn.life.pin == fact.offer.release and by:
        if orders.restates(fact, by, turn.life.pinned_until):
            turn.set(pinned_by=orders.restated(fact, by), pinned_until=fact.until)
            _record_act(turn, fact, f"pins {fact.offer.version.name} on", fact.offer.release)
        return
    if keep(turn, fact.offer):
        for known in turn.life.configurations:
            _combine(turn, known, fact.offer)
    else:
        _request_finalizations(turn, fact.offer)
    turn.set(pinned_by=fact.by, pinned_at=fact.at, pinned_until=fact.until)
    release, vetoes = fact.offer.release, turn.life.vetoes
    vetoes = tuple(veto for veto in vetoes if veto.scope is not Vetoed.VERSION or veto.release != release)
    turn.set(pin=release, hold=None, vetoes=vetoes)
    _record_act(turn, fact, f"pins {fact.offer.version.name}", fact.offer.release)


def _unpinned(turn: Turn, fact: Unpinned) -> None:
    if turn.life.pin:
        pinned = version_offer(turn.life, turn.life.pin)
        _record_act(turn, fact, f"unpins {pinned.version.name if pinned else turn.life.pin}", turn.life.pin)
        unpin(turn)


def unpin(turn: Turn) -> None:
    """The pin ends."""
    turn.set(pin=0, pinned_by=None, pinned_at=0, pinned_until=0)


def _held(turn: Turn, fact: Held) -> None:
    known = turn.life.hold
    if known is None or orders.restates(fact, known.by, known.until):
        turn.set(hold=_stands(fact, known))
        _record_act(turn, fact, "holds on" if known else "holds")


def _stands(fact: Order, known: Hold | None) -> Hold:
    """What stands from then on; what stood already keeps its beginning."""
    return Hold(orders.restated(fact, known.by), known.at, fact.until) if known else Hold(fact.by, fact.at, fact.until)


def _observing(turn: Turn, fact: Observing) -> None:
    known = turn.life.observing
    if known is None or orders.restates(fact, known.by, known.until):
        turn.set(observing=_stands(fact, known))
        _record_act(turn, fact, "only observes on" if known else "only observes from now on")


def _healing(turn: Turn, fact: Healing) -> None:
    if turn.life.observing:
        turn.set(observing=None)
        _record_act(turn, fact, "lets it be healed again")


def _resumed(turn: Turn, fact: Resumed) -> None:
    if turn.life.hold or turn.life.breaker:
        turn.set(hold=None, breaker=None)
        _record_act(turn, fact, "resumes")


def _rolled_back(turn: Turn, fact: RolledBack) -> None:
    _record_act(turn, fact, "rolls back", fact.offer.release if fact.offer else 0)
    if fact.offer:
        keep(turn, fact.offer)
    outcomes.by_hand(turn, fact)


def _retried(turn: Turn, fact: Retried) -> None:
    life = turn.life
    release = fact.release or _newest_failed(life)
    failed = len(_without(life, release)) < len(life.vetoes) or (life.failure and life.failure.release == release)
    if not release or not (failed or release in _stuck(life)):
        return
    tasks.retried(turn, fact, release)
    if not fact.succeeded:
        turn.set(vetoes=_without(life, release), failure=None if failed else life.failure)
    does = f"reported that the task of release {release} succeeded" if fact.succeeded else f"retries release {release}"
    _record_act(turn, fact, does, release)


def _stuck(life: Life) -> set[int]:
    """Releases with a task that waits for a person."""
    return {parse_task(entity).release for entity in life.tasks if gate_of_task.stuck(life, entity)}


def _newest_failed(life: Life) -> int:
    """What waits for a person comes first, as long as its attempt is open; then what failed."""
    under_way = {attempt.release for attempt in (life.candidate, life.rollout and life.rollout.attempt) if attempt}
    failed = selection.vetoed_releases(life) or ({life.failure.release} if life.failure else set())
    return max(_stuck(life) & under_way or failed, default=0)


def _without(life: Life, release: int) -> tuple[Veto, ...]:
    """§10.14: ``retry`` lifts every veto of that release here, whatever made it."""
    return tuple(veto for veto in life.vetoes if release not in {veto.release, selection.release_of(veto)})


_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    Configured: _configured,
    Removed: _removed,
    TakenDown: _taken_down,
    Offered: _offered,
    Reconfigured: _reconfigured,
    InstanceStatus: _instance_status,
    FinalizationRequested: _finalization_requested,
    FinalizationReported: _finalization_reported,
    RunAssigned: _run_assigned,
    CheckStatus: _check_status,
    TopicStatus: _topic_status,
    Granted: admission.record_granted,
    Queued: admission.record_queued,
    TaskStatus: tasks.record_status,
    Applied: observation.applied,
    Observed: observation.observed,
    Unobserved: observation.unobserved,
    Skipped: _skipped,
    Pinned: _pinned,
    Unpinned: _unpinned,
    Held: _held,
    Observing: _observing,
    Healing: _healing,
    LineStatus: _line_status,
    ScopeStatus: _scope_status,
    SetStatus: sets.record_status,
    Resumed: _resumed,
    RolledBack: _rolled_back,
    Retried: _retried,
}
