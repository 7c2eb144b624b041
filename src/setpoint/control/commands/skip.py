"""Skip: one gate (or all) of one release at one instance does not count."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Decided, Forbidden, NotFound
from setpoint.control.orders import OrderRequest, by_of, end_of, in_turn, post
from setpoint.control.permissions import Permission
from setpoint.control.reading.approvals import listing, matches
from setpoint.control.reading.decisions import decision, sentence
from setpoint.control.reading.states import releases_named, state_of
from setpoint.control.reading.targets import instances, suggestion
from setpoint.control.registry import Answer, command
from setpoint.control.views.gates import EVERY, skippable
from setpoint.core.facts import Skipped
from setpoint.core.instance.gates.context import halves
from setpoint.core.instance.selection import RELEASE
from setpoint.core.instance.state import offer_of
from setpoint.core.orders import restates
from setpoint.model.names import instance_entity, short_name
from setpoint.model.people import Person
from setpoint.model.policy import CheckUse, Phase, Policy, TaskUse
from setpoint.model.time import Instant


class SkipRequest(OrderRequest):
    """Which gate, where, why, and until when."""

    target: str
    gate: str
    """Its name, or ``*`` for all gates before deployment."""
    why: str = Field(min_length=1, max_length=2000)
    release: int = Field(0, ge=0)
    """0: the one under way."""


class SkippedGate(Answer):
    """What was skipped."""

    gate: str
    instances: dict[str, int]
    """Instance -> release."""
    decided: dict[str, str] = Field(default_factory=dict)
    """Instance -> what was decided there before: skipping would change nothing."""
    until: Instant = 0
    """When it ends; 0: with its release."""


@command(
    "skip",
    Permission.SKIP,
    SkipRequest,
    SkippedGate,
    "Let one gate of one release not count at an instance or in a channel.",
    subject=lambda request: f"{request.gate} at {request.target}",
)
@in_turn
async def skip(context: RequestContext, request: SkipRequest) -> SkippedGate:
    """Check every instance first, then post to all of them."""
    configuration = context.configuration
    chosen: dict[str, list[int]] = {}
    for instance in instances(configuration, request.target):
        policy = configuration.policy(instance)
        if request.gate != EVERY and request.gate not in skippable(policy):
            continue
        check_skip(context.person, policy, request.gate)
        chosen[instance] = releases_named(instance, await state_of(context, instance), request.release)
    if not chosen:
        known = [
            name for instance in instances(configuration, request.target) for name in skippable(configuration.policy(instance))
        ]
        raise NotFound(f'{request.target} has no gate "{request.gate}".', suggestion(request.gate, known, "gate"))
    until = end_of(context, request)
    orders = {
        (one, release): Skipped(
            by=by_of(context, request),
            id=_identity(context, request.gate, release),
            until=until,
            release=release,
            gate=request.gate,
        )
        for one, releases in chosen.items()
        for release in releases
    }
    decided = {key: text for key, order in orders.items() if (text := await _decided(context, key[0], order))}
    if len(decided) == len(orders):
        raise Decided(sentence(next(iter(decided.values()))), "There is nothing to change.")
    given = {key: order for key, order in orders.items() if key not in decided}
    for (one, _), order in given.items():
        await post(context, {instance_entity(one): order})
    return SkippedGate(
        gate=request.gate,
        instances=dict(given.keys()),
        decided={one: text for (one, _), text in decided.items() if one not in dict(given.keys())},
        until=until,
    )


def _identity(context: RequestContext, gate: str, release: int) -> str:
    return f"{context.request}:{gate}:{release}"


async def _decided(context: RequestContext, instance: str, order: Skipped) -> str:
    """Why skipping a gate would change nothing; empty: it does."""
    state = await state_of(context, instance)
    life, release = state.life, order.release
    if order.id in life.signals or not state.policy:
        return ""
    known = next((one for one in life.skips if one.release == release and one.gate == order.gate), None)
    if known and not restates(order, known.by, known.until):
        what = "all gates" if order.gate == EVERY else order.gate
        return f"{known.by.person} skipped {what} of release {release} at {short_name(instance)} already{known.by.because}"
    rollout = life.rollout
    offer = offer_of(life, rollout.attempt.pair) if rollout and not rollout.back else None
    ahead = offer is not None and release in {half.release for half in halves(life, offer)}
    if order.gate == RELEASE or (ahead and order.gate in _after_the_start(state.policy)):
        return ""
    return decision(instance, state, release)


def _after_the_start(policy: Policy) -> set[str]:
    """Gates that a rollout that is under way still comes to."""
    uses: tuple[CheckUse | TaskUse, ...] = (*policy.checks, *policy.tasks)
    return {use.name for use in uses if use.phase in {Phase.DEPLOYMENT, Phase.POST_DEPLOYMENT}}


def check_skip(person: Person, policy: Policy, gate: str) -> None:
    """Raises Forbidden for a gate that the configuration does not let this person skip."""
    overrides = skippable(policy)
    for name, override in overrides.items():
        if gate in {name, EVERY} and not matches(person, override):
            who = "no one may" if override == () else f"only {listing(override)} may"
            raise Forbidden(
                f"{person.name} may not skip {name} at {short_name(policy.instance)}: {who}.",
                "The gate's `override` lists who may.",
            )


async def skip_gate(context: RequestContext, instance: str, gate: str, release: int, why: str) -> None:
    """Post to one instance, if it has the gate."""
    if gate == EVERY or gate in skippable(context.configuration.policy(instance)):
        await context.engine.post(
            instance_entity(instance),
            Skipped(by=context.by(why), id=_identity(context, gate, release), release=release, gate=gate),
        )
