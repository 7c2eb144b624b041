"""What instances that are no longer configured have left behind."""

from __future__ import annotations

from setpoint.control.context import RequestContext
from setpoint.control.reading.states import instances_of
from setpoint.control.registry import Answer
from setpoint.control.views.shown import by_wall
from setpoint.core.instance.explain import explain
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.model.names import key_of
from setpoint.model.time import Instant


class Leftover(Answer):
    """One instance that runs on, or is on its way out."""

    instance: str
    version: str
    release: int
    seen: Instant
    """When it was looked at last; 0: never."""
    going: bool
    """It is being taken down."""
    text: str
    """The sentence that explains it."""


async def leftovers(context: RequestContext) -> list[Leftover]:
    """In order of names."""
    found = [_leftover(entity, state, context.steady) async for entity, state in instances_of(context.services) if state.removed]
    return [by_wall(one, context) for one in found if one]


def _leftover(entity: str, state: InstanceState, now: Instant) -> Leftover | None:
    life = state.life
    offer = offer_of(life, life.target)
    if offer is None:
        return None
    reasons = explain(state, now)
    return Leftover(
        instance=key_of(entity),
        version=offer.version.name,
        release=offer.release,
        seen=life.current.at if life.current else 0,
        going=life.down is not None,
        text=reasons[0].text if reasons else "",
    )
