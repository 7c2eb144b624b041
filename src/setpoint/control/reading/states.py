"""What control reads of instances: their states, and the attempt that people mean when they name none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from setpoint.control.context import RequestContext, Services
from setpoint.control.errors import NotFound, Refused
from setpoint.core.instance.gates.context import halves
from setpoint.core.instance.state import Attempt, InstanceState, offer_for, offer_of
from setpoint.core.line import LineState
from setpoint.model.names import instance_entity, line_entity, short_name
from setpoint.model.policy import Strategy
from setpoint.model.release import Offer


async def state_of(context: RequestContext, instance: str) -> InstanceState:
    """Its state; an empty one before its first fact."""
    found = await context.engine.read(instance_entity(instance))
    return found if isinstance(found, InstanceState) else InstanceState()


async def line_of(context: RequestContext, application: str) -> LineState:
    """The application's releases."""
    found = await context.engine.read(line_entity(application))
    return found if isinstance(found, LineState) else LineState()


async def instances_of(services: Services) -> AsyncIterator[tuple[str, InstanceState]]:
    """Every instance that ever was."""
    async for entity, state in everybody(services, "instance"):
        yield entity, state


async def everybody(services: Services, kind: str) -> AsyncIterator[tuple[str, Any]]:
    """Every entity of a kind that ever was, with its state."""
    after = ""
    while page := await services.engine.scan(kind, after=after):
        for entity, state in page:
            yield entity, state
        after = page[-1][0]


def open_attempt(state: InstanceState) -> Attempt | None:
    """The attempt that is under way here: the candidate, else the rollout."""
    life = state.life
    return life.candidate or (life.rollout.attempt if life.rollout else None)


def offer_named(instance: str, state: InstanceState, release: int) -> Offer:
    """The offer of a release; of number 0 that of the attempt under way.

    Raises:
        NotFound, Refused: there is none.
    """
    number = release
    if not number:
        attempt = open_attempt(state)
        if attempt is None:
            raise Refused(
                f"Nothing is waiting or under way at {short_name(instance)}.",
                f"See `setpoint explain {short_name(instance)}`, or name a release with --release.",
            )
        return kept_offer(state, attempt)
    offer = offer_for(state.life, number)
    if offer is None:
        raise NotFound(
            f"Release {number} is not open at {short_name(instance)}.", "See `setpoint history` for the releases that were."
        )
    return offer


def kept_offer(state: InstanceState, attempt: Attempt) -> Offer:
    """What an open attempt would bring: it is never forgotten."""
    offer = offer_of(state.life, attempt.pair)
    assert offer is not None  # noqa: S101 - for the type checker
    return offer


def releases_named(instance: str, state: InstanceState, release: int) -> list[int]:
    """The release that a person names; of number 0 those whose gates the attempt under way needs.

    Raises:
        NotFound, Refused: there is none.
    """
    offer = offer_named(instance, state, release)
    return [release] if release else [half.release for half in halves(state.life, offer)]


def change_of(state: InstanceState) -> int:
    """On a mirroring channel approvals bind to the mirrored change; elsewhere 0."""
    policy, candidate = state.policy, state.life.candidate
    return candidate.change if candidate and policy and policy.strategy is Strategy.MIRROR else 0
