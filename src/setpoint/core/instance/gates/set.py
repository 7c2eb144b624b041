"""The set that an instance moves with: its members start together, and none is finalized before all have passed."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.facts import SetStage, SetStatus
from setpoint.core.instance.gates.context import Context, set_of, still_ahead
from setpoint.core.instance.state import Attempt, Kind, Life, Rollout
from setpoint.model.names import channel_of, instance_entity, service_of, short_name
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer


def concerns(life: Life, offer: Offer, attempt: Attempt) -> bool:
    """Whether an attempt moves with a set: what a person pins moves alone, and so does what is retried once the set ended."""
    entity = set_of(life, offer)
    if not entity or attempt.kind is not Kind.FORWARD:
        return False
    status = life.sets.get(entity)
    return status is None or status.stage is not SetStage.ENDED


def went(context: Context) -> bool:
    """Whether the set of an attempt has started, and this member with it."""
    policy, life, offer, attempt, _ = context
    if not concerns(life, offer, attempt):
        return False
    status = life.sets.get(set_of(life, offer))
    return status is not None and status.stage in {SetStage.GOING, SetStage.FINALIZING} and policy.instance in status.went


def start(context: Context) -> Iterator[Reason]:
    """What keeps the set from preparing: members that are not ready, what admission has not granted."""
    policy, life, offer, attempt, now = context
    if not concerns(life, offer, attempt):
        return
    entity = set_of(life, offer)
    status = life.sets.get(entity)
    if status is None:
        yield _wait("moves with its set, which has not reported yet", entity, Phase.PRE_DEPLOYMENT)
    elif status.stage is SetStage.GOING_BACK:
        yield _wait(f"its set goes back first: {status.reason}", entity, Phase.PRE_DEPLOYMENT)
    elif status.stage is SetStage.GATHERING:
        yield from (replace(still_ahead(reason, life, now), phase=Phase.PRE_DEPLOYMENT) for reason in status.queued)
        yield from _members(policy, status, Phase.PRE_DEPLOYMENT, "moves together with")
    elif status.stage is not SetStage.PREPARING and policy.instance not in status.went:
        yield from _members(policy, status, Phase.PRE_DEPLOYMENT, "its set went without it, and it starts after")


def go(context: Context) -> Iterator[Reason]:
    """What keeps a prepared set from starting: members that are not locked, or that start before this one."""
    policy, life, offer, attempt, _ = context
    if not concerns(life, offer, attempt):
        return
    entity = set_of(life, offer)
    status = life.sets.get(entity)
    if status is None or status.stage in {SetStage.GATHERING, SetStage.GOING_BACK}:
        return
    if status.stage is SetStage.PREPARING:
        yield from _members(policy, status, Phase.PRE_DEPLOYMENT, "starts together with")
    elif policy.instance not in status.start:
        yield from _members(policy, status, Phase.PRE_DEPLOYMENT, "starts after others of its set:")


def end(context: Context) -> Iterator[Reason]:
    """What keeps a member that has passed from being finalized: members that have not."""
    policy, life, offer, attempt, _ = context
    if not concerns(life, offer, attempt):
        return
    entity = set_of(life, offer)
    status = life.sets.get(entity)
    if status is None:
        yield _wait("has passed; its set has not reported yet", entity, Phase.POST_DEPLOYMENT)
    elif status.stage is not SetStage.FINALIZING:
        yield from _members(policy, status, Phase.POST_DEPLOYMENT, "has passed, and is finalized together with")


def doubt(life: Life, offer: Offer, rollout: Rollout) -> Iterator[Reason]:
    """It failed after it had reported that it passed: only its set knows whether that came too late."""
    if rollout.doubt:
        yield _wait(f"failed after it had passed, its set decides: {rollout.doubt}", set_of(life, offer), Phase.POST_DEPLOYMENT)


def _members(policy: Policy, status: SetStatus, phase: Phase, how: str) -> Iterator[Reason]:
    others = {member: why for member, why in status.waiting.items() if member != policy.instance}
    for member, why in others.items():
        text = f"{how} {_name(policy, member)}: {why or 'no report yet'}"
        yield _wait(text, instance_entity(member), phase)
    if not others and not status.queued:
        yield _wait(f"{how} its set, which is about to go on", status.set, phase)


def _name(policy: Policy, member: str) -> str:
    here = channel_of(member) == channel_of(policy.instance)
    return service_of(member) if here else short_name(member)


def _wait(text: str, subject: str, phase: Phase) -> Reason:
    return Reason(Code.SET_NOT_READY, text, phase=phase, subject=subject, awaits="the other members of its set")
