"""What instances that are no longer configured have left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from setpoint.control.act import Act
from setpoint.control.registry import Answer
from setpoint.control.shown import by_wall
from setpoint.core.instance.explain import explain
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.model.time import Instant

if TYPE_CHECKING:
    from setpoint.control.control import Control


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


async def leftovers(act: Act) -> list[Leftover]:
    """In order of names."""
    found = [_leftover(entity, state, act.steady) async for entity, state in instances_of(act.control) if state.removed]
    return [by_wall(one, act) for one in found if one]


def _leftover(entity: str, state: InstanceState, now: Instant) -> Leftover | None:
    life = state.life
    offer = offer_of(life, life.target)
    if offer is None:
        return None
    reasons = explain(state, now)
    return Leftover(
        instance=entity.partition(":")[2],
        version=offer.version.name,
        release=offer.release,
        seen=life.current.at if life.current else 0,
        going=life.down is not None,
        text=reasons[0].text if reasons else "",
    )


async def instances_of(control: Control) -> AsyncIterator[tuple[str, InstanceState]]:
    """Every instance that ever was."""
    async for entity, state in everybody(control, "instance"):
        yield entity, state


async def everybody(control: Control, kind: str) -> AsyncIterator[tuple[str, Any]]:
    """Every entity of a kind that ever was, with its state."""
    after = ""
    while page := await control.engine.scan(kind, after=after):
        for entity, state in page:
            yield entity, state
        after = page[-1][0]
