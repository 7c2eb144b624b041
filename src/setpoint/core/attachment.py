"""The attachment actor: one protection with one set of arguments on one subject, run once for all gates that wait for it.

It polls while a gate waits. Its last finished result stays while a new run is in progress. The host knows the subscribers: a run
without any comes back as ``CheckUnwanted``, and polling stops until the next request.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from setpoint.core.facts import AnyFact, CheckFinished, CheckStatus, CheckUnwanted, RunAssigned, RunRequested, Woken
from setpoint.core.instructions import AnyInstruction, Decision, Publish, RunCheck, Send
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.names import format_operation
from setpoint.model.time import Instant


class AttachmentState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``definition`` never changes: another one is another attachment."""

    definition: CheckDefinition
    run: int = 0
    """The last run started."""
    running: bool = False
    started: Instant = 0
    requested: bool = False
    """A run was requested since the last one started."""
    due: bool = False
    """The last run started was requested: its result is published, changed or not."""
    last: CheckStatus | None = None
    polling: bool = False


def decide(entity: str, state: AttachmentState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:
    """Assign requests to runs, run the check, publish what changed."""
    out: list[AnyInstruction] = []
    for fact in facts:
        if isinstance(fact, RunRequested):
            state = _request_run(entity, state, fact, out)
        elif state is not None and isinstance(fact, CheckFinished):
            state = _finished(entity, state, fact, now, out)
        elif state is not None and isinstance(fact, CheckUnwanted):
            state = _unwanted(entity, state, fact)
    if state is None:
        return Decision(AttachmentState(_NEVER))
    if not state.running and (state.requested or (state.polling and now >= _next_poll(state))):
        state = _start(entity, state, now, out)
    wake = _next_poll(state) if state.polling and not state.running else None
    return Decision(state, tuple(out), wake)


_NEVER = CheckDefinition("", "always", "", {"result": "misconfigured", "reason": "this check was not requested"})


def _operation(entity: str, run: int) -> str:
    return format_operation(entity, "check", run)


def _next_poll(state: AttachmentState) -> Instant:
    return state.started + state.definition.interval


def _request_run(entity: str, state: AttachmentState | None, fact: RunRequested, out: list[AnyInstruction]) -> AttachmentState:
    if state is None or not state.definition.protection:
        state = AttachmentState(fact.definition)
    failures_total = (state.last.failures_total if state.last else 0) + state.running
    out.append(
        Send(
            fact.requester,
            RunAssigned(attachment=entity, request_id=fact.request_id, run=state.run + 1, failures_total=failures_total),
        )
    )
    return replace(state, requested=True, polling=True)


def _start(entity: str, state: AttachmentState, now: Instant, out: list[AnyInstruction]) -> AttachmentState:
    run = state.run + 1
    out.append(RunCheck(_operation(entity, run), state.definition))
    return replace(state, run=run, running=True, started=now, requested=False, due=state.requested)


def _unwanted(entity: str, state: AttachmentState, fact: CheckUnwanted) -> AttachmentState:
    if not state.running or fact.operation != _operation(entity, state.run):
        return state
    return replace(state, running=False, polling=state.requested)


def _finished(
    entity: str, state: AttachmentState, fact: CheckFinished, now: Instant, out: list[AnyInstruction]
) -> AttachmentState:
    if not state.running or fact.operation != _operation(entity, state.run):
        return state
    status = _status(entity, state, fact, now)
    last = state.last
    changed = last is None or _published(last) != _published(status)
    if changed or state.due:
        out.append(Publish(status))
    return replace(state, running=False, last=status)


def _published(status: CheckStatus) -> tuple[Outcome, str, int]:
    """What is published again when it changes."""
    return status.outcome, status.reason, status.failures_total


def _status(entity: str, state: AttachmentState, fact: CheckFinished, now: Instant) -> CheckStatus:
    last, outcome = state.last, fact.result.outcome
    decisive = outcome in {Outcome.PASSING, Outcome.BLOCKING}
    unbroken = last is not None and now - last.ended <= state.definition.max_age
    covered = last.covered if last and unbroken else 0
    answered = last.answered if last and unbroken else 0
    return CheckStatus(
        attachment=entity,
        run=state.run,
        outcome=outcome,
        reason=fact.result.reason,
        ended=now,
        covered=(covered or now) if outcome is Outcome.PASSING else 0,
        answered=(answered or now) if decisive else 0,
        failures_total=(last.failures_total if last else 0) + (outcome is Outcome.BLOCKING),
        code=fact.result.code,
    )


__all__ = ["AttachmentState", "Woken", "decide"]
