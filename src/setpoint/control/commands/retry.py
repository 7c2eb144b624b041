"""Retry: lift the veto of a release that failed, was rejected or rolled back; let a task that waits for a person go on."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Decided, Refused
from setpoint.control.orders import in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.decisions import decision, sentence
from setpoint.control.reading.states import open_attempt, state_of
from setpoint.control.reading.targets import instances
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import Retried
from setpoint.core.instance.gates.task import stuck
from setpoint.core.instance.selection import vetoed_releases
from setpoint.core.instance.state import InstanceState, Life, offer_of
from setpoint.model.names import instance_entity, parse_task, short_name


class RetryRequest(Request):
    """Which release, where, and why."""

    target: str
    """An instance, a channel or a group."""
    release: int = Field(0, ge=0)
    """0: the newest one that is vetoed or failed there."""
    succeeded: bool = False
    """Its failed tasks, and those whose end is unknown, did succeed: they do not run again."""
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
@in_turn
async def retry(context: RequestContext, request: RetryRequest) -> RetriedAnswer:
    """Refused where nothing is vetoed."""
    chosen: dict[str, int] = {}
    for instance in instances(context.configuration, request.target):
        known = (
            _tasks_failed(await state_of(context, instance)) if request.succeeded else _failed(await state_of(context, instance))
        )
        number = request.release or max(known, default=0)
        if number in known:
            chosen[instance] = number
    if not chosen:
        if request.succeeded:
            raise Refused(f"No task waits for a person at {request.target}.", "See `setpoint explain`.")
        await _check_age(context, request)
        await _check_decided(context, request)
        what = f"Release {request.release} has" if request.release else "Nothing has"
        raise Refused(
            f"{what} not failed at {request.target}." if request.release else f"{what} failed at {request.target}.",
            "See `setpoint explain`.",
        )
    by = context.by(request.why)
    await post(
        context,
        {
            instance_entity(instance): Retried(by=by, id=context.request, release=number, succeeded=request.succeeded)
            for instance, number in chosen.items()
        },
    )
    return RetriedAnswer(instances=chosen)


def _failed(state: InstanceState) -> set[int]:
    """Releases that a retry would mean something to."""
    failure = {state.life.failure.release} if state.life.failure else set()
    vetoed = {number for number in vetoed_releases(state.life) if not _is_older(state.life, number)}
    return vetoed | failure | _tasks_failed(state)


def _is_older(life: Life, number: int) -> bool:
    """Whether a version release is older than what is good (§10.11): nothing goes back by a retry."""
    return number < life.good.release and all(one.configuration.release != number for one in life.configurations)


async def _check_age(context: RequestContext, request: RetryRequest) -> None:
    """Raises Refused where the release failed, and something newer is good by now."""
    for instance in instances(context.configuration, request.target):
        life = (await state_of(context, instance)).life
        good = offer_of(life, life.good)
        if good and request.release in vetoed_releases(life) and _is_older(life, request.release):
            text = f"Release {request.release} is older than release {good.release} ({good.version.name})"
            remedy = "Release that version again, or pin it with `setpoint pin`."
            raise Refused(f"{text}, which is good at {short_name(instance)}.", remedy)


def _tasks_failed(state: InstanceState) -> set[int]:
    """Releases with a task that waits for a person."""
    return {parse_task(entity).release for entity in state.life.tasks if stuck(state.life, entity)}


async def _check_decided(context: RequestContext, request: RetryRequest) -> None:
    """Raises Decided with what became of the release where nothing of it waits for a retry."""
    for instance in instances(context.configuration, request.target):
        state = await state_of(context, instance)
        attempt = open_attempt(state)
        release = request.release or (attempt.release if attempt else state.life.target.release)
        under_way = attempt is not None and attempt.release == release
        text = f"release {release} is under way at {short_name(instance)}" if under_way else decision(instance, state, release)
        if release and text:
            raise Decided(sentence(text), f"There is nothing to retry; see `setpoint explain {short_name(instance)}`.")
