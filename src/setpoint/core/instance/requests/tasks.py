"""Runs of an attempt's tasks: one after the other, once everything else in their phase holds."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.facts import Retried, TaskLeft, TaskRetried, TaskStatus, TaskWanted
from setpoint.core.instance.gates.context import task_definition
from setpoint.core.instance.gates.task import awaited, concerned, pending, run_of, running
from setpoint.core.instance.state import Attempt, Barrier, Kind, Life, TaskClaim, offer_for
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.names import parse_task
from setpoint.model.policy import Phase, TaskUse
from setpoint.model.release import Offer, Pair
from setpoint.model.tasks import TaskStage

_BEGUN = frozenset({TaskStage.RUNNING, TaskStage.RETRYING})


def run(turn: Turn, offer: Offer, attempt: Attempt) -> Attempt:
    """Start the next task of the phase, or join its run: everything else in the phase holds."""
    use, entity = next(pending(turn.context(offer, attempt)), (None, ""))
    if use is None or not _to_be_asked(turn.life, entity, attempt.tasks.get(entity)):
        return attempt
    status = turn.life.tasks.get(entity)
    if status and status.state in _BEGUN:
        came = TaskClaim(turn.now, status.number - 1)
    else:
        came = TaskClaim(turn.now, status.number if status else 0, blind=status is None)
        _ask(turn, offer, attempt, use, entity, came)
    committed = attempt.committed or attempt.phase is Phase.PRE_DEPLOYMENT
    return replace(attempt, tasks={**attempt.tasks, entity: came}, committed=committed)


def _to_be_asked(life: Life, entity: str, came: TaskClaim | None) -> bool:
    """Whether to request the run: not requested yet, possibly retried by a person since, or failed before it was requested."""
    status = life.tasks.get(entity)
    if came is None or status is None:
        return came is None
    old_failure = came.blind and status.state is TaskStage.FAILED
    return old_failure or (status.number > came.seen and status.state is TaskStage.WAITING)


def _ask(turn: Turn, offer: Offer, attempt: Attempt, use: TaskUse, entity: str, came: TaskClaim) -> None:
    wanted = task_definition(use.task, turn.rules, turn.life, offer, attempt)
    turn.out.append(
        Send(entity, TaskWanted(requester=turn.entity, definition=wanted, seen=came.seen, retries=use.retries)),
    )
    if wanted.irreversible:
        _no_way_back(turn, entity)


def _no_way_back(turn: Turn, entity: str) -> None:
    known, run = turn.life.irreversible or Barrier(0, ""), parse_task(entity)
    number = run.release
    configured = next(
        (one.configuration.configured for one in turn.life.configurations if one.configuration.release == number), 0
    )
    raised = Barrier(max(known.release, 0 if configured else number), run.task, max(known.configured, configured))
    if (raised.release, raised.configured) != (known.release, known.configured):
        turn.set(irreversible=raised)


def forget_barrier(turn: Turn, pair: Pair) -> None:
    """A person brought a pair here that is older than what cannot be undone: it bars nothing any more."""
    barrier = turn.life.irreversible
    if barrier and barrier.bars(pair):
        turn.set(irreversible=None)


def record_status(turn: Turn, fact: TaskStatus) -> None:
    """Record the status of a run. When one has succeeded, the checks before a deployment must pass again."""
    known = turn.life.tasks.get(fact.task)
    if known is not None and known.number >= fact.number:
        return
    if fact.irreversible:
        _no_way_back(turn, fact.task)
    if fact.task not in awaited(turn.policy, turn.life, turn.removed):
        return  # late: this instance has unsubscribed since, and gets what is so then when it subscribes again
    turn.set(tasks={**turn.life.tasks, fact.task: fact})
    if fact.task in turn.life.abandoned_tasks:
        _let_go(turn, fact)
    if fact.state is not TaskStage.FAILED:
        _no_longer_blind(turn, fact.task)
    if fact.state is TaskStage.SUCCEEDED:
        _repeat_checks(turn, fact.task)


def _no_longer_blind(turn: Turn, entity: str) -> None:
    def seeing(attempt: Attempt) -> Attempt:
        came = attempt.tasks.get(entity)
        return replace(attempt, tasks={**attempt.tasks, entity: replace(came, blind=False)}) if came and came.blind else attempt

    life = turn.life
    if life.candidate:
        turn.set(candidate=seeing(life.candidate))
    if life.rollout:
        turn.set_rollout(life.rollout, attempt=seeing(life.rollout.attempt))


def _let_go(turn: Turn, fact: TaskStatus) -> None:
    if fact.number <= turn.life.abandoned_tasks[fact.task] or fact.state is TaskStage.RUNNING:
        return
    if fact.state is TaskStage.RETRYING:
        turn.out.append(Send(fact.task, TaskLeft(requester=turn.entity, seen=fact.number)))
        return
    turn.set(abandoned_tasks={entity: seen for entity, seen in turn.life.abandoned_tasks.items() if entity != fact.task})


def _repeat_checks(turn: Turn, entity: str) -> None:
    candidate = turn.life.candidate
    if candidate is None or candidate.phase is not Phase.PRE_DEPLOYMENT or not candidate.gates:
        return
    offer = turn.kept(candidate.pair)
    if any(run == entity for _, run in concerned(turn.context(offer, candidate))):
        turn.set(candidate=replace(candidate, gates={}))


def leave(turn: Turn, attempt: Attempt) -> None:
    """The attempt ends, or goes back: no further try for it, and what is under way ends before anything new starts here."""
    open_runs = dict(turn.life.abandoned_tasks)
    for entity, came in attempt.tasks.items():
        status = turn.life.tasks.get(entity)
        retrying = status is not None and status.number > came.seen and status.state is TaskStage.RETRYING
        if retrying and status is not None:
            turn.out.append(Send(entity, TaskLeft(requester=turn.entity, seen=status.number)))
        if retrying or running(turn.life, attempt.tasks, entity):
            open_runs[entity] = came.seen
    if open_runs != turn.life.abandoned_tasks:
        turn.set(abandoned_tasks=open_runs)


def retried(turn: Turn, fact: Retried, release: int) -> None:
    """A person lets what failed of a release be tried again, or reports that it succeeded. Runs know whether they failed."""
    life, offer = turn.life, offer_for(turn.life, release)
    if offer is None or turn.policy is None:
        return
    attempts = [life.candidate, life.rollout.attempt if life.rollout else None]
    attempt = next((one for one in attempts if one and one.pair == offer.pair), None)
    attempt = attempt or Attempt(
        life.attempts + 1, offer.release, Kind.FORWARD, Phase.PRE_APPROVAL, turn.now, turn.now, configured=offer.configured
    )
    runs = {run_of(use, turn.policy, life, offer, attempt) for use in turn.policy.tasks}
    for entity in sorted(run for run in runs if parse_task(run).release == release):
        turn.out.append(Send(entity, TaskRetried(by=fact.by, id=fact.id, succeeded=fact.succeeded)))
