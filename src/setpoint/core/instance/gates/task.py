"""Tasks of a phase that have not succeeded yet, and runs of attempts that ended which are under way still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from setpoint.core.facts import TaskStatus
from setpoint.core.instance.gates.context import (
    Context,
    applies,
    halves,
    matches,
    needed_by,
    only_configures,
    task_fingerprint,
    values,
)
from setpoint.core.instance.state import Attempt, Life, TaskClaim, offer_of
from setpoint.model.grammars.lookup import LookupMissing, resolve
from setpoint.model.names import application_of, format_task, instance_entity, parse_task
from setpoint.model.policy import CheckUse, Policy, TaskUse
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.tasks import TaskStage
from setpoint.model.time import Instant, approximate_duration

_STARTED = frozenset({TaskStage.RUNNING, TaskStage.RETRYING})


def run_of(use: TaskUse, policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> str:
    """Entity of the run that counts for an attempt at this offer: its own, or the one of everybody with its key.

    It belongs to the version release if that needs the task, else to the configuration release (§10.1 Gated).
    """
    key = use.key
    if "${" in key:
        try:
            key = str(resolve(key, values(life, offer, attempt)))
        except LookupMissing:
            key = ""  # the definition looks it up in vain as well, and reports it
    application = application_of(policy.instance)
    concerned_halves = [half for half in halves(life, offer) if matches(use.when, policy, life, offer, half)]
    release = (concerned_halves or halves(life, offer))[0].release
    return format_task(application, use.name, key or instance_entity(policy.instance), release)


def awaited(policy: Policy | None, life: Life, removed: bool) -> set[str]:
    """Runs that attempts came to, or will come to: one that has succeeded before is known in time."""
    under_way = life.rollout if life.rollout and not life.rollout.back else None
    attempts = [attempt for attempt in (life.candidate, under_way.attempt if under_way else None) if attempt]
    runs = {*life.abandoned_tasks, *(entity for attempt in attempts for entity in attempt.tasks)}
    if policy is not None and policy.tasks and not removed:
        for attempt in attempts:
            offer = offer_of(life, attempt.pair)
            if offer:
                runs.update(run_of(use, policy, life, offer, attempt) for use in policy.tasks)
    return runs


def concerned(context: Context) -> Iterator[tuple[TaskUse, str]]:
    """The tasks of an attempt's phase in their order, skipped ones among them, each with the entity of its run.

    §10.1: one that succeeded for the version that is kept, with the same program and arguments, is not repeated.
    """
    policy, life, offer, attempt, _ = context
    for use in policy.tasks:
        if use.phase is not attempt.phase or not applies(use.when, policy, life, offer):
            continue
        if only_configures(life, offer) and _ran(life, use, offer, attempt):
            continue
        yield use, run_of(use, policy, life, offer, attempt)


def _ran(life: Life, use: TaskUse, offer: Offer, attempt: Attempt) -> bool:
    return use.name in life.ran and life.ran[use.name] == task_fingerprint(use.task, life, offer, attempt)


def pending(context: Context) -> Iterator[tuple[TaskUse, str]]:
    """Those that have to succeed still. One that was skipped while it runs is waited for all the same."""
    policy, life, offer, attempt, _ = context
    for use, entity in concerned(context):
        if succeeded(life, entity):
            continue
        if needed_by(use.when, use.name, policy, life, offer) or running(life, attempt.tasks, entity):
            yield use, entity


def succeeded(life: Life, entity: str) -> bool:
    """Whether a run has succeeded, as far as this instance was informed. That is final."""
    status = life.tasks.get(entity)
    return status is not None and status.state is TaskStage.SUCCEEDED


def running(life: Life, came: dict[str, TaskClaim], entity: str) -> bool:
    """Whether a run that an attempt came to may be under way at this moment."""
    if entity not in came:
        return False
    status = life.tasks.get(entity)
    return status is None or status.number <= came[entity].seen or status.state is TaskStage.RUNNING


def stuck(life: Life, entity: str) -> bool:
    """Whether a run waits for a person."""
    status = life.tasks.get(entity)
    return status is not None and status.state in {TaskStage.FAILED, TaskStage.UNKNOWN}


def under_way(life: Life, attempt: Attempt) -> list[str]:
    """The runs that an attempt came to and that may be under way at this moment."""
    return [entity for entity in attempt.tasks if running(life, attempt.tasks, entity)]


def waits(use: CheckUse, context: Context) -> bool:
    """Whether a check waits for a task of its phase, and so is not requested yet."""
    return bool(use.after) and any(other.name == use.after for other, _ in pending(context))


def evaluate(context: Context) -> Iterator[Reason]:
    """Tasks of the attempt's phase that are not through; ``failed`` ones end it."""
    life, attempt, now = context.life, context.attempt, context.now
    ahead, known = "", set()
    for use, entity in pending(context):
        yield _reason(use, entity, life.tasks.get(entity), attempt.tasks.get(entity), ahead, now)
        ahead = ahead or use.name
        known.add(entity)
    yield from (_still(life, entity, now) for entity in under_way(life, attempt) if entity not in known)


def abandoned(life: Life, now: Instant) -> Iterator[Reason]:
    """Runs of other attempts of this instance that are waited for before anything new starts."""
    others: Iterable[str] = life.abandoned_tasks
    if life.rollout:
        others = dict.fromkeys([*life.abandoned_tasks, *under_way(life, life.rollout.attempt)])
    yield from (_still(life, entity, now) for entity in others)


def _still(life: Life, entity: str, now: Instant) -> Reason:
    status = life.tasks.get(entity)
    run = parse_task(entity)
    which = f"{run.task} of release {run.release}"
    return Reason(
        Code.TASK_RUNNING,
        f"waits for the end of {which}, which is under way still",
        subject=entity,
        since=min(status.since, now) if status else 0,
        awaits=f"the end of {which}",
    )


def _reason(use: TaskUse, entity: str, status: TaskStatus | None, came: TaskClaim | None, ahead: str, now: Instant) -> Reason:
    informed = came is not None and status is not None and status.number > came.seen
    if status is None or not (informed or status.state in _STARTED):
        return _not_started(use, entity, came, ahead)
    name, tries = use.name, f"try {status.tries} of {status.most}"
    code, text, awaits, unblock = Code.TASK_PENDING, "", f"the end of {name}", f"skip {name}"
    match status.state:
        case TaskStage.RUNNING:
            code = Code.TASK_RUNNING
            before = f"; the one before: {status.reason}" if status.tries > 1 else ""
            text = f"{name} runs, {tries}, for at most {approximate_duration(use.task.timeout)}{before}"
            unblock = ""  # it is waited for although it is skipped
        case TaskStage.RETRYING:
            code = Code.TASK_RETRYING
            soon = approximate_duration(status.retry_at - now + 999)
            text, awaits = f"{name} failed at {tries}: {status.reason}; it is tried again in {soon}", "the next try"
        case TaskStage.UNKNOWN:
            code = Code.TASK_UNKNOWN
            text = f"the result of {tries} of {name} is unknown ({status.reason}), and it must not run twice"
            awaits, unblock = "a person", f"retry --succeeded if it did, or retry if not, or skip {name}"
        case TaskStage.FAILED:
            code = Code.TASK_FAILED
            text = f"{name} failed at {tries}: {status.reason}"
            awaits, unblock = "a person", f"retry, or skip {name}"
        case _:
            text, awaits = f"{name} goes on once everything else holds", "everything else in its phase"
    final = came is not None and not came.blind and status.state is TaskStage.FAILED and use.on_fail == "fail"
    return Reason(
        code,
        text,
        phase=use.phase,
        gate=name,
        subject=entity,
        since=min(status.since, now),
        awaits=awaits,
        unblock=unblock,
        failed=final,
        person=code in {Code.TASK_UNKNOWN, Code.TASK_FAILED},
    )


def _not_started(use: TaskUse, entity: str, came: TaskClaim | None, ahead: str) -> Reason:
    if came:
        code, text, awaits = Code.TASK_QUEUED, f"{use.name} is about to start", f"the start of {use.name}"
    elif ahead:
        code, text, awaits = Code.TASK_QUEUED, f"{use.name} runs after {ahead}", f"{ahead} succeeding"
    else:
        code, awaits = Code.TASK_PENDING, "everything else in its phase"
        text = f"{use.name} runs once everything else holds"
    return Reason(
        code,
        text,
        phase=use.phase,
        gate=use.name,
        subject=entity,
        since=came.at if came else 0,
        awaits=awaits,
        unblock=f"skip {use.name}",
    )
