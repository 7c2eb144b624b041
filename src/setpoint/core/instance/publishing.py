"""What an instance tells others, and whom it listens to: both follow from its state, so only differences are said."""

from __future__ import annotations

from setpoint.core import scope
from setpoint.core.facts import Neighbour
from setpoint.core.instance import moves
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates import approval, task
from setpoint.core.instance.gates.context import halves, set_of
from setpoint.core.instance.state import InstanceState, Life, offer_of
from setpoint.core.instructions import Publish, Subscribe, Unsubscribe
from setpoint.model.policy import Policy, Strategy


def advance(draft: Draft, before: InstanceState) -> None:
    """Publish a changed status; listen to whom is needed now, and no more to who is not."""
    if draft.life is before.life and draft.policy is before.policy and draft.removed == before.removed:
        return
    if draft.policy is not None and draft.policy.watched:
        moves.note(draft, before.life)
    _publish(draft, before)
    _listen(draft, before)


def _publish(draft: Draft, before: InstanceState) -> None:
    if _news(draft.policy, draft.life) != _news(before.policy, before.life):
        draft.set(published=draft.life.published + 1)
        draft.out.append(Publish(status(draft.instance, draft.life, draft.policy, older=bool(draft.archive))))


def _news(policy: Policy | None, life: Life) -> tuple[object, ...]:
    watched = (moves.moving(life), life.moved) if policy is not None and policy.watched else ()
    return (*watched, life.goods, life.change, life.finalized, life.revoked, life.rolled_back, life.declined, life.abstains)


def status(instance: str, life: Life, policy: Policy | None, *, older: bool) -> Neighbour:
    """The whole status, numbered. ``older``: there are finalizations that are not told."""
    good = offer_of(life, life.good)
    watched = policy is not None and policy.watched
    return Neighbour(
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
        begun=life.begun,
        abstains=life.abstains,
        declined=life.declined,
        moving=watched and moves.moving(life),
        move=life.moved if watched else None,
    )


def _listen(draft: Draft, before: InstanceState) -> None:
    if draft.policy is before.policy and draft.removed == before.removed and _audience(draft.life) == _audience(before.life):
        return
    old = listened(before.policy, before.life, before.removed)
    new = listened(draft.policy, draft.life, draft.removed)
    if draft.life.tasks.keys() - new:
        draft.set(tasks={entity: status for entity, status in draft.life.tasks.items() if entity in new})
    if old != new:
        draft.out.extend(Subscribe(entity) for entity in sorted(new - old))
        draft.out.extend(Unsubscribe(entity) for entity in sorted(old - new))


def _audience(life: Life) -> tuple[object, ...]:
    """What ``listened`` depends on, told apart by identity: equal parts that were made anew only cost a comparison more."""
    rollout = life.rollout
    return (
        id(life.candidate),
        id(rollout.attempt) if rollout else 0,
        id(life.offers),
        id(life.configurations),
        life.goods,
        life.frontier,
        id(life.left),
        id(life.joined),
    )


def listened(policy: Policy | None, life: Life, removed: bool) -> set[str]:
    """Entities whose publications matter in this state."""
    attempts = [attempt for attempt in (life.candidate, life.rollout.attempt if life.rollout else None) if attempt]
    entities = {gate.attachment for attempt in attempts for gate in attempt.gates.values()}
    entities.update(_tasks(policy, life, removed))
    entities.update(_sets(life, removed))
    if policy is None or removed:
        return entities
    entities.update(f"instance:{instance}" for ordering in policy.orderings for instance in ordering.instances)
    entities.update(f"instance:{ordering.instance}" for ordering in policy.services)
    if policy.strategy is Strategy.MIRROR:
        entities.add(f"instance:{policy.mirror}")
    entities.add(f"line:{policy.labels.get('application', '')}")
    entities.update(scope.above(policy.labels))
    if policy.approvals:
        entities.update(_topics(policy, life))
    return entities


def _tasks(policy: Policy | None, life: Life, removed: bool) -> set[str]:
    """Runs that attempts came to, or will come to: one that has succeeded before is known in time."""
    under_way = life.rollout if life.rollout and not life.rollout.back else None
    attempts = [attempt for attempt in (life.candidate, under_way.attempt if under_way else None) if attempt]
    runs = {*life.left, *(entity for attempt in attempts for entity in attempt.tasks)}
    if policy is not None and policy.tasks and not removed:
        for attempt in attempts:
            offer = offer_of(life, attempt.pair)
            if offer:
                runs.update(task.run_of(use, policy, life, offer, attempt) for use in policy.tasks)
    return runs


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
