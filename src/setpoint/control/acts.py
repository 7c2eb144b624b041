"""Acts of people, one after the other (§10.10): each is judged by what the one before it led to."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from setpoint.control.act import DRY_RUN, Act
from setpoint.control.errors import Unavailable
from setpoint.core.facts import Signal, Voted
from setpoint.core.instance.state import InstanceState
from setpoint.core.topic import TopicState

_PATIENCE, _TICK = 30.0, 0.003
"""Seconds that a turn may take, and between two looks."""
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def in_turn(handler: Handler) -> Handler:
    """A command that begins when the one before it was taken up: the second of two who decide the same is told so."""

    @functools.wraps(handler)
    async def run(act: Act, request: Any) -> Any:
        async with act.control.acting:
            return await handler(act, request)

    return run  # type: ignore[return-value]  # the same signature


async def post(act: Act, facts: Mapping[str, Signal | Voted]) -> None:
    """Deliver acts and wait until each was taken up. An entity whose turns fail takes its act up when they succeed again.

    Raises:
        Unavailable: it takes too long; the acts are stored.
    """
    await asyncio.gather(*(act.control.engine.post(entity, fact) for entity, fact in facts.items()))  # type: ignore[arg-type]
    for entity, fact in facts.items():
        await until(act, entity, _taken(fact.id))


async def until(act: Act, entity: str, holds: Callable[[Any], bool]) -> Any:
    """Wait until the state of an entity is so; return it. Raises Unavailable."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        state = await act.control.engine.read(entity)
        if holds(state) or act.request == DRY_RUN or act.control.engine.problem(entity):
            return state
        if time.monotonic() > deadline:
            raise Unavailable(f"It is stored, but {entity} has not taken it up yet.", "See `setpoint doctor`.")
        await asyncio.sleep(_TICK)


def _taken(identity: str) -> Callable[[Any], bool]:
    return lambda state: identity in known(state)


def known(state: Any) -> tuple[str, ...]:
    """Identities of the acts that an entity has taken up most recently."""
    if isinstance(state, InstanceState):
        return state.life.signals
    if isinstance(state, TopicState):
        return tuple(vote.id for vote in state.votes)
    return getattr(state, "signals", ())
