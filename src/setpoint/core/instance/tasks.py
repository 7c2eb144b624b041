"""Runs of an attempt's tasks: one after the other, once everything else in their phase holds."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core import task
from setpoint.core.facts import Retried, TaskLeft, TaskRetried, TaskStatus, TaskWanted
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.gates.context import task_definition
from setpoint.core.instance.gates.task import concerned, pending, run_of, running
from setpoint.core.instance.state import Attempt, Barrier, Came, Kind, Life, offer_for
from setpoint.core.instructions import Send
from setpoint.model.policy import Phase, TaskUse
from setpoint.model.release import Offer, Pair
from setpoint.model.tasks import TaskStage

_BEGUN = frozenset({TaskStage.RUNNING, TaskStage.RETRYING})


def run(draft: Draft, offer: Offer, attempt: Attempt) -> Attempt:
    """Start the next task of the phase, or join its run: everything else in the phase holds."""
    use, entity = next(pending(draft.context(offer, attempt)), (None, ""))
    if use is None or not _to_be_asked(draft.life, entity, attempt.tasks.get(entity)):
        return attempt
    status = draft.life.tasks.get(entity)
    if status and status.state in _BEGUN:
        came = Came(draft.now, status.number - 1)
    else:
        came = Came(draft.now, status.number if status else 0, blind=status is None)
        _ask(draft, offer, attempt, use, entity, came)
    committed = attempt.committed or attempt.phase is Phase.PRE_DEPLOYMENT
    return replace(attempt, tasks={**attempt.tasks, entity: came}, committed=committed)


def _to_be_asked(life: Life, entity: str, came: Came | None) -> bool:
    """It has not come to it yet, or the run may go on after a person's retry, or failed before it came and should say so."""
    status = life.tasks.get(entity)
    if came is None or status is None:
        return came is None
    old_failure = came.blind and status.state is TaskStage.FAILED
    return old_failure or (status.number > came.seen and status.state is TaskStage.WAITING)


def _ask(draft: Draft, offer: Offer, attempt: Attempt, use: TaskUse, entity: str, came: Came) -> None:
    wanted = task_definition(use.task, draft.rules, draft.life, offer, attempt)
    draft.out.append(
        Send(entity, TaskWanted(asker=draft.entity, definition=wanted, seen=came.seen, retries=use.retries)),
    )
    if wanted.irreversible:
        _no_way_back(draft, entity)


def _no_way_back(draft: Draft, entity: str) -> None:
    known, number, name = draft.life.irreversible or Barrier(0, ""), task.release_of(entity), task.name_of(entity)
    configured = next(
        (one.configuration.configured for one in draft.life.configurations if one.configuration.release == number), 0
    )
    raised = Barrier(max(known.release, 0 if configured else number), name, max(known.configured, configured))
    if (raised.release, raised.configured) != (known.release, known.configured):
        draft.set(irreversible=raised)


def forget_barrier(draft: Draft, pair: Pair) -> None:
    """A person brought a pair here that is older than what cannot be undone: it bars nothing any more."""
    barrier = draft.life.irreversible
    if barrier and barrier.bars(pair):
        draft.set(irreversible=None)


def told(draft: Draft, fact: TaskStatus) -> None:
    """How a run stands. When one has succeeded, the checks before a deployment must hold afresh."""
    known = draft.life.tasks.get(fact.task)
    if known is not None and known.number >= fact.number:
        return
    draft.set(tasks={**draft.life.tasks, fact.task: fact})
    if fact.irreversible:
        _no_way_back(draft, fact.task)
    if fact.task in draft.life.left:
        _let_go(draft, fact)
    if fact.state is not TaskStage.FAILED:
        _no_longer_blind(draft, fact.task)
    if fact.state is TaskStage.SUCCEEDED:
        _afresh(draft, fact.task)


def _no_longer_blind(draft: Draft, entity: str) -> None:
    def seeing(attempt: Attempt) -> Attempt:
        came = attempt.tasks.get(entity)
        return replace(attempt, tasks={**attempt.tasks, entity: replace(came, blind=False)}) if came and came.blind else attempt

    life = draft.life
    if life.candidate:
        draft.set(candidate=seeing(life.candidate))
    if life.rollout:
        draft.set_rollout(life.rollout, attempt=seeing(life.rollout.attempt))


def _let_go(draft: Draft, fact: TaskStatus) -> None:
    if fact.number <= draft.life.left[fact.task] or fact.state is TaskStage.RUNNING:
        return
    if fact.state is TaskStage.RETRYING:
        draft.out.append(Send(fact.task, TaskLeft(asker=draft.entity, seen=fact.number)))
        return
    draft.set(left={entity: seen for entity, seen in draft.life.left.items() if entity != fact.task})


def _afresh(draft: Draft, entity: str) -> None:
    candidate = draft.life.candidate
    if candidate is None or candidate.phase is not Phase.PRE_DEPLOYMENT or not candidate.gates:
        return
    offer = draft.kept(candidate.pair)
    if any(run == entity for _, run in concerned(draft.context(offer, candidate))):
        draft.set(candidate=replace(candidate, gates={}))


def leave(draft: Draft, attempt: Attempt) -> None:
    """The attempt ends, or goes back: no further try for it, and what is under way ends before anything new starts here."""
    open_runs = dict(draft.life.left)
    for entity, came in attempt.tasks.items():
        status = draft.life.tasks.get(entity)
        retrying = status is not None and status.number > came.seen and status.state is TaskStage.RETRYING
        if retrying and status is not None:
            draft.out.append(Send(entity, TaskLeft(asker=draft.entity, seen=status.number)))
        if retrying or running(draft.life, attempt.tasks, entity):
            open_runs[entity] = came.seen
    if open_runs != draft.life.left:
        draft.set(left=open_runs)


def retried(draft: Draft, fact: Retried, release: int) -> None:
    """A person lets what failed of a release be tried again, or reports that it succeeded. Runs know whether they failed."""
    life, offer = draft.life, offer_for(draft.life, release)
    if offer is None or draft.policy is None:
        return
    attempts = [life.candidate, life.rollout.attempt if life.rollout else None]
    attempt = next((one for one in attempts if one and one.pair == offer.pair), None)
    attempt = attempt or Attempt(
        life.attempts + 1, offer.release, Kind.FORWARD, Phase.PRE_APPROVAL, draft.now, draft.now, configured=offer.configured
    )
    runs = {run_of(use, draft.policy, life, offer, attempt) for use in draft.policy.tasks}
    for entity in sorted(run for run in runs if task.release_of(run) == release):
        draft.out.append(Send(entity, TaskRetried(by=fact.by, id=fact.id, succeeded=fact.succeeded)))
