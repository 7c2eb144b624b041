"""The task-run actor: one task of one release for one key, run once for all attempts that need it.

Its id is ``task:application/name#key#release``. It does not know which attempts need it: a request carries the status that its
requester has seen, and one sent before a change does not count. Success is final.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.backoff import backoff
from setpoint.core.facts import AnyFact, TaskFinished, TaskLeft, TaskRetried, TaskStatus, TaskWanted
from setpoint.core.instructions import AnyInstruction, Decision, Event, Publish, Record, RunTask
from setpoint.model.names import format_operation, parse_task
from setpoint.model.people import By
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult, TaskStage
from setpoint.model.time import SECOND, Duration, Instant, approximate_duration

FIRST_RETRY: Duration = 5 * SECOND
_OPEN_TO_PEOPLE = frozenset({TaskStage.FAILED, TaskStage.UNKNOWN, TaskStage.RETRYING})


class TaskState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What it remembers."""

    definition: TaskDefinition | None = None
    """As in the request that started the last try."""
    number: int = 0
    """Of the last status published."""
    stage: TaskStage = TaskStage.WAITING
    tries: int = 0
    most: int = 0
    reason: str = ""
    since: Instant = 0
    retry_at: Instant = 0
    irreversible: bool = False
    signals: tuple[str, ...] = ()
    """Identities of recent acts: one delivered again is dropped."""


def decide(entity: str, state: TaskState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Start when it is requested, retry with back-off, and publish its status."""
    out: list[AnyInstruction] = []
    after = state or TaskState()
    for fact in facts:
        match fact:
            case TaskWanted():
                after = _wanted(entity, after, fact, now, out)
            case TaskLeft(seen=seen) if after.stage is TaskStage.RETRYING and seen == after.number:
                after = _publish(entity, replace(after, stage=TaskStage.WAITING), out)
            case TaskFinished():
                after = _finished(entity, after, fact, now, out)
            case TaskRetried():
                after = _retried(entity, after, fact, now, out)
    if after.stage is TaskStage.RETRYING and now >= after.retry_at:
        after = _start(entity, after, now, out)
    return Decision(after, tuple(out), after.retry_at if after.stage is TaskStage.RETRYING else None)


def operation(entity: str, number: int) -> str:
    """Id of one try. The program is given the entity: the same at every try."""
    return format_operation(entity, "try", number)


def _wanted(entity: str, state: TaskState, fact: TaskWanted, now: Instant, out: list[AnyInstruction]) -> TaskState:
    if fact.seen != state.number:
        return state
    if state.stage in {TaskStage.FAILED, TaskStage.UNKNOWN}:
        return _publish(entity, state, out)
    if state.stage is not TaskStage.WAITING:
        return state
    most = state.most if state.most > state.tries else state.tries + 1 + fact.retries
    state = replace(state, definition=fact.definition, most=most)
    if now < state.retry_at:
        return _publish(entity, replace(state, stage=TaskStage.RETRYING), out)
    return _start(entity, state, now, out)


def _start(entity: str, state: TaskState, now: Instant, out: list[AnyInstruction]) -> TaskState:
    definition = _definition(state)
    state = replace(
        state,
        stage=TaskStage.RUNNING,
        tries=state.tries + 1,
        since=now,
        retry_at=0,
        irreversible=state.irreversible or definition.irreversible,
    )
    out.append(RunTask(operation(entity, state.tries), definition))
    out.append(_line(entity, state, "task-started", f"starts, try {state.tries} of {state.most}"))
    return _publish(entity, state, out)


def _finished(entity: str, state: TaskState, fact: TaskFinished, now: Instant, out: list[AnyInstruction]) -> TaskState:
    if state.stage is not TaskStage.RUNNING or fact.operation != operation(entity, state.tries):
        return state
    result = fact.result
    if result.end is TaskEnd.SUCCEEDED:
        return _succeeded(entity, replace(state, reason=result.reason, since=now), out)
    return _tried(entity, replace(state, reason=result.reason, since=now), result, out)


def _succeeded(entity: str, state: TaskState, out: list[AnyInstruction]) -> TaskState:
    because = f": {state.reason}" if state.reason else ""
    out.append(_line(entity, state, "task-succeeded", f"succeeded{because}", outcome="succeeded"))
    return _publish(entity, replace(state, stage=TaskStage.SUCCEEDED, retry_at=0), out)


def _tried(entity: str, state: TaskState, result: TaskResult, out: list[AnyInstruction]) -> TaskState:
    """A try did not succeed. What was not seen to end may have succeeded, and is only run again where that does no harm."""
    unseen = result.end is TaskEnd.UNKNOWN
    text = f"try {state.tries} of {state.most} {'ended unseen' if unseen else 'failed'}: {state.reason}"
    if unseen and _definition(state).once:
        state = replace(state, stage=TaskStage.UNKNOWN)
        text = f"{text}; a person must report whether it succeeded"
    elif state.tries >= state.most:
        state = replace(state, stage=TaskStage.FAILED)
        text = f"{text}; no try is left"
    else:
        pause = backoff(state.tries, entity, FIRST_RETRY)
        state = replace(state, stage=TaskStage.RETRYING, retry_at=state.since + pause)
        text = f"{text}; the next one follows in {approximate_duration(pause)}"
    out.append(_line(entity, state, "task-failed", text, outcome=result.end))
    return _publish(entity, state, out)


def _retried(entity: str, state: TaskState, fact: TaskRetried, now: Instant, out: list[AnyInstruction]) -> TaskState:
    signals = orders.remember(state.signals, fact.id)
    if signals is None:
        return state
    state = replace(state, signals=signals)
    if state.stage not in _OPEN_TO_PEOPLE:
        return state
    does = "reported successful" if fact.succeeded else "retried"
    out.append(_line(entity, state, "signal", f"{does} by {fact.by.person}{fact.by.because}", by=fact.by))
    if fact.succeeded:
        return _succeeded(entity, replace(state, reason=f"reported by {fact.by.person}", since=now), out)
    if state.stage is TaskStage.RETRYING:
        return replace(state, retry_at=now)
    return _publish(entity, replace(state, stage=TaskStage.WAITING, most=state.tries), out)


def _publish(entity: str, state: TaskState, out: list[AnyInstruction]) -> TaskState:
    state = replace(state, number=state.number + 1)
    status = TaskStatus(
        task=entity,
        number=state.number,
        state=state.stage,
        tries=state.tries,
        most=state.most,
        reason=state.reason,
        since=state.since,
        retry_at=state.retry_at,
        irreversible=state.irreversible,
    )
    out.append(Publish(status))
    return state


def _definition(state: TaskState) -> TaskDefinition:
    assert state.definition is not None  # noqa: S101 - it came with the first one who wanted it
    return state.definition


def _line(entity: str, state: TaskState, kind: str, text: str, *, outcome: str = "", by: By | None = None) -> Record:
    version = str(_definition(state).facts.get("version", ""))
    run = parse_task(entity)
    return Record(Event(kind, f"{run.task} {text}", release=run.release, version=version, outcome=outcome, by=by))
