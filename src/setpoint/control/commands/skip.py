"""Skip: one gate (or all) of one release at one instance shall not count."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import Forbidden, NotFound
from setpoint.control.gates import EVERY, skippable
from setpoint.control.instances import offer_named, short, state_of
from setpoint.control.people_allowed import listing, matches
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import instances, suggestion
from setpoint.core.facts import Skipped
from setpoint.model.people import Person
from setpoint.model.policy import Policy


class SkipRequest(Request):
    """Which gate, where, and why."""

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


@command(
    "skip",
    Permission.SKIP,
    SkipRequest,
    SkippedGate,
    "Let one gate of one release not count at an instance or in a channel.",
    subject=lambda request: f"{request.gate} at {request.target}",
)
async def skip(act: Act, request: SkipRequest) -> SkippedGate:
    """Check every instance first, then tell all of them."""
    configuration = act.control.configuration
    chosen: dict[str, int] = {}
    for instance in instances(configuration, request.target):
        policy = configuration.policy(instance)
        if request.gate != EVERY and request.gate not in skippable(policy):
            continue
        check_skip(act.person, policy, request.gate)
        chosen[instance] = offer_named(instance, await state_of(act, instance), request.release).release
    if not chosen:
        known = [
            name for instance in instances(configuration, request.target) for name in skippable(configuration.policy(instance))
        ]
        raise NotFound(f'{request.target} has no gate "{request.gate}".', suggestion(request.gate, known, "gate"))
    for instance, release in chosen.items():
        await skip_gate(act, instance, request.gate, release, request.why)
    return SkippedGate(gate=request.gate, instances=chosen)


def check_skip(person: Person, policy: Policy, gate: str) -> None:
    """Raises Forbidden for a gate that the configuration does not let this person skip."""
    overrides = skippable(policy)
    for name, override in overrides.items():
        if gate in {name, EVERY} and not matches(person, override):
            who = f"only {listing(override or ())} may" if override else "nobody may"
            raise Forbidden(
                f"{person.name} may not skip {name} at {short(policy.instance)}: {who}.", "The gate's `override` says so."
            )


async def skip_gate(act: Act, instance: str, gate: str, release: int, why: str) -> None:
    """Tell one instance, if it has the gate."""
    if gate == EVERY or gate in skippable(act.control.configuration.policy(instance)):
        await act.control.engine.post(
            f"instance:{instance}", Skipped(by=act.by(why), id=f"{act.request}:{gate}", release=release, gate=gate)
        )
