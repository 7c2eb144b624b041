"""Invariants: what must always be so, and whether it is."""

from __future__ import annotations

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, query
from setpoint.control.views.shown import by_wall
from setpoint.core.invariants.actor import InvariantState
from setpoint.model.invariants import Invariant
from setpoint.model.names import invariant_entity
from setpoint.model.time import Instant


class InvariantsRequest(Request):
    """All of them."""


class ViolationView(Answer):
    """One instance, or all of them together, that is not as it must be."""

    instance: str
    """Empty: all of them together."""
    what: str
    text: str
    since: Instant
    release: int


class InvariantView(Answer):
    """One Invariant document."""

    name: str
    select: str
    instances: int
    """So many it speaks of."""
    stops: bool
    """A violation stops the line."""
    holds: bool
    violations: list[ViolationView]


class InvariantList(Answer):
    """In the order of the configuration."""

    invariants: list[InvariantView]


@query("invariants", Permission.VIEW, InvariantsRequest, InvariantList, "What must always be so, and what is not.")
async def invariants(context: RequestContext, _request: InvariantsRequest) -> InvariantList:
    """Of the configuration in force."""
    found = context.configuration.invariants
    return InvariantList(invariants=[await _view(context, invariant) for invariant in found.values()])


async def _view(context: RequestContext, invariant: Invariant) -> InvariantView:
    state = await context.engine.read(invariant_entity(invariant.name))
    violations = state.violations if isinstance(state, InvariantState) else ()
    found = InvariantView(
        name=invariant.name,
        select=invariant.select,
        instances=len(invariant.members),
        stops=invariant.stop,
        holds=not violations,
        violations=[
            ViolationView(instance=one.instance, what=one.what, text=one.text, since=one.since, release=one.release)
            for one in violations
        ],
    )
    return by_wall(found, context)
