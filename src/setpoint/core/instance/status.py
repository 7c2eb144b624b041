"""What an instance publishes, and what it subscribes to: both follow from its state, so only differences are published.

It publishes which recent releases it declines, for instances ordered after its group: one that waits at a gate will take a
release, and one whose rollout failed has tried. Where an invariant watches, it publishes the last target change as well.
"""

from __future__ import annotations

from setpoint.core import calendars, scope
from setpoint.core.facts import InstanceStatus, TargetChange
from setpoint.core.instance import selection
from setpoint.core.instance.gates import approval, context, task
from setpoint.core.instance.gates.context import halves, needed_by, set_of
from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life, offer_of, version_offer
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Publish, Subscribe, Unsubscribe
from setpoint.model.names import instance_entity, line_entity
from setpoint.model.policy import Cadence, Phase, Policy, Strategy
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.time import Instant


def publish(turn: Turn, before: InstanceState) -> None:
    """Publish a changed status; subscribe to what is needed now, and unsubscribe from the rest."""
    if turn.life is before.life and turn.policy is before.policy and turn.removed == before.removed:
        return
    if turn.policy is not None and turn.policy.watched:
        note(turn, before.life)
    _publish_news(turn, before)
    _listen(turn, before)


def _publish_news(turn: Turn, before: InstanceState) -> None:
    if _news(turn.policy, turn.life) != _news(before.policy, before.life):
        turn.set(published=turn.life.published + 1)
        turn.out.append(Publish(status(turn.instance, turn.life, turn.policy, older=bool(turn.archive))))


def _news(policy: Policy | None, life: Life) -> tuple[object, ...]:
    watched = (moving(life), life.target_change) if policy is not None and policy.watched else ()
    return (*watched, life.goods, life.change, life.finalized, life.revoked, life.rolled_back, life.declined, life.abstains)


def status(instance: str, life: Life, policy: Policy | None, *, older: bool) -> InstanceStatus:
    """The whole status, numbered. ``older``: there are finalizations that are not included."""
    good = life.good_offer
    watched = policy is not None and policy.watched
    return InstanceStatus(
        instance=instance,
        number=life.published,
        good=life.good,
        version=good.version if good else None,
        change=life.change,
        finalized=life.finalized,
        truncated=older,
        revoked=life.revoked,
        rolled_back=life.rolled_back,
        frontier=life.frontier,
        configuration_frontier=life.configuration_frontier,
        abstains=life.abstains,
        declined=life.declined,
        moving=watched and moving(life),
        target_change=life.target_change if watched else None,
    )


def _listen(turn: Turn, before: InstanceState) -> None:
    if turn.policy is before.policy and turn.removed == before.removed and _audience(turn.life) == _audience(before.life):
        return
    old = listened(before.policy, before.life, before.removed)
    new = listened(turn.policy, turn.life, turn.removed)
    if turn.life.tasks.keys() - new:
        turn.set(tasks={entity: status for entity, status in turn.life.tasks.items() if entity in new})
    if old != new:
        turn.out.extend(Subscribe(entity) for entity in sorted(new - old))
        turn.out.extend(Unsubscribe(entity) for entity in sorted(old - new))


def _audience(life: Life) -> tuple[object, ...]:
    """What ``listened`` depends on, compared by identity: equal parts that were replaced only cost one more comparison."""
    rollout = life.rollout
    return (
        id(life.candidate),
        id(rollout.attempt) if rollout else 0,
        id(life.offers),
        id(life.configurations),
        life.goods,
        life.frontier,
        id(life.abandoned_tasks),
        id(life.joined),
    )


def listened(policy: Policy | None, life: Life, removed: bool) -> set[str]:
    """Entities whose publications matter in this state."""
    attempts = [attempt for attempt in (life.candidate, life.rollout.attempt if life.rollout else None) if attempt]
    entities = {gate.attachment for attempt in attempts for gate in attempt.gates.values()}
    entities.update(task.awaited(policy, life, removed))
    entities.update(_sets(life, removed))
    if policy is None or removed:
        return entities
    entities.update(instance_entity(instance) for ordering in policy.orderings for instance in ordering.instances)
    entities.update(instance_entity(ordering.instance) for ordering in policy.services)
    if policy.strategy is Strategy.MIRROR:
        entities.add(instance_entity(policy.mirror))
    entities.add(line_entity(policy.labels.get("application", "")))
    entities.update(scope.above(policy.labels))
    if policy.approvals:
        entities.update(_topics(policy, life))
    return entities


def _sets(life: Life, removed: bool) -> set[str]:
    """Those that it is a member of; once it left the configuration, only that of its rollout."""
    offer = offer_of(life, life.rollout.attempt.pair) if life.rollout else None
    under_way = set_of(life, offer) if offer else ""
    return {key for key in life.joined if not removed or key == under_way}


def _topics(policy: Policy, life: Life) -> set[str]:
    """Approvals may be given to any release newer than the frontier, not only to the candidate; and to configurations (§10.1)."""
    candidate = life.candidate
    open_releases: dict[int, int] = {}
    if policy.strategy is not Strategy.MIRROR:
        open_releases = {offer.release: 0 for offer in life.offers if offer.release > life.frontier}
        open_releases |= {one.configuration.release: 0 for one in life.configurations}
    if candidate:
        offer = offer_of(life, candidate.pair)
        open_releases |= {half.release: candidate.change for half in halves(life, offer)} if offer else {}
        open_releases[candidate.release] = candidate.change
    return {approval.topic(use, release, change) for release, change in open_releases.items() for use in policy.approvals}


KEPT_DECLINED = 16
"""Newest releases that may be listed as declined."""


def update_declined(turn: Turn) -> None:
    """Know which recent releases are declined now, and look again when the cadence changes that."""
    rules, life = turn.rules, turn.life
    found: dict[int, str] = {}
    if _may_decline(rules, life):
        offers = _open(life)
        found = {number: why for number, offer in offers.items() if (why := why_not(rules, life, offer, turn.now))}
        if offers:
            turn.wake(_turns(rules, life, turn.now))
    if found != life.declined:
        turn.set(declined=found)
    abstains = tuple(one.configuration.release for one in life.configurations if _abstains(rules, life, one.configuration))
    if abstains != life.abstains:
        turn.set(abstains=abstains)


def _abstains(policy: Policy, life: Life, configuration: Configuration) -> bool:
    """Whether nothing that may run here would change by this configuration (§10.1 Made). What newer ones went past stays as it
    was: the offers that it would have changed may be forgotten.
    """
    attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
    if any(attempt and attempt.configured == configuration.configured for attempt in attempts) or life.failure:
        return False
    if configuration.configured <= selection.newest_configuration(life):
        return configuration.release in life.abstains
    return not any(
        _may_run(policy, life, offer) and _changes(life, offer)
        for offer in life.offers
        if offer.configured == configuration.configured
    )


def _may_run(policy: Policy, life: Life, offer: Offer) -> bool:
    if offer.release in {life.good.release, life.pin}:
        return True
    if policy.strategy is Strategy.MIRROR:
        upstream_status = life.upstream.get(policy.mirror)
        return upstream_status is not None and upstream_status.good.release == offer.release
    return selection.is_ahead(life, offer) and not selection.dropped(policy, life, offer) and not selection.vetoed(life, offer)


def _changes(life: Life, offer: Offer) -> bool:
    """Compared with *good*, or with the same version in the configuration before."""
    older = [one for one in life.offers if one.release == offer.release and one.configured < offer.configured]
    before = life.good_offer if offer.release == life.good.release else older[-1] if older else None
    return before is None or before.spec != offer.spec


def _may_decline(policy: Policy, life: Life) -> bool:
    return bool(
        life.pin
        or life.hold
        or life.observing
        or policy.accepts
        or policy.cadence
        or policy.strategy is Strategy.MANUAL
        or policy.drift.mode == "observe"
    )


def _open(life: Life) -> dict[int, Offer]:
    """The newest releases that are neither started nor ruled out, each with what it would bring."""
    under_way = life.rollout.attempt.release if life.rollout else 0
    floor, found = selection.floor(life), dict[int, Offer]()
    for offer in life.offers[-KEPT_DECLINED:]:
        if offer.release > floor and offer.release != under_way and not selection.vetoed(life, offer):
            found.setdefault(offer.release, offer)
    for one in life.configurations[-KEPT_DECLINED:]:
        good = offer_of(life, Pair(life.good.release, one.configuration.configured))
        newer = one.configuration.configured > selection.newest_configuration(life)
        if good is not None and newer and not selection.vetoed(life, good):
            found[one.configuration.release] = good
    return found


def why_not(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    """Why an offer is not taken; empty: it is, it waits at a gate, or it failed here. The text changes only with its cause."""
    if life.pin and life.pin != offer.release:
        pinned = version_offer(life, life.pin)
        return f"pinned to {pinned.version.name if pinned else f'release {life.pin}'}"
    if life.hold:
        return f"held by {life.hold.by.person}"
    if life.observing or policy.drift.mode == "observe":
        return "only observed"
    if life.pin:
        return ""
    if offer.release == life.good.release:
        return _cadence(policy, life, offer, now)
    if policy.strategy is Strategy.MANUAL and not offer.addressed:
        return "takes only what a person sends to it"
    return selection.refusal(policy, life, offer) or _cadence(policy, life, offer, now)


def _cadence(policy: Policy, life: Life, offer: Offer, now: Instant) -> str:
    if policy.cadence is None or not needed_by(None, "cadence", policy, life, offer):
        return ""
    if offer.release == life.good.release:
        occurrence = calendars.occurrence(policy.cadence.calendar, policy.cadence.timezone, life.wall.at(now))
    else:
        occurrence = _open_slot(policy.cadence, life, now)
    return "" if occurrence else "its cadence admits nothing now"


def _open_slot(cadence: Cadence, life: Life, now: Instant) -> tuple[Instant, Instant] | None:
    """The occurrence that admits a release now, if one does."""
    occurrence = calendars.occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    used = occurrence is not None and life.slot[0] == occurrence[0] and life.slot[1] >= cadence.max
    return None if used else occurrence


def _turns(policy: Policy, life: Life, now: Instant) -> Instant | None:
    """When the cadence begins to admit a release, or ceases to, by the clock."""
    cadence = policy.cadence
    if cadence is None:
        return None
    slot = _open_slot(cadence, life, now)
    following = None if slot else calendars.next_occurrence(cadence.calendar, cadence.timezone, life.wall.at(now))
    return life.wall.until(slot[1] if slot else following[0] if following else None)


def note(turn: Turn, before: Life) -> None:
    """Keep the target change of this turn, if there was one; or what is target, if that was not kept yet."""
    life = turn.life
    offer = turn.offer(life.target) if life.target else None
    if offer is None:
        return
    if _moved(life, before):
        turn.set(target_change=_move(turn.rules, life, offer, turn.now))
    elif life.target_change is None:
        turn.set(target_change=TargetChange(offer.release, offer.version))


def _moved(life: Life, before: Life) -> bool:
    return life.target != before.target or _attempt_of(life) > _attempt_of(before)


def _attempt_of(life: Life) -> int:
    return life.rollout.attempt.number if life.rollout else 0


def _move(policy: Policy, life: Life, offer: Offer, now: Instant) -> TargetChange:
    rollout = life.rollout
    back = rollout is None or rollout.back or rollout.attempt.kind is Kind.BACK
    approvals = {} if rollout is None or back else _approvals(policy, life, offer, rollout.attempt, now)
    return TargetChange(offer.release, offer.version, now, context.labels(life, offer), approvals, back)


def _approvals(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> dict[str, int]:
    found: dict[str, int] = {}
    for use in policy.approvals:
        for half in context.halves(life, offer):
            votes = approval.countable(use, life, half.author, approval.topic(use, half.release, attempt.change)).values()
            given = sum(vote.yes and (not use.expires or life.wall.at(now) < vote.at + use.expires) for vote in votes)
            found[use.topic] = max(given, found.get(use.topic, 0))
    return found


def moving(life: Life) -> bool:
    """Whether a rollout is in its deployment, or goes back."""
    return life.rollout is not None and (life.rollout.back or life.rollout.attempt.phase is Phase.DEPLOYMENT)
