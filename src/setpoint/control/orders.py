"""Orders of people: one after the other (§10.10), each with its reason, its link and its end (§10.8)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import ConfigDict, Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Malformed, Unavailable
from setpoint.control.registry import Request
from setpoint.core.facts import Signal, Voted
from setpoint.model.people import By
from setpoint.model.time import Instant, format_instant, from_datetime, parse_duration

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def in_turn(handler: Handler) -> Handler:
    """A command that begins when the one before it was taken up: the second of two that decide the same is refused."""

    @functools.wraps(handler)
    async def run(context: RequestContext, request: Any) -> Any:
        async with context.services.ordering:
            return await handler(context, request)

    return run  # type: ignore[return-value]  # the same signature


async def post(context: RequestContext, facts: Mapping[str, Signal | Voted]) -> None:
    """Deliver orders and wait until each was taken up. An entity whose turns fail takes its order up when they succeed again.

    Raises:
        Unavailable: it takes too long; the orders are stored.
    """
    await asyncio.gather(*(_waiting_for(entity, context.engine.ask(entity, fact)) for entity, fact in facts.items()))  # type: ignore[arg-type]


async def until(context: RequestContext, entity: str, holds: Callable[[Any], bool]) -> Any:
    """Wait until the state of an entity is so; return it. Raises Unavailable."""
    return await _waiting_for(entity, context.engine.until(entity, holds))


async def _waiting_for(entity: str, state: Awaitable[Any]) -> Any:
    try:
        return await state
    except TimeoutError:
        raise Unavailable(f"It is stored, but {entity} has not taken it up yet.", "See `setpoint doctor`.") from None


class OrderRequest(Request):
    """Why, where to read more, and until when."""

    model_config = ConfigDict(populate_by_name=True)

    why: str = Field("", max_length=2000)
    link: str = Field("", max_length=2000, pattern=r"^(https?://\S+)?$")
    """URL of an incident or a ticket."""
    until: str = Field("", max_length=40)
    """When it ends, such as ``2026-12-24T18:00:00+01:00``; a date means the beginning of that day in UTC."""
    lasts: str = Field("", alias="for", max_length=40)
    """Instead of ``until``: how long it lasts, such as ``2h``."""


def by_of(context: RequestContext, request: OrderRequest) -> By:
    """Who, why, and where to read more."""
    return By(context.person.name, request.why, request.link)


def end_of(context: RequestContext, request: OrderRequest) -> Instant:
    """When the order ends; 0: when it is withdrawn. Raises Malformed."""
    if request.until and request.lasts:
        raise Malformed("An order has one end.", "Give either --until or --for.")
    if request.lasts:
        return context.now + _lasting(request.lasts)
    end = _moment(request.until) if request.until else 0
    if request.until and end <= context.now:
        raise Malformed(f"until: {format_instant(end)} is in the past.", "Give an end in the future, or none.")
    return end


def _lasting(text: str) -> int:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise Malformed(f"for: {error}.", "Write a duration such as 90m, 12h or 3d.") from None
    if not duration:
        raise Malformed("for: an order that lasts 0 has no effect.", "Write a duration such as 90m, 12h or 3d.")
    return duration


def _moment(text: str) -> Instant:
    hint = "Write a date such as 2026-12-24, or a time with its offset such as 2026-12-24T18:00:00+01:00."
    try:
        if len(text) == len("2026-12-24"):
            day = date.fromisoformat(text)
            return from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Malformed(f'until: "{text}" is not a valid date or RFC 3339 time.', hint) from None
