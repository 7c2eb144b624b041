"""Retry: lift the veto of a release that failed, was rejected or rolled back; let a task that waits for a person go on."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import Refused
from setpoint.control.instances import state_of
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import instances
from setpoint.core.facts import Retried
from setpoint.core.instance.state import InstanceState
from setpoint.core.instance.tasks import stuck
from setpoint.core.task import release_of


class RetryRequest(Request):
    """Which release, where, and why."""

    target: str
    """An instance, a channel or a group."""
    release: int = Field(0, ge=0)
    """0: the newest one that is vetoed or failed there."""
    succeeded: bool = False
    """What failed of its tasks, or whose end nobody saw, did succeed: it is not run again."""
    why: str = Field("", max_length=2000)


class RetriedAnswer(Answer):
    """What is tried again."""

    instances: dict[str, int]
    """Instance -> release."""


@command(
    "retry",
    Permission.RETRY,
    RetryRequest,
    RetriedAnswer,
    "Try a release again that failed, was rejected or was rolled back, or a task that failed.",
    subject=lambda request: request.target + (f", release {request.release}" if request.release else ""),
)
async def retry(act: Act, request: RetryRequest) -> RetriedAnswer:
    """Refused where nothing is vetoed."""
    chosen: dict[str, int] = {}
    for instance in instances(act.control.configuration, request.target):
        known = _tasks_failed(await state_of(act, instance)) if request.succeeded else _failed(await state_of(act, instance))
        number = request.release or max(known, default=0)
        if number in known:
            chosen[instance] = number
    if not chosen:
        if request.succeeded:
            raise Refused(f"No task waits for a person at {request.target}.", "See `setpoint explain`.")
        what = f"Release {request.release} has" if request.release else "Nothing has"
        raise Refused(
            f"{what} not failed at {request.target}." if request.release else f"{what} failed at {request.target}.",
            "See `setpoint explain`.",
        )
    for instance, number in chosen.items():
        signal = Retried(by=act.by(request.why), id=act.request, release=number, succeeded=request.succeeded)
        await act.control.engine.post(f"instance:{instance}", signal)
    return RetriedAnswer(instances=chosen)


def _failed(state: InstanceState) -> set[int]:
    """Releases that a retry would mean something to."""
    failure = {state.life.failure.release} if state.life.failure else set()
    return {veto.release for veto in state.life.vetoes} | failure | _tasks_failed(state)


def _tasks_failed(state: InstanceState) -> set[int]:
    """Releases with a task that waits for a person."""
    return {release_of(entity) for entity in state.life.tasks if stuck(state.life, entity)}
