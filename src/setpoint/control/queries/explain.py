"""Explain: every reason why an instance is not where it should be, what would unblock it, and when the engine looks again."""

from __future__ import annotations

import asyncio
import contextlib

from msgspec.structs import replace
from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.reading.approvals import sharing, with_token
from setpoint.control.reading.limits import as_of_now
from setpoint.control.reading.states import open_attempt, state_of
from setpoint.control.reading.targets import instance as find_instance
from setpoint.control.registry import Answer, Request, query
from setpoint.control.views.failed_output import FailedOutput, failed_output
from setpoint.control.views.gates import GateView, views
from setpoint.control.views.overview import InstanceView, approval_of, view
from setpoint.control.views.reasons import ReasonView, reason_view
from setpoint.control.views.shown import by_wall
from setpoint.control.views.standing import StopView, stop_view, stops
from setpoint.core.instance.explain import desired
from setpoint.core.instance.explain import explain as explain_reasons
from setpoint.core.instance.gates.approval import author_of
from setpoint.core.instance.gates.approval import release_of as topic_release
from setpoint.core.instance.gates.context import only_configures
from setpoint.core.instance.selection import release_of
from setpoint.core.instance.state import InstanceState, Veto, Vetoed, offer_of
from setpoint.engine.errors import EngineError
from setpoint.model.names import instance_entity, is_kind
from setpoint.model.reasons import Reason
from setpoint.model.time import Instant
from setpoint.plugins.errors import AdapterError

_PATIENCE = 3.0
"""Seconds that the runtime may take to answer while a person waits."""


class ExplainRequest(Request):
    """Of one instance."""

    target: str
    runtime: bool = Field(default=True)
    """Look at what runs, and read its links and resource use."""


class AttemptView(Answer):
    """An attempt under way."""

    number: int
    release: int
    version: str
    configuration: int
    """The configuration release that it comes with; 0: in the version release's own configuration."""
    kind: str
    phase: str
    began: Instant
    entered: Instant
    """When it came into this phase."""
    keeps_version: bool
    """Only the configuration changes."""
    going_back: bool
    author: str
    """Of the version release; of the configuration release where the version stays."""
    why: str
    configured_by: str
    """Author of the configuration release; empty: it comes with none."""


class VetoView(Answer):
    """What is not retried here."""

    release: int
    version: str
    configuration: int
    """The configuration release that failed with this version, which was good; 0: the version itself failed."""
    reason: str
    at: Instant


class UsageView(Answer):
    """What one replica uses."""

    replica: str
    cpu: float
    """Percent of one processor."""
    memory: int
    """Bytes."""


class Explanation(Answer):
    """The whole story of one instance."""

    now: Instant
    instance: InstanceView
    reasons: list[ReasonView]
    stops: list[StopView]
    """What would hold a release that came now and is not among the reasons, for nothing waits for it."""
    candidate: AttemptView | None
    rollout: AttemptView | None
    gates: list[GateView]
    vetoes: list[VetoView]
    outputs: dict[str, str]
    """Gate -> end of the output of its last run."""
    failed_output: FailedOutput | None
    """What the version that failed last wrote; with ``runtime`` only."""
    links: dict[str, str]
    usage: list[UsageView]
    origins: dict[str, str]
    """Path of a value -> file and line that it came from."""


@query(
    "explain", Permission.VIEW, ExplainRequest, Explanation, "Every reason of one instance, with its gates, attempts and vetoes."
)
async def explain(context: RequestContext, request: ExplainRequest) -> Explanation:
    """Pure, but for a look at the runtime: what changed since the last one is a reason now, not only after the next (§5)."""
    configuration = context.configuration
    instance = find_instance(configuration, request.target)
    if request.runtime:
        await _look(context, instance)
    state = await as_of_now(context, instance, await state_of(context, instance))
    gates = _gates(state, context.steady)
    links, usage = await _runtime(context, instance) if request.runtime else ({}, [])
    found = Explanation(
        now=context.now,
        instance=view(
            instance, state, context.steady, viewer=context.person, problem=context.engine.problem(instance_entity(instance))
        ),
        reasons=[await _reason(context, instance, state, reason) for reason in explain_reasons(state, context.steady)],
        stops=_stops(instance, state, context),
        candidate=_attempt(state, rollout=False),
        rollout=_attempt(state, rollout=True),
        gates=gates,
        vetoes=[_veto(veto) for veto in reversed(state.life.vetoes)],
        outputs=_outputs(context, gates),
        failed_output=await failed_output(context, instance, request.target, state) if request.runtime else None,
        links=links,
        usage=usage,
        origins=configuration.origins(instance),
    )
    return by_wall(found, context)


async def _look(context: RequestContext, instance: str) -> None:
    """Let the engine look at what runs, and take up what it finds. A runtime that does not return in time is left to it."""
    entity = instance_entity(instance)
    with contextlib.suppress(TimeoutError, EngineError):
        async with asyncio.timeout(_PATIENCE):
            look = await context.engine.look_now(entity)
            if look:
                await context.engine.until(
                    entity, lambda state: state.life.current is not None and state.life.current.look >= look
                )


async def _reason(context: RequestContext, instance: str, state: InstanceState, reason: Reason) -> ReasonView:
    """With whom else an approval is for, and who may give it."""
    found = reason_view(_about(reason, instance), instance)
    use = approval_of(state, reason)
    attempt = open_attempt(state)
    offer = offer_of(state.life, attempt.pair) if attempt else None
    if use is None or offer is None or reason.failed:
        return found
    others = [one for one in await sharing(context, reason.subject, use, topic_release(reason.subject)) if one != instance]
    author = author_of(state.life, offer, reason.subject)
    names = with_token(context, [use.approvers], without=() if use.allow_author else {author})
    release = topic_release(reason.subject)
    return found.model_copy(update={"counts_for": others, "approvers": names, "release": release})


def _stops(instance: str, state: InstanceState, context: RequestContext) -> list[StopView]:
    explained = {(reason.code, reason.text) for reason in explain_reasons(state, context.steady)}
    return [stop_view([instance], one) for one in stops(state, context.steady) if (one.code, one.text) not in explained]


def _about(reason: Reason, instance: str) -> Reason:
    """Return the reason; without a subject it is about the instance itself."""
    return reason if reason.subject else replace(reason, subject=instance_entity(instance))


def _gates(state: InstanceState, now: Instant) -> list[GateView]:
    attempt = open_attempt(state)
    offer = offer_of(state.life, attempt.pair) if attempt else desired(state, now)
    return views(state, attempt, offer, now) if attempt and offer else []


def _attempt(state: InstanceState, *, rollout: bool) -> AttemptView | None:
    under_way = state.life.rollout
    attempt = (under_way.attempt if under_way else None) if rollout else state.life.candidate
    offer = offer_of(state.life, attempt.pair) if attempt else None
    if attempt is None or offer is None:
        return None
    configuration, keeps = offer.configuration, only_configures(state.life, offer)
    cause = configuration if configuration and keeps else offer
    return AttemptView(
        number=attempt.number,
        release=attempt.release,
        version=offer.version.name,
        configuration=configuration.release if configuration else 0,
        kind=str(attempt.kind),
        phase=str(attempt.phase),
        began=attempt.began,
        entered=attempt.entered,
        keeps_version=keeps,
        going_back=bool(rollout and under_way and under_way.back),
        author=cause.author,
        why=cause.reason,
        configured_by=configuration.author if configuration else "",
    )


def _veto(veto: Veto) -> VetoView:
    number = release_of(veto)
    configuration = number if veto.scope is Vetoed.CONFIGURATION or number != veto.release else 0
    return VetoView(release=veto.release, version=veto.version.name, configuration=configuration, reason=veto.reason, at=veto.at)


def _outputs(context: RequestContext, gates: list[GateView]) -> dict[str, str]:
    effects = context.services.effects
    checks = {gate.name: effects.last_result(gate.subject) for gate in gates if is_kind(gate.subject, "attachment")}
    tasks = {gate.name: effects.last_try(gate.subject) for gate in gates if is_kind(gate.subject, "task")}
    return {name: result.output for name, result in {**checks, **tasks}.items() if result and result.output}


async def _runtime(context: RequestContext, instance: str) -> tuple[dict[str, str], list[UsageView]]:
    try:
        async with asyncio.timeout(_PATIENCE):
            runtime = context.services.effects.runtime(context.configuration.labels(instance)["runtime"])
            links = (await runtime.observe(instance, None)).links
            measure = getattr(runtime, "usage", None)
            usage = await measure(instance) if measure else ()
    except (AdapterError, TimeoutError):
        return {}, []
    return links, [UsageView(replica=one.replica, cpu=one.cpu, memory=one.memory) for one in usage]
