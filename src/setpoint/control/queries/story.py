"""Trace: the recorded inputs and decisions of an entity, turn by turn; enough to replay them anywhere."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Unavailable
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import instance, suggestion
from setpoint.control.registry import Answer, Request, query
from setpoint.core.decide import STATES
from setpoint.core.recording import trace as traces
from setpoint.engine.port import Recording
from setpoint.model.grammars.text import without_credentials
from setpoint.model.names import instance_entity, is_kind, kind_of


class StoryRequest(Request):
    """Of one entity."""

    entity: str = Field(min_length=1, max_length=1000)
    """An instance as people write it, or any entity by its id: ``instance:…``, ``line:…``, ``attachment:…``, ``topic:…``."""
    about: str = Field("", max_length=2000)
    """A sentence to keep with it."""


class StoryAnswer(Answer):
    """The turns that are kept."""

    entity: str
    first: int
    """Number of the first turn that is kept; turns count from 1."""
    turns: int
    decided_otherwise: list[int]
    """Turns that this version decides otherwise than they were decided: the story has today's decisions."""
    story: dict[str, Any]
    """What ``setpoint replay`` takes. Only administrators see the credentials in definitions of checks; without them, a check
    whose definition holds some is decided again under another name.
    """


@query("story", Permission.VIEW, StoryRequest, StoryAnswer, "The recorded inputs and decisions of an entity, turn by turn.")
async def story(context: RequestContext, request: StoryRequest) -> StoryAnswer:
    """Decides the kept turns again, in memory."""
    entity = _entity(context, request.entity)
    recording = await _recorded(context, entity)
    turns = [(turn.now, turn.facts) for turn in recording.turns]
    try:
        found = traces.recorded(entity, recording.base, turns, first=recording.first, about=request.about)
    except Exception as error:
        raise Unavailable(
            f"A turn of {entity} cannot be decided again by this version: {error}.", "See `setpoint doctor`."
        ) from error
    whole = msgspec.to_builtins(found, str_keys=True)
    return StoryAnswer(
        entity=entity,
        first=recording.first,
        turns=len(recording.turns),
        decided_otherwise=_otherwise(recording, found),
        story=whole if context.person.admin else without_credentials(whole),
    )


def _entity(context: RequestContext, text: str) -> str:
    return text if is_kind(text, *STATES) else instance_entity(instance(context.configuration, text))


async def _recorded(context: RequestContext, entity: str) -> Recording:
    try:
        found = await context.engine.recorded(entity)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"A turn of {entity} cannot be read by this version: {error}.", "See `setpoint doctor`.") from error
    if found is None:
        known = [name for name, _ in await context.engine.scan(kind_of(entity))]
        raise NotFound(f'"{entity}" has had no turn.', suggestion(entity, known, "entity of its kind"))
    return found


def _otherwise(recording: Recording, found: traces.Trace) -> list[int]:
    pairs = zip(recording.turns, found.turns, strict=True)
    return [number for number, (was, now) in enumerate(pairs, start=recording.first) if f"{was.digest:08x}" != now.digest]
